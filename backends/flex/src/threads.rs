//! Divides rows among threads.

use rayon::prelude::*;

/// Rows whose working set stays in a core's own cache, in every kernel here.
const ROWS: usize = 144;

/// A multiple of every tile's rows.
const STEP: usize = 12;

/// Rows of a chunk, so that each thread has as many chunks as any other.
fn chunk(rows: usize) -> usize {
    let threads = rayon::current_num_threads();
    let rounds = rows.div_ceil(threads * ROWS);
    rows.div_ceil(threads * rounds.max(1)).next_multiple_of(STEP)
}

/// Calls `work(first row, rows)` on chunks of a matrix of this width, on all threads.
pub(crate) fn over_rows(matrix: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = chunk(matrix.len() / width);
    matrix.par_chunks_mut(rows * width).enumerate().for_each(|(i, chunk)| work(i * rows, chunk));
}
