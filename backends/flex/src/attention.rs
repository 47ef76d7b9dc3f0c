//! Self-attention straight from packed projections, a head of an item at a time.

use pulp::Simd;
use rayon::prelude::*;

use crate::panels::Panels;
use crate::tile::{Finish, Part, Rows, Tiled, run, sweep, write};
use crate::vector::exp;

/// Sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) items: usize,
    pub(crate) tokens: usize,
    pub(crate) heads: usize,
    /// Of a token in the result, all heads together.
    pub(crate) width: usize,
}

impl Sizes {
    /// Width of a head.
    pub(crate) fn head(&self) -> usize {
        self.width / self.heads
    }

    /// What logits are multiplied by.
    pub(crate) fn scale(&self) -> f32 {
        (self.head() as f32).powf(-0.5)
    }
}

/// Queries handled at once: their logits stay in the fastest cache.
const QUERIES: usize = 24;

/// `qkv` `[items * tokens, 3 * width]` to `out` `[items * tokens, width]`; `mask` `[tokens, tokens]`.
pub(crate) fn attention(qkv: &[f32], sizes: Sizes, mask: Option<&[f32]>, out: &mut [f32]) {
    let Sizes { items, tokens, width, .. } = sizes;
    // An item is a task; where items are few, each is cut so that no thread is idle.
    let tasks = rayon::current_num_threads() * 2;
    let parts = if items >= tasks { 1 } else { tasks.div_ceil(items) };
    let queries = tokens.div_ceil(parts).next_multiple_of(QUERIES);
    out.par_chunks_mut(tokens * width).zip(qkv.par_chunks(3 * tokens * width)).for_each(|(out, qkv)| {
        out.par_chunks_mut(queries * width).enumerate().for_each(|(part, out)| {
            run(Item { qkv, sizes, mask, first: part * queries, out });
        });
    });
}

/// Some queries of one item.
struct Item<'a> {
    qkv: &'a [f32],
    sizes: Sizes,
    mask: Option<&'a [f32]>,
    first: usize,
    out: &'a mut [f32],
}

impl Tiled for Item<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Sizes { tokens, heads, width, .. } = self.sizes;
        let (head, scale) = (self.sizes.head(), self.sizes.scale());
        let (mut keys, mut values) = (Panels::zeros(head, tokens), Panels::zeros(tokens, head));
        let panel = keys.width();
        let padded = tokens.next_multiple_of(panel);
        let mut logits = vec![0.0; QUERIES * padded];
        let mut totals = [0.0; QUERIES];
        for number in 0..heads {
            let from = number * head;
            keys.fill_transposed(&self.qkv[width + from..], 3 * width);
            values.fill(&self.qkv[2 * width + from..], 3 * width);
            for (block, out) in self.out.chunks_mut(QUERIES * width).enumerate() {
                let first = self.first + block * QUERIES;
                let count = out.len() / width;
                let queries = Rows::strided(&self.qkv[first * 3 * width + from..], 3 * width, count);
                let mut into = Scaled { out: &mut logits, stride: padded, panel, columns: padded, by: scale };
                sweep::<S, ROWS>(simd, queries, &keys, &mut into);
                for (i, row) in logits.chunks_exact_mut(padded).take(count).enumerate() {
                    let mask = self.mask.map(|mask| &mask[(first + i) * tokens..][..tokens]);
                    totals[i] = exponentials(simd, row, tokens, mask);
                }
                let shares = Rows::strided(&logits, padded, count);
                let out = &mut out[from..];
                sweep::<S, ROWS>(
                    simd,
                    shares,
                    &values,
                    &mut Mixed { out, stride: width, panel, head, totals: &totals },
                );
            }
        }
    }
}

/// A matrix of sums, scaled, as columns of another.
pub(crate) struct Scaled<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) stride: usize,
    pub(crate) panel: usize,
    /// Columns that are written.
    pub(crate) columns: usize,
    pub(crate) by: f32,
}

impl<S: Simd> Finish<S> for Scaled<'_> {
    #[inline(always)]
    fn finish(&mut self, simd: S, row: usize, panel: usize, sum: Part<S>) {
        let by = simd.splat_f32s(self.by);
        let from = panel * self.panel;
        let out = &mut self.out[row * self.stride + from..][..self.panel.min(self.columns - from)];
        write(simd, out, [simd.mul_f32s(sum[0], by), simd.mul_f32s(sum[1], by)]);
    }
}

/// Values mixed by the exponentials of logits, divided by their totals at last.
struct Mixed<'a> {
    out: &'a mut [f32],
    stride: usize,
    panel: usize,
    head: usize,
    totals: &'a [f32],
}

impl<S: Simd> Finish<S> for Mixed<'_> {
    #[inline(always)]
    fn finish(&mut self, simd: S, row: usize, panel: usize, sum: Part<S>) {
        let share = simd.splat_f32s(1.0 / self.totals[row]);
        let from = panel * self.panel;
        let out = &mut self.out[row * self.stride + from..][..self.panel.min(self.head - from)];
        write(simd, out, [simd.mul_f32s(sum[0], share), simd.mul_f32s(sum[1], share)]);
    }
}

/// Replaces a row of logits, which is whole vectors, by e^(logit + mask - largest), zero beyond the tokens, and gives
/// their sum.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(simd: S, row: &mut [f32], tokens: usize, mask: Option<&[f32]>) -> f32 {
    if let Some(mask) = mask {
        for (logit, mask) in row.iter_mut().zip(mask) {
            *logit += mask;
        }
    }
    row[tokens..].fill(f32::NEG_INFINITY);
    let (row, _) = S::as_mut_simd_f32s(row);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for &x in &*row {
        largest = simd.max_f32s(largest, x);
    }
    let largest = simd.splat_f32s(simd.reduce_max_f32s(largest));
    let mut sum = simd.splat_f32s(0.0);
    for x in row {
        *x = exp(simd, simd.sub_f32s(*x, largest));
        sum = simd.add_f32s(sum, *x);
    }
    simd.reduce_sum_f32s(sum)
}
