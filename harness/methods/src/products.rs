//! Products of matrices, in blocks of a fixed size that threads share out: the number of threads does not show in a bit.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows of a block.
const BLOCK: usize = 256;

/// `[n, inner]` times `[inner, columns]`, row-major all.
pub(crate) fn rows_by_columns(rows: &[f32], columns: &[f32], inner: usize, count: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() / inner.max(1) * count];
    if count > 0 {
        let right = MatRef::from_row_major_slice(columns, inner, count);
        out.par_chunks_mut(BLOCK * count).zip(rows.par_chunks(BLOCK * inner)).for_each(|(out, rows)| {
            let n = rows.len() / inner;
            product(
                MatMut::from_row_major_slice_mut(out, n, count),
                MatRef::from_row_major_slice(rows, n, inner),
                right,
            );
        });
    }
    out
}

/// Writes `left` times `right`.
pub(crate) fn product<T: ComplexField>(out: MatMut<'_, T>, left: MatRef<'_, T>, right: MatRef<'_, T>) {
    matmul(out, Accum::Replace, left, right, T::one_impl(), Par::Seq);
}
