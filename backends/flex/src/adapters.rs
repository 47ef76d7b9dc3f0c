//! Kernels of adapters beside products: the gradient through LeakyReLU, features at unit length times directions, and
//! the gradient of that.

use madclip::kernels::SLOPE;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::buffers;
use crate::linear::{Then, product};
use crate::panels::Panels;
use crate::threads::over_rows;

/// Rows whose contributions to the directions' gradient are summed together: the same on any number of threads.
const BLOCK: usize = 256;

/// Slope of LeakyReLU, from its output, which has its input's sign. NaN has the slope 1, as in plain Burn.
#[inline(always)]
pub(crate) fn slope(output: f32) -> f32 {
    if output <= 0.0 { SLOPE as f32 } else { 1.0 }
}

/// Sums over tokens of a gradient taken through LeakyReLU.
pub(crate) fn leaky_sums(gradient: &[f32], output: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for (gradient, output) in gradient.chunks_exact(width).zip(output.chunks_exact(width)) {
        for ((sum, &gradient), &output) in sums.iter_mut().zip(gradient).zip(output) {
            *sum += gradient * slope(output);
        }
    }
    sums
}

/// Of features and the directions they are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Width of a feature, E.
    pub(crate) embed: usize,
    /// Directions, D: one or two.
    pub(crate) directions: usize,
}

/// Features `leaky_relu(x W^T)`, `[N * heads, E]`, from the weight in panels.
pub(crate) fn features(x: &[f32], weight: &Panels) -> Vec<f32> {
    let mut features = buffers::take(x.len() / weight.depth() * weight.columns());
    product(x, weight, None, Then::Leaky, &mut features);
    features
}

/// `features` at unit length times `directions`: `[N * heads, D]`.
pub(crate) fn cosines(features: &[f32], directions: &[f32], sizes: Sizes) -> Vec<f32> {
    let mut values = buffers::take(features.len() / sizes.embed * sizes.directions);
    over_rows(&mut values, sizes.directions, |first, values| {
        let features = &features[first * sizes.embed..][..values.len() / sizes.directions * sizes.embed];
        Arch::new().dispatch(Cosines { features, directions, sizes, values });
    });
    values
}

/// Replaces features by the gradient with respect to the products they came from, and gives that of the directions.
/// `gradient` and `values` are `[N * heads, D]`.
pub(crate) fn cosines_gradient(
    features: &mut [f32],
    gradient: &[f32],
    values: &[f32],
    directions: &[f32],
    sizes: Sizes,
) -> Vec<f32> {
    let Sizes { embed, directions: count } = sizes;
    let parts: Vec<Vec<f32>> = features
        .par_chunks_mut(BLOCK * embed)
        .zip(gradient.par_chunks(BLOCK * count).zip(values.par_chunks(BLOCK * count)))
        .map(|(features, (gradient, values))| {
            let mut sums = vec![0.0; embed * count];
            Arch::new().dispatch(Gradient { features, gradient, values, directions, sizes, sums: &mut sums });
            sums
        })
        .collect();
    let mut total = vec![0.0; embed * count];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
    total
}

struct Cosines<'a> {
    features: &'a [f32],
    directions: &'a [f32],
    sizes: Sizes,
    values: &'a mut [f32],
}

impl WithSimd for Cosines<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sizes { embed, directions } = self.sizes;
        for (feature, values) in self.features.chunks_exact(embed).zip(self.values.chunks_exact_mut(directions)) {
            let scale = 1.0 / dot(simd, feature, feature).sqrt();
            for (value, direction) in values.iter_mut().zip(self.directions.chunks_exact(embed)) {
                *value = dot(simd, feature, direction) * scale;
            }
        }
    }
}

struct Gradient<'a> {
    features: &'a mut [f32],
    gradient: &'a [f32],
    values: &'a [f32],
    directions: &'a [f32],
    sizes: Sizes,
    sums: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    /// With f a feature, u a direction, s = f . u / |f| and g the gradient with respect to s: that with respect to u is
    /// g f / |f|, and with respect to f it is (g u - f g s / |f|) / |f|.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sizes { embed, directions } = self.sizes;
        let rows = self.gradient.chunks_exact(directions).zip(self.values.chunks_exact(directions));
        for (feature, (gradient, values)) in self.features.chunks_exact_mut(embed).zip(rows) {
            let scale = 1.0 / dot(simd, feature, feature).sqrt();
            let mut along = 0.0;
            for (i, (&gradient, &value)) in gradient.iter().zip(values).enumerate() {
                add_scaled(simd, &mut self.sums[i * embed..][..embed], feature, gradient * scale);
                along += gradient * value;
            }
            let along = -along * scale * scale;
            let scaled = |i: usize| Scaled { values: &self.directions[i * embed..][..embed], by: gradient[i] * scale };
            if directions == 1 {
                towards(simd, feature, along, [scaled(0)]);
            } else {
                towards(simd, feature, along, [scaled(0), scaled(1)]);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Scaled<'a> {
    values: &'a [f32],
    by: f32,
}

/// `x = along x + the sum of these`, times the slope of LeakyReLU at `x`.
#[inline(always)]
fn towards<S: Simd, const N: usize>(simd: S, x: &mut [f32], along: f32, scaled: [Scaled<'_>; N]) {
    let (x, x_rest) = S::as_mut_simd_f32s(x);
    let parts = scaled.map(|scaled| S::as_simd_f32s(&scaled.values[..x.len() * S::F32_LANES + x_rest.len()]));
    let by = scaled.map(|scaled| simd.splat_f32s(scaled.by));
    let (alongs, slopes) = (simd.splat_f32s(along), simd.splat_f32s(SLOPE as f32));
    for (i, x) in x.iter_mut().enumerate() {
        let mut y = simd.mul_f32s(*x, alongs);
        for j in 0..N {
            y = simd.mul_add_e_f32s(parts[N - 1 - j].0[i], by[N - 1 - j], y);
        }
        let falls = simd.less_than_or_equal_f32s(*x, simd.splat_f32s(0.0));
        *x = simd.select_f32s(falls, simd.mul_f32s(y, slopes), y);
    }
    for (i, x) in x_rest.iter_mut().enumerate() {
        let sum: f32 = (0..N).map(|j| parts[j].1[i] * scaled[j].by).sum();
        *x = (sum + *x * along) * slope(*x);
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    let ((a_pairs, a_last), (b_pairs, b_last)) = (pulp::as_arrays::<2, _>(a), pulp::as_arrays::<2, _>(b));
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        sums = [simd.mul_add_e_f32s(a[0], b[0], sums[0]), simd.mul_add_e_f32s(a[1], b[1], sums[1])];
    }
    for (&a, &b) in a_last.iter().zip(b_last) {
        sums[0] = simd.mul_add_e_f32s(a, b, sums[0]);
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1])) + rest
}

#[inline(always)]
fn add_scaled<S: Simd>(simd: S, to: &mut [f32], x: &[f32], by: f32) {
    let ((to, to_rest), (x, x_rest)) = (S::as_mut_simd_f32s(to), S::as_simd_f32s(x));
    let scale = simd.splat_f32s(by);
    for (to, &x) in to.iter_mut().zip(x) {
        *to = simd.mul_add_e_f32s(x, scale, *to);
    }
    for (to, &x) in to_rest.iter_mut().zip(x_rest) {
        *to += x * by;
    }
}
