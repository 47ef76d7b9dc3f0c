//! Memory of results that are done with, kept for the next: a fresh large block costs a page fault every 4 KiB.

use std::sync::{Mutex, PoisonError};

/// Buffers kept at once: about what one block of a tower has in use.
const KEPT: usize = 8;

static BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `n` values, which are whatever they were.
pub(crate) fn take(n: usize) -> Vec<f32> {
    let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    // The smallest that is large enough, and no more than twice as large.
    let fits = |buffer: &&(usize, usize)| (n..=2 * n).contains(&buffer.1);
    let sizes = kept.iter().map(Vec::capacity).enumerate();
    let found = sizes.collect::<Vec<_>>().iter().filter(fits).min_by_key(|buffer| buffer.1).map(|buffer| buffer.0);
    let Some(found) = found else {
        drop(kept);
        return vec![0.0; n];
    };
    let mut buffer = kept.swap_remove(found);
    drop(kept);
    buffer.resize(n, 0.0);
    buffer
}

/// Gives a buffer back.
pub(crate) fn give(buffer: Vec<f32>) {
    let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() == KEPT {
        kept.remove(0);
    }
    kept.push(buffer);
}
