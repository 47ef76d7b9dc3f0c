//! Features of the normal support images, and the distance of a token to the nearest of them.

use burn::tensor::{Tensor, backend::Backend};

use crate::kernels::Kernels;

/// A shorter vector is taken to be this long.
const SHORTEST: f64 = 1e-12;

/// Unit features of the normal support images, all tokens of theirs: for each tap and each of its heads `[M, E]`.
pub(crate) struct Bank<B: Backend>(Vec<Vec<Tokens<B>>>);

/// The unit features of one tap's head.
struct Tokens<B: Backend> {
    /// `[M, E]`.
    values: Tensor<B, 2>,
    /// `[1, 1]`: zero, or NaN where a value is NaN, since a maximum may pass over it.
    nan: Tensor<B, 2>,
}

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
        let joined = |chunks: Vec<Tensor<B, 2>>| {
            let values = Tensor::cat(chunks, 0);
            let nan = (values.clone() * 0.0).sum().unsqueeze();
            Tokens { values, nan }
        };
        Self(all.into_iter().map(|heads| heads.into_iter().map(joined).collect()).collect())
    }

    /// 1 - the largest cosine of each patch token, `[B, L]`, with a token of one tap's and head's bank. `features` is
    /// `[B * T, E]`.
    pub(crate) fn distances<K: Kernels<B>>(
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
        let Tokens { values, nan } = &self.0[tap][head];
        let nan = (patches.clone() * 0.0).sum_dim(1) + nan.clone();
        (-(K::largest_product(&patches, values) + nan) + 1.0).reshape([items, tokens - 1])
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
    use crate::Plain;
    use crate::testing::{B, assert_close, host, tensor};

    #[test]
    fn a_token_of_the_bank_is_at_no_distance_and_one_across_it_at_one() {
        let bank = Bank::<B>::new(vec![
            vec![vec![tensor(&[3.0, 0.0, 0.0, 0.0, 0.0, 0.0], [2, 3])]],
            vec![vec![tensor(&[0.0, 0.5, 0.0], [1, 3])]],
        ]);
        // Two images of a class token and two patches.
        let features = [[9.0, 9.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [9.0; 3], [0.0, 7.0, 0.0], [-1.0, 0.0, 0.0]];
        let found = bank.distances::<Plain>(0, 0, tensor(&features.concat(), [6, 3]), 2, 3);
        assert_close(&host(found), &[0.0, 1.0, 0.0, 1.0], 1e-6);
        let nan = bank.distances::<Plain>(0, 0, tensor(&[0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0], [2, 3]), 1, 2);
        assert!(host(nan)[0].is_nan());
        let bank = Bank::<B>::new(vec![vec![vec![tensor(&[1.0, 0.0, f32::NAN, 0.0], [2, 2])]]]);
        let found = bank.distances::<Plain>(0, 0, tensor(&[1.0, 0.0, 1.0, 0.0], [2, 2]), 1, 2);
        assert!(host(found)[0].is_nan());
    }
}
