//! The principal components of tokens, and how far a token lies outside of what they span.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::error::Error;
use crate::products::{add_lower_half, product};

/// Rows whose products are added at once, and tokens of a block that is scored: fixed, so that threads don't show.
const ROWS: usize = 1024;
const TOKENS: usize = 128;

/// A mean, and the directions in which tokens vary around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subspace {
    /// The mean token, `[width]`.
    pub mean: Vec<f32>,
    /// Orthonormal directions `[r, width]`, that of the largest variance first; none where all tokens are equal.
    pub components: Vec<f32>,
}

impl Subspace {
    /// The fewest principal components of tokens `[n, width]` that hold the share `explained`, in 0..=1, of their
    /// variance.
    ///
    /// # Errors
    /// No token; one that is not finite; components that leave no direction over; an eigenvalue that is not found.
    pub fn fit(tokens: &[f32], width: usize, explained: f64) -> Result<Self, Error> {
        let count = tokens.len() / width.max(1);
        if width == 0 || tokens.len() != count * width {
            let expected = (count + 1) * width;
            return Err(Error::Length { what: "tokens", found: tokens.len(), expected });
        }
        let missing = |what, advice| Error::Missing { what, method: "subspace", advice };
        if count == 0 {
            return Err(missing("normal image", "use at least one"));
        }
        if tokens.iter().any(|value| !value.is_finite()) {
            return Err(Error::NotFinite("a token"));
        }
        let mean = mean(tokens, width);
        let components = components(tokens, &mean, explained)?;
        if components.len() == width * width {
            let advice = "use a smaller `explained_variance`";
            return Err(missing("direction outside its principal components", advice));
        }
        Ok(Self { mean: single(&mean), components: single(&components) })
    }

