//! Features of the normal support images, and the distance of a token to the nearest of them.

use burn::tensor::{Tensor, backend::Backend};

/// A shorter vector is taken to be this long.
const SHORTEST: f64 = 1e-12;
/// Tokens of a bank that are compared at once.
const TOKENS: usize = 4096;

/// Unit features of the normal support images, all tokens of theirs: for each tap and each of its heads `[M, E]`.
pub(crate) struct Bank<B: Backend>(Vec<Vec<Tensor<B, 2>>>);

impl<B: Backend> Bank<B> {
    /// From features of some images at a time, at their own length.
    pub(crate) fn new(chunks: Vec<Vec<Vec<Tensor<B, 2>>>>) -> Self {
        let mut all: Vec<Vec<Vec<Tensor<B, 2>>>> = Vec::new();
        for chunk in chunks {
            for (tap, heads) in chunk.into_iter().enumerate() {
                if all.len() == tap {
                    all.push(vec![Vec::new(); heads.len()]);
                }
                for (features, all) in heads.into_iter().zip(&mut all[tap]) {
                    all.push(unit(features));
                }
            }
        }
        Self(all.into_iter().map(|heads| heads.into_iter().map(|chunks| Tensor::cat(chunks, 0)).collect()).collect())
    }

    /// 1 - the largest cosine of each patch token, `[B, L]`, with a token of one tap's and head's bank. `features` is
    /// `[B * T, E]`.
    pub(crate) fn distances(
        &self,
        tap: usize,
        head: usize,
        features: Tensor<B, 2>,
        items: usize,
        tokens: usize,
    ) -> Tensor<B, 2> {
        let embed = features.dims()[1];
        let patches = features.reshape([items, tokens, embed]).narrow(1, 1, tokens - 1);
        let patches = unit(patches.reshape([items * (tokens - 1), embed]));
        let bank = &self.0[tap][head];
        let count = bank.dims()[0];
        let mut largest: Option<Tensor<B, 2>> = None;
        for from in (0..count).step_by(TOKENS) {
            let some = bank.clone().narrow(0, from, TOKENS.min(count - from));
            let found = patches.clone().matmul(some.transpose()).max_dim(1);
            largest = Some(match largest {
                Some(largest) => largest.max_pair(found),
                None => found,
            });
        }
        // Burn leaves open what a maximum makes of NaN: a token times zero is zero or NaN.
        let nan = (patches * 0.0).sum_dim(1);
        let largest = largest.unwrap_or_else(|| nan.zeros_like());
        (-(largest + nan) + 1.0).reshape([items, tokens - 1])
    }
}

/// Rows at length 1.
fn unit<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let length = (x.clone() * x.clone()).sum_dim(1).sqrt().clamp_min(SHORTEST);
    x / length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{B, assert_close, host, tensor};

    #[test]
    fn a_token_of_the_bank_is_at_no_distance_and_one_across_it_at_one() {
        let bank = Bank::<B>::new(vec![
            vec![vec![tensor(&[3.0, 0.0, 0.0, 0.0, 0.0, 0.0], [2, 3])]],
            vec![vec![tensor(&[0.0, 0.5, 0.0], [1, 3])]],
        ]);
        // Two images of a class token and two patches.
        let features = [[9.0, 9.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [9.0; 3], [0.0, 7.0, 0.0], [-1.0, 0.0, 0.0]];
        let found = bank.distances(0, 0, tensor(&features.concat(), [6, 3]), 2, 3);
        assert_close(&host(found), &[0.0, 1.0, 0.0, 1.0], 1e-6);
        let nan = bank.distances(0, 0, tensor(&[0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0], [2, 3]), 1, 2);
        assert!(host(nan)[0].is_nan());
    }
}
