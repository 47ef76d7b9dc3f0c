//! Products of matrices, in blocks of a fixed size that threads share out: the number of threads does not show in a
//! bit.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows of a block.
const BLOCK: usize = 256;
/// Columns of a block of a symmetric matrix.
const COLUMNS: usize = 128;

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

/// Adds the lower half of `left`, transposed, times `right`, both `[n, size]`, to a column-major `[size, size]`. What
/// stands above the diagonal's blocks is left as it is.
pub(crate) fn add_lower_half(out: &mut [f64], size: usize, left: MatRef<'_, f64>, right: MatRef<'_, f64>) {
    // Column-major: a block of columns is one piece of memory.
    out.par_chunks_mut(COLUMNS * size).enumerate().for_each(|(block, out)| {
        let (from, columns) = (block * COLUMNS, out.len() / size);
        let mut sums = vec![0.0; (size - from) * columns];
        product(
            MatMut::from_column_major_slice_mut(&mut sums, size - from, columns),
            left.subcols(from, size - from).transpose(),
            right.subcols(from, columns),
        );
        for (out, sums) in out.chunks_exact_mut(size).zip(sums.chunks_exact(size - from)) {
            out[from..].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
        }
    });
}
