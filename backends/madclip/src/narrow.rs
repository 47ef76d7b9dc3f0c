//! Products with few columns, such as features times one direction. Where kernels are fused and tuned a matrix times a
//! column vector gives wrong values (burn #5122), so they get more columns there, of zeros, or are no product at all.
//! Where `as_it_is`, they are products of matrices like all others.

use burn::tensor::{Tensor, backend::Backend};

/// The least columns of a product; fewer are filled up to as many.
pub(crate) const LEAST: usize = 8;

/// Each row of `x` `[N, E]` times each row of `directions` `[D, E]`: `[N, D]`.
pub(crate) fn along<B: Backend>(x: &Tensor<B, 2>, directions: &Tensor<B, 2>, as_it_is: bool) -> Tensor<B, 2> {
    let count = directions.dims()[0];
    if as_it_is || count >= LEAST {
        return x.clone().matmul(directions.clone().transpose());
    }
    x.clone().matmul(filled(directions, 0).transpose()).narrow(1, 0, count)
}

/// `weights` `[N, D]` times `directions` `[D, E]`: `[N, E]`.
pub(crate) fn weighed<B: Backend>(weights: &Tensor<B, 2>, directions: &Tensor<B, 2>, as_it_is: bool) -> Tensor<B, 2> {
    match directions.dims()[0] {
        count if as_it_is || count >= LEAST => weights.clone().matmul(directions.clone()),
        1 => weights.clone() * directions.clone(),
        _ => filled(weights, 1).matmul(filled(directions, 0)),
    }
}

/// The transpose of `weights` `[N, D]` times `x` `[N, E]`: `[D, E]`.
pub(crate) fn gathered<B: Backend>(weights: &Tensor<B, 2>, x: &Tensor<B, 2>, as_it_is: bool) -> Tensor<B, 2> {
    let count = weights.dims()[1];
    if as_it_is || count >= LEAST {
        return weights.clone().transpose().matmul(x.clone());
    }
    filled(weights, 1).transpose().matmul(x.clone()).narrow(0, 0, count)
}

/// `x` with zeros behind, so that it is [`LEAST`] along this dimension.
fn filled<B: Backend>(x: &Tensor<B, 2>, dimension: usize) -> Tensor<B, 2> {
    let mut shape = x.dims();
    shape[dimension] = LEAST - shape[dimension];
    Tensor::cat(vec![x.clone(), Tensor::zeros(shape, &x.device())], dimension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{B, assert_close, host, random};

    #[test]
    fn products_with_few_columns_are_those_of_matrices() {
        for count in [1, 2, 3, LEAST] {
            let (x, directions) = (random("x", [11, 5]), random("directions", [count, 5]));
            let weights: Tensor<B, 2> = random("weights", [11, count]);
            let pairs = [
                (along(&x, &directions, false), x.clone().matmul(directions.clone().transpose())),
                (weighed(&weights, &directions, false), weights.clone().matmul(directions)),
                (gathered(&weights, &x, false), weights.transpose().matmul(x)),
            ];
            for (found, expected) in pairs {
                assert_eq!(found.dims(), expected.dims());
                assert_close(&host(found), &host(expected), 1e-5);
            }
        }
    }
}