    /// The squared length of what of each token `[n, width]` lies outside the subspace, `[n]`.
    ///
    /// # Errors
    /// Tokens of another width.
    pub fn residuals(&self, tokens: &[f32]) -> Result<Vec<f32>, Error> {
        let width = self.mean.len();
        let count = tokens.len() / width.max(1);
        if tokens.len() != count * width {
            let expected = (count + 1) * width;
            return Err(Error::Length { what: "tokens", found: tokens.len(), expected });
        }
        let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let (mean, values) = (double(&self.mean), double(&self.components));
        let kept = values.len() / width.max(1);
        let components = MatRef::from_row_major_slice(&values, kept, width);
        let mut out = vec![0.0; count];
        out.par_chunks_mut(TOKENS).zip(tokens.par_chunks(TOKENS * width)).for_each(|(out, tokens)| {
            let mut rest = centred(tokens, &mean);
            let mut along = vec![0.0; out.len() * kept];
            if kept > 0 {
                let rows = MatRef::from_row_major_slice(&rest, out.len(), width);
                product(MatMut::from_row_major_slice_mut(&mut along, out.len(), kept), rows, components.transpose());
                // What is left is subtracted before it is squared: a difference of squares would lose its digits.
                let rows = MatMut::from_row_major_slice_mut(&mut rest, out.len(), width);
                let along = MatRef::from_row_major_slice(&along, out.len(), kept);
                matmul(rows, Accum::Add, along, components, -1.0, Par::Seq);
            }
            for (out, rest) in out.iter_mut().zip(rest.chunks_exact(width)) {
                *out = rest.iter().map(|value| value * value).sum::<f64>() as f32;
            }
        });
        Ok(out)
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The mean token, and once more the mean of what is left: so a channel that is the same in all tokens is exactly its
/// value, and rounding makes no direction.
fn mean(tokens: &[f32], width: usize) -> Vec<f64> {
    let count = (tokens.len() / width) as f64;
    let mut mean = vec![0.0; width];
    for _ in 0..2 {
        let mut rest = vec![0.0; width];
        for token in tokens.chunks_exact(width) {
            for ((rest, &value), mean) in rest.iter_mut().zip(token).zip(&mean) {
                *rest += f64::from(value) - mean;
            }
        }
        mean.iter_mut().zip(&rest).for_each(|(mean, rest)| *mean += rest / count);
    }
    mean
}

fn centred(tokens: &[f32], mean: &[f64]) -> Vec<f64> {
    let token =
        |token: &[f32]| token.iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean).collect::<Vec<_>>();
    tokens.chunks_exact(mean.len()).flat_map(token).collect()
}

/// The directions that are kept, `[r, width]`: from the products of channels, or from those of tokens where there are
/// fewer.
fn components(tokens: &[f32], mean: &[f64], explained: f64) -> Result<Vec<f64>, Error> {
    let (count, width) = (tokens.len() / mean.len(), mean.len());
    if count < width {
        let values = centred(tokens, mean);
        let rows = MatRef::from_row_major_slice(&values, count, width);
        let mut products = vec![0.0; count * count];
        add_lower_half(&mut products, count, rows.transpose(), rows.transpose());
        let kept = eigenvectors(&products, count, width, explained)?;
        let mut out = vec![0.0; kept.len() / count * width];
        if !out.is_empty() {
            let directions = MatMut::from_row_major_slice_mut(&mut out, kept.len() / count, width);
            product(directions, MatRef::from_row_major_slice(&kept, kept.len() / count, count), rows);
        }
        for direction in out.chunks_exact_mut(width) {
            let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
            direction.iter_mut().for_each(|value| *value /= length);
        }
        return Ok(out);
    }
    let mut products = vec![0.0; width * width];
    for tokens in tokens.chunks(ROWS * width) {
        let values = centred(tokens, mean);
        let rows = MatRef::from_row_major_slice(&values, tokens.len() / width, width);
        add_lower_half(&mut products, width, rows, rows);
    }
    eigenvectors(&products, width, count, explained)
}

/// Of a symmetric matrix `[size, size]` the eigenvectors `[r, size]` of the largest eigenvalues, the fewest that reach
/// the share `explained` of their sum. Eigenvalues that rounding alone can make are zero; `other` is the other side of
/// the matrix whose products these are.
fn eigenvectors(products: &[f64], size: usize, other: usize, explained: f64) -> Result<Vec<f64>, Error> {
    let found = MatRef::from_column_major_slice(products, size, size)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::Eigenvalues)?;
    // They come in ascending order.
    let values: Vec<f64> = found.S().column_vector().iter().rev().copied().collect();
    let largest = values.first().copied().unwrap_or_default();
    let floor = largest * f64::EPSILON * size.max(other) as f64;
    let above: Vec<f64> = values.into_iter().take_while(|value| *value > floor).collect();
    // The same order of sums, so that a share of 1 is reached by the last of them.
    let total: f64 = above.iter().sum();
    let mut sum = 0.0;
    let mut out = Vec::new();
    for (number, value) in above.iter().enumerate() {
        out.extend(found.U().col(size - 1 - number).iter());
        sum += value;
        if sum >= explained * total {
            break;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_method::streams::normal;

    use super::*;

    /// Tokens `[n, width]` that vary along so many random directions, the first the most.
    fn tokens(n: usize, width: usize, rank: usize) -> Vec<f32> {
        let (place, directions) =
            (normal("place", 1, n * rank, 0.0, 1.0), normal("directions", 1, rank * width, 0.0, 1.0));
        let token = |place: &[f32]| -> Vec<f32> {
            let channel = |channel: usize| {
                let part = |(number, place): (usize, &f32)| place * directions[number * width + channel];
                3.0 + place.iter().enumerate().map(part).sum::<f32>()
            };
            (0..width).map(channel).collect()
        };
        place.chunks_exact(rank).flat_map(token).collect()
    }

    fn orthonormal(subspace: &Subspace) -> bool {
        let rows: Vec<&[f32]> = subspace.components.chunks_exact(subspace.mean.len()).collect();
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let expected = |i, j| if i == j { 1.0 } else { 0.0 };
        (0..rows.len()).all(|i| (0..rows.len()).all(|j| (product(rows[i], rows[j]) - expected(i, j)).abs() < 1e-6))
    }

    #[test]
    fn the_fewest_components_are_kept_that_reach_the_share() {
        // Variances 8, 2 and 0 along the axes, around (1, 2, 3).
        let tokens = [5.0, 2.0, 3.0, -3.0, 2.0, 3.0, 1.0, 4.0, 3.0, 1.0, 0.0, 3.0];
        let rank = |explained| Subspace::fit(&tokens, 3, explained).unwrap().components.len() / 3;
        assert_eq!([0.1, 0.8, 0.81, 0.99, 1.0].map(rank), [1, 1, 2, 2, 2]);
        let one = Subspace::fit(&tokens, 3, 0.5).unwrap();
        assert_eq!(one.mean, [1.0, 2.0, 3.0]);
        let found = one.residuals(&[9.0, 2.0, 3.0, 1.0, 5.0, 3.0, 7.0, 3.0, 5.0]).unwrap();
        let expected = [0.0, 9.0, 5.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn supports_of_few_dimensions_span_no_more_and_their_tokens_score_zero() {
        // More tokens than channels, and fewer: both come to the rank of the tokens.
        for (n, width, rank) in [(300, 40, 5), (12, 40, 5), (3, 40, 2), (1300, 150, 20)] {
            let tokens = tokens(n, width, rank);
            let subspace = Subspace::fit(&tokens, width, 1.0 - 1e-9).unwrap();
            assert_eq!(subspace.components.len() / width, rank, "{n} x {width}");
            assert!(orthonormal(&subspace));
            let inside = subspace.residuals(&tokens).unwrap();
            assert!(inside.iter().all(|value| (0.0..1e-6).contains(value)), "{inside:?}");
            let other = subspace.residuals(&normal("other", 2, 9 * width, 0.0, 1.0)).unwrap();
            assert!(other.iter().all(|value| *value > 1.0), "{other:?}");
        }
    }

    #[test]
    fn tokens_of_both_kinds_of_products_come_to_the_same_subspace() {
        // Repeated tokens have the same mean and components, and there are more of them than channels.
        let (width, once) = (30, tokens(20, 30, 18));
        let twice = [once.clone(), once.clone()].concat();
        let (few, many) = (Subspace::fit(&once, width, 0.9).unwrap(), Subspace::fit(&twice, width, 0.9).unwrap());
        assert_eq!(few.components.len(), many.components.len());
        let queries = normal("queries", 1, 50 * width, 2.0, 2.0);
        let (few, many) = (few.residuals(&queries).unwrap(), many.residuals(&queries).unwrap());
        assert!(few.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-4 * a), "{few:?} {many:?}");
    }

    #[test]
    fn equal_tokens_have_no_component_and_a_residual_is_the_distance_to_them() {
        for count in [1, 2, 7, 9, 1155] {
            let token = [0.1, 0.7, 1.0 / 3.0];
            let subspace = Subspace::fit(&token.repeat(count), 3, 0.99).unwrap();
            assert_eq!((subspace.mean.as_slice(), subspace.components.len()), (&token[..], 0), "{count}");
            let found = subspace.residuals(&[0.1, 0.7, 1.0 / 3.0, 0.1, 1.7, 7.0 / 3.0]).unwrap();
            assert!(found[0] == 0.0 && (found[1] - 5.0).abs() < 1e-6, "{found:?}");
        }
        let zeros = Subspace::fit(&[0.0; 12], 3, 1.0).unwrap();
        assert_eq!(zeros.residuals(&[1.0, 2.0, 2.0]).unwrap(), [9.0]);
    }

    #[test]
    fn what_can_not_be_learned_from_is_refused() {
        let refused =
            |tokens: &[f32], width, explained| Subspace::fit(tokens, width, explained).unwrap_err().to_string();
        assert!(refused(&[], 3, 0.9).contains("no normal image"));
        assert!(refused(&[1.0, f32::NAN], 2, 0.9).contains("not finite"));
        assert!(refused(&[1.0, 2.0, 3.0], 2, 0.9).contains("3 values where 4"));
        // In two dimensions two components leave nothing over.
        let full = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        assert!(refused(&full, 2, 1.0).contains("use a smaller `explained_variance`"));
        assert!(Subspace::fit(&full, 2, 0.5).is_ok());
        assert!(Subspace::fit(&full, 2, 0.5).unwrap().residuals(&[1.0]).is_err());
    }

    #[test]
    fn threads_do_not_show() {
        let tokens = tokens(2500, 150, 60);
        let found = Subspace::fit(&tokens, 150, 0.99).unwrap();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = one.install(|| Subspace::fit(&tokens, 150, 0.99)).unwrap();
        assert_eq!(alone, found);
        let scores = |subspace: &Subspace| subspace.residuals(&tokens).unwrap();
        assert_eq!(one.install(|| scores(&alone)), scores(&found));
    }
}
