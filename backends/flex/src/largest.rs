//! The largest product of a row with the rows of a bank, without all products ever being there at once.

use rayon::prelude::*;

use crate::buffers;
use crate::linear::{Then, product};
use crate::panels::Panels;

/// Rows of the bank that are multiplied at once.
const AT_ONCE: usize = 1024;
/// Values that are compared side by side.
const LANES: usize = 16;

/// For each row of `x` `[N, depth]` its largest product with a row of `bank` `[M, depth]`.
pub(crate) fn largest_product(x: &[f32], bank: &[f32], depth: usize) -> Vec<f32> {
    let mut largest = vec![f32::NEG_INFINITY; x.len() / depth];
    for some in bank.chunks(AT_ONCE * depth) {
        let (panels, count) = (Panels::of_transposed(some, depth), some.len() / depth);
        let mut products = buffers::take(largest.len() * count);
        product(x, &panels, None, Then::Keep, &mut products);
        largest.par_iter_mut().zip(products.par_chunks_exact(count)).with_min_len(64).for_each(|(largest, row)| {
            *largest = largest.max(maximum(row));
        });
        buffers::give(products);
    }
    largest
}

fn maximum(row: &[f32]) -> f32 {
    let mut best = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for values in whole {
        for (best, &value) in best.iter_mut().zip(values) {
            *best = if value > *best { value } else { *best };
        }
    }
    best.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_that_of_a_plain_search_whatever_the_sizes() {
        for (rows, count, depth) in [(1, 1, 3), (5, 17, 8), (130, 1024, 12), (33, 2100, 40)] {
            let values = |n: usize, step: usize| (0..n).map(move |i| ((i * step % 251) as f32 - 125.0) / 125.0);
            let (x, bank): (Vec<f32>, Vec<f32>) =
                (values(rows * depth, 37).collect(), values(count * depth, 91).collect());
            let found = largest_product(&x, &bank, depth);
            for (x, found) in x.chunks_exact(depth).zip(found) {
                let product = |row: &[f32]| row.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
                let expected = bank.chunks_exact(depth).map(product).fold(f32::NEG_INFINITY, f32::max);
                assert!((found - expected).abs() < 1e-4, "{rows} {count} {depth}: {found} and {expected}");
            }
        }
    }
}
