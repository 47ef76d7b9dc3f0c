//! The sixteen variants of a support image and of its mask (docs/method.md section 6).

use harness_method::options::Side;
use harness_method::streams::Stream;
use harness_method::{AUGMENTED_VARIANTS, Variants};
use rayon::prelude::*;

/// Cosine and sine of the rotations by -22.5, -11.25, 11.25 and 22.5 degrees, written out: a library's sine may differ
/// in the last bit between systems.
const ROTATIONS: [(f32, f32); 4] = [
    (0.923_879_532_511_286_7_f64 as f32, -0.382_683_432_365_089_8_f64 as f32),
    (0.980_785_280_403_230_4_f64 as f32, -0.195_090_322_016_128_27_f64 as f32),
    (0.980_785_280_403_230_4_f64 as f32, 0.195_090_322_016_128_27_f64 as f32),
    (0.923_879_532_511_286_7_f64 as f32, 0.382_683_432_365_089_8_f64 as f32),
];
/// Shifts in half sides, (x, y).
const SHIFTS: [(f32, f32); 4] = [(0.1, 0.1), (-0.1, 0.1), (-0.1, -0.1), (0.1, -0.1)];
/// Factors of the centre zooms.
const ZOOMS: [f64; 4] = [1.1, 1.15, 1.2, 1.3];

/// Colour jitter of a run: one pair for all images of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// Factor on pixel values, 0.8 to 1.2.
    pub brightness: f32,
    /// Factor on the distance from the column's mean, 0.8 to 1.2.
    pub contrast: f32,
}

/// The jitter of a class in a run with `seed`: stream `jitter.<side>`, the first two draws (docs/method.md section 5).
pub fn jitter_factors(side: Side, seed: u64) -> Jitter {
    let stream = Stream::new(&format!("jitter.{}", side.name()), seed);
    let factor = |k| (0.8 + 0.4 * stream.uniform(k)) as f32;
    Jitter { brightness: factor(0), contrast: factor(1) }
}

/// A class's variants, variant by variant: variant `v` of image `k` of `K` is at `v * K + k`.
#[derive(Clone, Debug)]
pub struct Augmented {
    /// Images, RGB planar `[3, S, S]`, 0 to 1.
    pub images: Vec<Vec<f32>>,
    /// Masks `[S, S]`, 0 or 1, thresholded after the warps; zeros where no masks came in.
    pub masks: Vec<Vec<u8>>,
}

/// Variants of K images `[3, S, S]` and, for the abnormal class, of their masks `[S, S]` in 0 to 1.
pub fn augment_class(
    images: &[Vec<f32>],
    masks: Option<&[Vec<f32>]>,
    size: usize,
    variants: Variants,
    jitter: Jitter,
) -> Augmented {
    let (k, of) = (images.len(), Variant::of(variants));
    let images =
        (0..of.len() * k).into_par_iter().map(|i| variant(&images[i % k], size, of[i / k], Some(jitter))).collect();
    let masks = match masks {
        None => vec![vec![0; size * size]; of.len() * k],
        Some(masks) => augment_masks(masks, size, variants),
    };
    Augmented { images, masks }
}

/// Variants of masks `[S, S]` in 0 to 1, variant by variant, 0 or 1: warped, then thresholded.
pub fn augment_masks(masks: &[Vec<f32>], size: usize, variants: Variants) -> Vec<Vec<u8>> {
    let (k, of) = (masks.len(), Variant::of(variants));
    let warped = |i: usize| {
        let warped = variant(&masks[i % k], size, of[i / k], None);
        warped.into_iter().map(|v| u8::from(v > 0.5)).collect()
    };
    (0..of.len() * k).into_par_iter().map(warped).collect()
}

#[derive(Clone, Copy)]
enum Variant {
    AsIs,
    Rotated(usize),
    Shifted(usize),
    Zoomed(usize),
    Jittered,
    FlippedHorizontally,
    FlippedVertically,
}

impl Variant {
    const ALL: [Self; AUGMENTED_VARIANTS] = [
        Self::AsIs,
        Self::Rotated(0),
        Self::Rotated(1),
        Self::Rotated(2),
        Self::Rotated(3),
        Self::Shifted(0),
        Self::Shifted(1),
        Self::Shifted(2),
        Self::Shifted(3),
        Self::Zoomed(0),
        Self::Zoomed(1),
        Self::Zoomed(2),
        Self::Zoomed(3),
        Self::Jittered,
        Self::FlippedHorizontally,
        Self::FlippedVertically,
    ];
}

impl Variant {
    /// Some of them, in their order.
    fn of(variants: Variants) -> Vec<Self> {
        let is_in = |variant: &Self| match (variants, variant) {
            (Variants::Madclip, _) | (_, Self::AsIs) => true,
            (Variants::None, _) | (Variants::Mvfa, Self::Zoomed(_) | Self::Jittered) => false,
            (Variants::Mvfa, _) => true,
        };
        Self::ALL.into_iter().filter(is_in).collect()
    }
}

/// One variant of `x`, any number of planes `[S, S]`. Without a jitter (masks), the jittered variant is `x` itself.
fn variant(x: &[f32], size: usize, variant: Variant, jitter: Option<Jitter>) -> Vec<f32> {
    match variant {
        Variant::AsIs => x.to_vec(),
        Variant::Rotated(n) => {
            let (c, s) = ROTATIONS[n];
            warp(x, size, [[c, -s, 0.0], [s, c, 0.0]])
        }
        Variant::Shifted(n) => {
            let (dx, dy) = SHIFTS[n];
            warp(x, size, [[1.0, 0.0, dx], [0.0, 1.0, dy]])
        }
        Variant::Zoomed(n) => zoom(x, size, ZOOMS[n]),
        Variant::Jittered => jitter.map_or_else(|| x.to_vec(), |j| jittered(x, size, j)),
        Variant::FlippedHorizontally => x.chunks_exact(size).flat_map(|row| row.iter().rev().copied()).collect(),
        Variant::FlippedVertically => {
            x.chunks_exact(size * size).flat_map(|plane| plane.chunks_exact(size).rev().flatten().copied()).collect()
        }
    }
}

