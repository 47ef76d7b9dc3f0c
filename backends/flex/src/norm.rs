//! Layer norm and its gradient, a row at a time.

use madclip::kernels::EPSILON;
use pulp::{Arch, Simd, WithSimd};

use crate::threads::over_rows;

/// Layer norm of rows into `out`.
pub(crate) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = weight.len();
    over_rows(out, width, |first, out| {
        let x = &x[first * width..][..out.len()];
        Arch::new().dispatch(Forward { x, weight, bias, out });
    });
}

/// The gradient with respect to `x`, in place of the gradient with respect to the result.
pub(crate) fn layer_norm_gradient(gradient: &mut [f32], x: &[f32], weight: &[f32]) {
    let width = weight.len();
    over_rows(gradient, width, |first, gradient| {
        let x = &x[first * width..][..gradient.len()];
        Arch::new().dispatch(Backward { gradient, x, weight });
    });
}

struct Forward<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let (mean, deviation) = moments(simd, x);
            let scale = 1.0 / deviation;
            let (means, scales) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
            let (x, x_rest) = S::as_simd_f32s(x);
            let (weight, weight_rest) = S::as_simd_f32s(self.weight);
            let (bias, bias_rest) = S::as_simd_f32s(self.bias);
            let (out, out_rest) = S::as_mut_simd_f32s(out);
            for (((out, &x), &weight), &bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                let normal = simd.mul_f32s(simd.sub_f32s(x, means), scales);
                *out = simd.mul_add_e_f32s(normal, weight, bias);
            }
            for (((out, &x), &weight), &bias) in out_rest.iter_mut().zip(x_rest).zip(weight_rest).zip(bias_rest) {
                *out = (x - mean) * scale * weight + bias;
            }
        }
    }
}

struct Backward<'a> {
    gradient: &'a mut [f32],
    x: &'a [f32],
    weight: &'a [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.weight.len();
        for (x, gradient) in self.x.chunks_exact(width).zip(self.gradient.chunks_exact_mut(width)) {
            let (mean, deviation) = moments(simd, x);
            let scale = 1.0 / deviation;
            // With g the gradient times the weight and n the normal values: (g - mean g - n mean(g n)) / deviation.
            let (mut sum, mut along) = (0.0, 0.0);
            for ((&x, gradient), &weight) in x.iter().zip(gradient.iter_mut()).zip(self.weight) {
                *gradient *= weight;
                sum += *gradient;
                along += *gradient * ((x - mean) * scale);
            }
            let (sum, along) = (sum / width as f32, along / width as f32);
            for (&x, gradient) in x.iter().zip(gradient) {
                *gradient = (*gradient - sum - (x - mean) * scale * along) * scale;
            }
        }
    }
}

/// Mean and deviation of a row.
#[inline(always)]
fn moments<S: Simd>(simd: S, x: &[f32]) -> (f32, f32) {
    let n = x.len() as f32;
    let (vectors, rest) = S::as_simd_f32s(x);
    let (fours, more) = pulp::as_arrays::<4, _>(vectors);
    let mut sums = [simd.splat_f32s(0.0); 4];
    for four in fours {
        for i in 0..4 {
            sums[i] = simd.add_f32s(sums[i], four[i]);
        }
    }
    for &x in more {
        sums[0] = simd.add_f32s(sums[0], x);
    }
    let mean = (total(simd, sums) + rest.iter().sum::<f32>()) / n;
    let means = simd.splat_f32s(mean);
    let mut sums = [simd.splat_f32s(0.0); 4];
    for four in fours {
        for i in 0..4 {
            let x = simd.sub_f32s(four[i], means);
            sums[i] = simd.mul_add_e_f32s(x, x, sums[i]);
        }
    }
    for &x in more {
        let x = simd.sub_f32s(x, means);
        sums[0] = simd.mul_add_e_f32s(x, x, sums[0]);
    }
    let variance = (total(simd, sums) + rest.iter().map(|&x| (x - mean) * (x - mean)).sum::<f32>()) / n;
    (mean, (variance + EPSILON as f32).sqrt())
}

#[inline(always)]
fn total<S: Simd>(simd: S, sums: [S::f32s; 4]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3])))
}
