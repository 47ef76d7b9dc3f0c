//! Focal and dice losses with their gradient (docs/method.md section 7), an image at a time. Logits are upsampled row
//! by row, so that only one image's probabilities are ever kept at full size.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::vector::{ln, negated, sigmoid};

/// Smallest weight of the class a pixel does not belong to, and of the logarithm's argument.
const CLAMP: f32 = 1e-5;

/// Losses of a batch, and the gradient of their sum with respect to the grids.
pub(crate) struct Losses {
    pub(crate) focal: f32,
    pub(crate) dice: f32,
    pub(crate) gradient: Vec<f32>,
}

/// `grids` `[B, G, G]` against `masks` `[B, S, S]`, upsampled by `matrix` `[S, G]`.
pub(crate) fn losses(matrix: &[f32], grids: &[f32], masks: &[f32], grid: usize, size: usize) -> Losses {
    let between = Between::of(matrix, grid);
    let items = grids.len() / (grid * grid);
    let mut gradient = vec![0.0; grids.len()];
    let sums: Vec<(f64, f64)> = gradient
        .par_chunks_mut(grid * grid)
        .zip(grids.par_chunks(grid * grid).zip(masks.par_chunks(size * size)))
        .map(|(gradient, (logits, mask))| {
            Arch::new().dispatch(Image { between: &between, logits, mask, grid, size, items, gradient })
        })
        .collect();
    let (focal, dice) = sums.into_iter().fold((0.0, 0.0), |sum, image| (sum.0 + image.0, sum.1 + image.1));
    let pixels = (items * size * size) as f64;
    Losses { focal: (focal / pixels) as f32, dice: (1.0 - dice / items as f64) as f32, gradient }
}

/// For each pixel of a side the grid cell before it, and the shares of that cell and of the next.
struct Between(Vec<(usize, f32, f32)>);

impl Between {
    fn of(matrix: &[f32], grid: usize) -> Self {
        let row = |row: &[f32]| {
            // A grid of one cell has no next.
            let low = row.iter().position(|&share| share != 0.0).unwrap_or(0).min(grid.saturating_sub(2));
            (low, row[low], row.get(low + 1).copied().unwrap_or(0.0))
        };
        Self(matrix.chunks_exact(grid).map(row).collect())
    }
}

struct Image<'a> {
    between: &'a Between,
    logits: &'a [f32],
    mask: &'a [f32],
    grid: usize,
    size: usize,
    items: usize,
    gradient: &'a mut [f32],
}

/// Sums over an image's pixels.
#[derive(Default)]
struct Sums {
    focal: f64,
    overlap: f64,
    total: f64,
}

impl WithSimd for Image<'_> {
    /// Sum of the focal loss over pixels, and the dice coefficient.
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f64) {
        let Self { between, grid, size, .. } = self;
        let padded = size.next_multiple_of(S::F32_LANES);
        let pixels = (self.items * size * size) as f32;
        // In a product with the whole matrix, a logit that is not finite makes its image NaN: the matrix has zeros,
        // unless the grid is one cell, and zero times it is NaN. Here a pixel reads only the cells around it, so NaN is
        // added.
        let poison = if grid > 1 { self.logits.iter().map(|logit| logit * 0.0).sum() } else { 0.0 };
        // Rows of the grid at full width, then of their gradient; one row more, so that each has a next.
        let mut rows = vec![0.0; (grid + 1) * padded];
        for (row, logits) in rows.chunks_exact_mut(padded).zip(self.logits.chunks_exact(grid)) {
            for (x, &(low, share, next)) in row.iter_mut().zip(&between.0) {
                *x = logits[low] * share + logits.get(low + 1).map_or(0.0, |logit| logit * next) + poison;
            }
        }
        let mut valid = vec![1.0; padded];
        valid[size..].fill(0.0);
        let (mut shares, mut slopes) = (vec![0.0; size * padded], vec![0.0; size * padded]);
        let mut sums = Sums::default();
        for (y, &(low, share, next)) in between.0.iter().enumerate() {
            let line = Line {
                low: &rows[low * padded..][..padded],
                high: &rows[(low + 1) * padded..][..padded],
                mask: &self.mask[y * size..][..size],
                valid: &valid,
            };
            let (p, slope) = (&mut shares[y * padded..][..padded], &mut slopes[y * padded..][..padded]);
            forward(simd, line, (share, next), 1.0 / pixels, p, slope, &mut sums);
        }
        let (overlap, total) = (2.0 * sums.overlap + 1.0, sums.total + 1.0);
        let of_mask = (-2.0 / (total * self.items as f64)) as f32;
        let of_all = (overlap / (total * total * self.items as f64)) as f32;
        rows.fill(0.0);
        for (y, &(low, share, next)) in between.0.iter().enumerate() {
            let (p, slope) = (&shares[y * padded..][..padded], &slopes[y * padded..][..padded]);
            let (low, high) = rows[low * padded..].split_at_mut(padded);
            let mask = &self.mask[y * size..][..size];
            backward(simd, p, slope, mask, (of_mask, of_all), (share, next), low, &mut high[..padded]);
        }
        for (gradient, row) in self.gradient.chunks_exact_mut(grid).zip(rows.chunks_exact(padded)) {
            for (&x, &(low, share, next)) in row.iter().zip(&between.0) {
                gradient[low] += x * share;
                if let Some(gradient) = gradient.get_mut(low + 1) {
                    *gradient += x * next;
                }
            }
        }
        (sums.focal, overlap / total)
    }
}