/// Pixel centres in -1..1, in the order of operations of PyTorch's `affine_grid`.
fn centres(size: usize) -> Vec<f32> {
    if size == 1 {
        return vec![0.0];
    }
    let step = 2.0 / (size - 1) as f32;
    let shrink = (size - 1) as f32 / size as f32;
    let at = |i: usize| if i < size / 2 { -1.0 + step * i as f32 } else { 1.0 - step * (size - 1 - i) as f32 };
    (0..size).map(|i| at(i) * shrink).collect()
}

/// From -1..1 to pixels, mirrored at the outer edges of the border pixels, as `grid_sample` with `reflection`.
fn unnormalise(coordinate: f32, size: usize) -> f32 {
    let span = size as f32;
    let distance = (((coordinate + 1.0) * span - 1.0) / 2.0 + 0.5).abs();
    let (flips, rest) = ((distance / span).floor(), distance % span);
    let inside = if flips % 2.0 == 0.0 { rest - 0.5 } else { span - rest - 0.5 };
    inside.clamp(0.0, span - 1.0)
}

/// Samples bilinearly at `matrix` applied to pixel centres, edges mirrored.
fn warp(x: &[f32], size: usize, matrix: [[f32; 3]; 2]) -> Vec<f32> {
    let area = size * size;
    let centres = centres(size);
    let mut out = vec![0.0; x.len()];
    for (row, &y) in centres.iter().enumerate() {
        for (column, &cx) in centres.iter().enumerate() {
            let at = |m: [f32; 3]| unnormalise(cx * m[0] + y * m[1] + m[2], size);
            let (sx, sy) = (at(matrix[0]), at(matrix[1]));
            let (left, top) = (sx.floor(), sy.floor());
            let (wx, wy) = (sx - left, sy - top);
            let (left, top) = (left as usize, top as usize);
            // The right and lower neighbours of the last pixel weigh nothing there.
            let (right, bottom) = ((left + 1).min(size - 1), (top + 1).min(size - 1));
            let corners = [
                (top * size + left, (1.0 - wx) * (1.0 - wy)),
                (top * size + right, wx * (1.0 - wy)),
                (bottom * size + left, (1.0 - wx) * wy),
                (bottom * size + right, wx * wy),
            ];
            for (from, to) in x.chunks_exact(area).zip(out.chunks_exact_mut(area)) {
                to[row * size + column] = corners.iter().map(|&(i, w)| from[i] * w).sum();
            }
        }
    }
    out
}

/// Index, next index and weight of the next, for each output pixel of a bilinear resize with half-pixel centres.
fn bilinear(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|i| {
            let position = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
            let index = (position as usize).min(from - 1);
            (index, (index + 1).min(from - 1), (position - index as f32).clamp(0.0, 1.0))
        })
        .collect()
}

/// The centre, enlarged to the full side.
fn zoom(x: &[f32], size: usize, factor: f64) -> Vec<f32> {
    let part = (size as f64 / factor) as usize;
    let (start, end) = ((size - part) / 2, (size + part) / 2);
    let taps = bilinear((end - start).max(1), size);
    let mut out = Vec::with_capacity(x.len());
    for plane in x.chunks_exact(size * size) {
        for &(y0, y1, wy) in &taps {
            let (upper, lower) = (&plane[(start + y0) * size..], &plane[(start + y1) * size..]);
            out.extend(taps.iter().map(|&(x0, x1, wx)| {
                let across = |row: &[f32]| (1.0 - wx) * row[start + x0] + wx * row[start + x1];
                (1.0 - wy) * across(upper) + wy * across(lower)
            }));
        }
    }
    out
}

/// Brightness, then contrast about the mean over channels and rows: it acts column by column, as released.
fn jittered(x: &[f32], size: usize, jitter: Jitter) -> Vec<f32> {
    let mut sums = vec![0.0f64; size];
    for row in x.chunks_exact(size) {
        for (sum, &v) in sums.iter_mut().zip(row) {
            *sum += f64::from(v * jitter.brightness);
        }
    }
    let rows = (x.len() / size) as f64;
    let means: Vec<f32> = sums.into_iter().map(|sum| (sum / rows) as f32).collect();
    let one = |(&v, &mean): (&f32, &f32)| ((v * jitter.brightness - mean) * jitter.contrast + mean).clamp(0.0, 1.0);
    x.chunks_exact(size).flat_map(|row| row.iter().zip(&means).map(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinate_beyond_the_edge_is_mirrored() {
        // Pixel 0 of 10 has its centre at -0.9; one pixel further out comes back to pixel 0, two to pixel 1.
        let near = |coordinate: f32, pixel: f32| (unnormalise(coordinate, 10) - pixel).abs() < 1e-5;
        assert!(near(-0.9, 0.0) && near(-1.1, 0.0) && near(-1.3, 1.0));
        assert!(near(0.9, 9.0) && near(1.1, 9.0) && near(1.3, 8.0));
        assert!(near(5.1, 9.0 - 0.0) || near(5.1, 0.0), "far out it stays inside: {}", unnormalise(5.1, 10));
    }

    #[test]
    fn a_constant_image_stays_constant_under_every_warp() {
        let x = vec![0.7f32; 3 * 11 * 11];
        for kind in Variant::ALL {
            for v in variant(&x, 11, kind, None) {
                assert!((v - 0.7).abs() < 1e-6);
            }
        }
    }
}
