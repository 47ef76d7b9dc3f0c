//! Memory of results that are no longer needed, kept for the next: a fresh large block costs a page fault every 4 KiB.

use std::sync::{Mutex, PoisonError};

/// Values kept at most, all buffers together: 256 MiB.
const KEPT: usize = 1 << 26;

/// Values a buffer has at least: a smaller one costs the allocator less than a search here.
const LARGE: usize = 1 << 12;

/// Buffers, the longest kept first.
static BUFFERS: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `n` values, which are whatever they were.
pub(crate) fn take(n: usize) -> Vec<f32> {
    if n < LARGE {
        return vec![0.0; n];
    }
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
    if buffer.capacity() < LARGE {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_serves_again_and_a_small_one_is_left_to_the_allocator() {
        // A size that no other test asks for, because they share the buffers.
        let n = LARGE + 12_345;
        let mut buffer = take(n);
        buffer.fill(7.0);
        give(buffer);
        let again = take(n - 1);
        assert_eq!((again.len(), again.capacity(), again[0]), (n - 1, n, 7.0));
        give(vec![7.0; LARGE - 1]);
        assert_eq!(take(LARGE - 1)[0], 0.0);
    }
}
