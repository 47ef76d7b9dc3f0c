//! The distance of tokens to the nearest token of a bank.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use crate::error::DeskError;
use crate::products::product;

/// Queries of a block, and tokens of a bank that are compared with it at once.
const QUERIES: usize = 128;
const TOKENS: usize = 1024;

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
        let mut out = vec![0.0; queries.len() / width.max(1)];
        out.par_chunks_mut(QUERIES).zip(queries.par_chunks(QUERIES * width)).for_each_init(
            || vec![0.0; QUERIES * TOKENS],
            |buffer, (out, queries)| {
                let n = out.len();
                let mut largest = vec![f32::NEG_INFINITY; n];
                for tokens in bank.chunks(TOKENS * width) {
                    let m = tokens.len() / width;
                    let cosines = &mut buffer[..n * m];
                    product(
                        MatMut::from_row_major_slice_mut(cosines, n, m),
                        MatRef::from_row_major_slice(queries, n, width),
                        MatRef::from_row_major_slice(tokens, m, width).transpose(),
                    );
                    for (largest, cosines) in largest.iter_mut().zip(cosines.chunks_exact(m)) {
                        *largest = cosines.iter().fold(*largest, |best, &cosine| best.max(cosine));
                    }
                }
                out.iter_mut().zip(largest).for_each(|(distance, cosine)| *distance = 1.0 - cosine);
            },
        );
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
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
        let (queries, bank) = (tokens("queries", 300), tokens("bank", 2500));
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
