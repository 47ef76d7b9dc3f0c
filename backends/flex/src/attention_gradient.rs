//! The gradient of self-attention, a head of an item at a time. Shares are computed again: keeping them would cost more
//! memory than all other steps of a tower together.

use pulp::Simd;
use rayon::prelude::*;

use crate::attention::{Scaled, Sizes, exponentials};
use crate::panels::Panels;
use crate::tile::{Rows, Tiled, run, sweep};

/// From the gradient with respect to the result `[items * tokens, width]` to that with respect to `qkv`, into `out`
/// `[items * tokens, 3 * width]`.
pub(crate) fn attention_gradient(gradient: &[f32], qkv: &[f32], sizes: Sizes, mask: Option<&[f32]>, out: &mut [f32]) {
    let item = sizes.tokens * sizes.width;
    out.par_chunks_mut(3 * item).zip(qkv.par_chunks(3 * item)).zip(gradient.par_chunks(item)).for_each(
        |((out, qkv), gradient)| {
            run(Item { gradient, qkv, sizes, mask, out });
        },
    );
}

struct Item<'a> {
    gradient: &'a [f32],
    qkv: &'a [f32],
    sizes: Sizes,
    mask: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Tiled for Item<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { gradient, qkv, sizes, mask, out } = self;
        let Sizes { tokens, heads, width, .. } = sizes;
        let (head, scale) = (sizes.head(), sizes.scale());
        let (mut across, mut along) = (Panels::zeros(head, tokens), Panels::zeros(tokens, head));
        let panel = across.width();
        let padded = tokens.next_multiple_of(panel);
        let (mut shares, mut of_logits) = (vec![0.0; tokens * padded], vec![0.0; tokens * padded]);
        let mut turned = vec![0.0; tokens * tokens];
        for from in (0..heads).map(|number| number * head) {
            let part = |number: usize| &qkv[number * width + from..];
            let rows = |number: usize| Rows::strided(part(number), 3 * width, tokens);
            let above = Rows::strided(&gradient[from..], width, tokens);

            across.fill_transposed(part(1), 3 * width);
            let mut into = Scaled { out: &mut shares, stride: padded, panel, columns: padded, by: scale };
            sweep::<S, ROWS>(simd, rows(0), &across, &mut into);
            across.fill_transposed(part(2), 3 * width);
            let mut into = Scaled { out: &mut of_logits, stride: padded, panel, columns: padded, by: 1.0 };
            sweep::<S, ROWS>(simd, above, &across, &mut into);
            for (i, share) in shares.chunks_exact_mut(padded).enumerate() {
                let mask = mask.map(|mask| &mask[i * tokens..][..tokens]);
                let total = exponentials(simd, share, tokens, mask);
                through_softmax(simd, share, total, &mut of_logits[i * padded..][..padded]);
            }

            // Values: shares turned, times the gradient.
            turn(&shares, padded, tokens, &mut turned);
            along.fill(&gradient[from..], width);
            let mut into =
                Scaled { out: &mut out[2 * width + from..], stride: 3 * width, panel, columns: head, by: 1.0 };
            sweep::<S, ROWS>(simd, Rows::of(&turned, tokens), &along, &mut into);
            // Queries: of_logits times keys.
            along.fill(part(1), 3 * width);
            let mut into = Scaled { out: &mut out[from..], stride: 3 * width, panel, columns: head, by: scale };
            sweep::<S, ROWS>(simd, Rows::strided(&of_logits, padded, tokens), &along, &mut into);
            // Keys: of_logits turned, times queries.
            turn(&of_logits, padded, tokens, &mut turned);
            along.fill(part(0), 3 * width);
            let mut into = Scaled { out: &mut out[width + from..], stride: 3 * width, panel, columns: head, by: scale };
            sweep::<S, ROWS>(simd, Rows::of(&turned, tokens), &along, &mut into);
        }
    }
}

/// Divides exponentials by their total, and makes a gradient with respect to these shares one with respect to logits.
#[inline(always)]
fn through_softmax<S: Simd>(simd: S, share: &mut [f32], total: f32, gradient: &mut [f32]) {
    let ((share, _), (gradient, _)) = (S::as_mut_simd_f32s(share), S::as_mut_simd_f32s(gradient));
    let by = simd.splat_f32s(1.0 / total);
    let mut balance = simd.splat_f32s(0.0);
    for (share, &gradient) in share.iter_mut().zip(&*gradient) {
        *share = simd.mul_f32s(*share, by);
        balance = simd.mul_add_e_f32s(*share, gradient, balance);
    }
    let balance = simd.splat_f32s(simd.reduce_sum_f32s(balance));
    for (&share, gradient) in share.iter().zip(gradient) {
        *gradient = simd.mul_f32s(share, simd.sub_f32s(*gradient, balance));
    }
}

/// The transpose of the first `n` columns of `n` rows.
fn turn(matrix: &[f32], stride: usize, n: usize, out: &mut [f32]) {
    for (row, values) in matrix.chunks_exact(stride).take(n).enumerate() {
        for (column, &value) in values[..n].iter().enumerate() {
            out[column * n + row] = value;
        }
    }
}
