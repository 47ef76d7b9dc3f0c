//! Memory of results that are done with, kept for the next: a fresh large block costs a page fault every 4 KiB.

use std::sync::{Mutex, PoisonError};

/// Values kept at most, all buffers together: 256 MiB.
const KEPT: usize = 1 << 26;

/// Buffers, the longest kept first.
static BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `n` values, which are whatever they were.
pub(crate) fn take(n: usize) -> Vec<f32> {
    let found = {
        let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough, and no more than twice as large; of equals the warmest.
        let sizes = kept.iter().map(Vec::capacity).enumerate().rev();
        let fits = sizes.filter(|&(_, size)| (n..=2 * n).contains(&size)).min_by_key(|&(_, size)| size);
        fits.map(|(index, _)| kept.remove(index))
    };
    // Fresh memory comes zeroed from the system; only a buffer that was shorter before is filled up.
    let Some(mut buffer) = found else { return vec![0.0; n] };
    buffer.resize(n, 0.0);
    buffer
}

/// Gives a buffer back.
pub(crate) fn give(buffer: Vec<f32>) {
    let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(buffer);
    let mut total: usize = kept.iter().map(Vec::capacity).sum();
    let mut oldest = 0;
    while total > KEPT {
        total -= kept[oldest].capacity();
        oldest += 1;
    }
    kept.drain(..oldest);
}
