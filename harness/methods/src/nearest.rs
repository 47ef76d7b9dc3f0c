//! The distance of tokens to the nearest token of a bank.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use crate::error::DeskError;
use crate::products::product;

/// Queries and tokens of a bank that are compared at once: enough that laying them out for a product takes little
/// beside it, and few enough that their cosines stay near.
const QUERIES: usize = 512;
const TOKENS: usize = 512;
/// Cosines that are compared side by side.
const LANES: usize = 16;

/// Something that compares tokens with a bank.
pub trait Nearest {
    /// 1 - the largest cosine of each query `[n, width]` with a token of the bank `[m, width]`, m at least 1; all of
    /// them unit vectors.
    ///
    /// # Errors
    /// Whatever kept the device from it.
    fn nearest(&mut self, queries: &[f32], bank: &[f32], width: usize) -> Result<Vec<f32>, DeskError>;
}

/// The processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processor;

impl Nearest for Processor {
    fn nearest(&mut self, queries: &[f32], bank: &[f32], width: usize) -> Result<Vec<f32>, DeskError> {
        let count = queries.len() / width.max(1);
        let none = || vec![f32::NEG_INFINITY; count];
        // Threads share out the bank, as one image has few queries. A maximum does not depend on the order.
        let blocks = bank.par_chunks((TOKENS * width).max(1)).fold(
            || (none(), vec![0.0; QUERIES.min(count) * TOKENS]),
            |(mut largest, mut buffer), tokens| {
                let m = tokens.len() / width;
                for (largest, queries) in largest.chunks_mut(QUERIES).zip(queries.chunks(QUERIES * width)) {
                    let n = largest.len();
                    let cosines = &mut buffer[..n * m];
                    product(
                        MatMut::from_row_major_slice_mut(cosines, n, m),
                        MatRef::from_row_major_slice(queries, n, width),
                        MatRef::from_row_major_slice(tokens, m, width).transpose(),
                    );
                    for (largest, cosines) in largest.iter_mut().zip(cosines.chunks_exact(m)) {
                        *largest = largest.max(maximum(cosines));
                    }
                }
                (largest, buffer)
            },
        );
        let largest = blocks.map(|(largest, _)| largest).reduce(none, |mut largest, other| {
            largest.iter_mut().zip(other).for_each(|(largest, other)| *largest = largest.max(other));
            largest
        });
        Ok(largest.into_iter().map(|cosine| 1.0 - cosine).collect())
    }
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
    #![expect(clippy::unwrap_used, reason = "tests")]

    use harness_method::streams::normal;

    use super::*;
    use crate::features::unit;

    #[test]
    fn the_nearest_token_of_a_large_bank_is_that_of_a_plain_search() {
        let width = 12;
        let tokens = |name: &str, n: usize| {
            let mut values = normal(name, 1, n * width, 0.0, 1.0);
            unit(&mut values, width);
            values
        };
        let (queries, bank) = (tokens("queries", 700), tokens("bank", 2500));
        let found = Processor.nearest(&queries, &bank, width).unwrap();
        for (query, found) in queries.chunks_exact(width).zip(&found) {
            let cosine = |token: &[f32]| query.iter().zip(token).map(|(a, b)| a * b).sum::<f32>();
            let largest = bank.chunks_exact(width).map(cosine).fold(f32::NEG_INFINITY, f32::max);
            assert!((found - (1.0 - largest)).abs() < 1e-6);
        }
        let one = Processor.nearest(&queries[..width], &queries[..width], width).unwrap();
        assert!(one[0].abs() < 1e-6);
    }
}