/// What a row of pixels comes from.
#[derive(Clone, Copy)]
struct Line<'a> {
    low: &'a [f32],
    high: &'a [f32],
    mask: &'a [f32],
    valid: &'a [f32],
}

/// Probabilities of a row of pixels, and what the focal loss adds to the gradient with respect to them.
#[inline(always)]
fn forward<S: Simd>(
    simd: S,
    line: Line<'_>,
    (share, next): (f32, f32),
    scale: f32,
    p: &mut [f32],
    slope: &mut [f32],
    sums: &mut Sums,
) {
    let (shares, nexts, one) = (simd.splat_f32s(share), simd.splat_f32s(next), simd.splat_f32s(1.0));
    let (spread, floor) = (simd.splat_f32s(2.0 - 4.0 * CLAMP), simd.splat_f32s(2.0 * CLAMP - 1.0));
    let ((low, _), (high, _)) = (S::as_simd_f32s(line.low), S::as_simd_f32s(line.high));
    let (valid, _) = S::as_simd_f32s(line.valid);
    let ((p, _), (slope, _)) = (S::as_mut_simd_f32s(p), S::as_mut_simd_f32s(slope));
    let zero = simd.splat_f32s(0.0);
    let (mut focal, mut overlap, mut total) = (zero, zero, zero);
    for i in 0..p.len() {
        let mask = vector(simd, line.mask, i);
        let logit = simd.mul_add_e_f32s(low[i], shares, simd.mul_f32s(high[i], nexts));
        let x = simd.mul_f32s(sigmoid(simd, logit), valid[i]);
        // pt = hot_n (1 - p) + hot_ab p + 1e-5 with hot_ab = the clamped mask and hot_n = 1 - hot_ab.
        let rise = simd.mul_add_e_f32s(mask, spread, floor);
        let pt = simd.mul_add_e_f32s(rise, x, simd.mul_add_e_f32s(mask, floor, one));
        let miss = simd.sub_f32s(one, pt);
        let weighted = simd.mul_f32s(miss, ln(simd, pt));
        let of_pt = simd.sub_f32s(simd.add_f32s(weighted, weighted), simd.div_f32s(simd.mul_f32s(miss, miss), pt));
        slope[i] = simd.mul_f32s(simd.mul_f32s(of_pt, rise), simd.splat_f32s(scale));
        p[i] = x;
        focal = simd.mul_add_e_f32s(simd.mul_f32s(miss, weighted), valid[i], focal);
        overlap = simd.mul_add_e_f32s(x, mask, overlap);
        total = simd.add_f32s(total, simd.add_f32s(x, mask));
    }
    sums.focal -= f64::from(simd.reduce_sum_f32s(focal));
    sums.overlap += f64::from(simd.reduce_sum_f32s(overlap));
    sums.total += f64::from(simd.reduce_sum_f32s(total));
}

/// Adds a row of pixels' gradient to that of the two rows it comes from.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the slices of one row of pixels")]
fn backward<S: Simd>(
    simd: S,
    p: &[f32],
    slope: &[f32],
    mask: &[f32],
    (of_mask, of_all): (f32, f32),
    (share, next): (f32, f32),
    low: &mut [f32],
    high: &mut [f32],
) {
    let ((p, _), (slope, _)) = (S::as_simd_f32s(p), S::as_simd_f32s(slope));
    let ((low, _), (high, _)) = (S::as_mut_simd_f32s(low), S::as_mut_simd_f32s(high));
    let (of_mask, of_all) = (simd.splat_f32s(of_mask), simd.splat_f32s(of_all));
    let (share, next) = (simd.splat_f32s(share), simd.splat_f32s(next));
    for i in 0..p.len() {
        let of_p = simd.add_f32s(simd.mul_add_e_f32s(vector(simd, mask, i), of_mask, slope[i]), of_all);
        let spread = simd.mul_add_e_f32s(p[i], negated(simd, p[i]), p[i]);
        let of_logit = simd.mul_f32s(of_p, spread);
        low[i] = simd.mul_add_e_f32s(of_logit, share, low[i]);
        high[i] = simd.mul_add_e_f32s(of_logit, next, high[i]);
    }
}

/// Vector i of a row that may end within it.
#[inline(always)]
fn vector<S: Simd>(simd: S, row: &[f32], i: usize) -> S::f32s {
    let rest = &row[i * S::F32_LANES..];
    if rest.len() >= S::F32_LANES { S::as_simd_f32s(rest).0[0] } else { simd.partial_load_f32s(rest) }
}
