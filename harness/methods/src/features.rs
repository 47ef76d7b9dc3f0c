//! Tokens as methods compare them: normalised, pooled, projected.

use rayon::prelude::*;

use crate::error::Error;
use crate::products;

/// Of every layer norm and channel norm (docs/method.md sections 1 and 2).
const EPSILON: f32 = 1e-5;
/// A shorter vector is taken to be this long.
const SHORTEST: f32 = 1e-12;

/// What stands behind the tower's last block: its norm, and the projection into the space of texts.
#[derive(Clone, Debug)]
pub struct Projection {
    norm_weight: Vec<f32>,
    norm_bias: Vec<f32>,
    /// `[width, embed]`; empty where only the norm is needed.
    projection: Vec<f32>,
}

impl Projection {
    /// From `visual.ln_post.weight`, `visual.ln_post.bias` `[width]` and `visual.proj` `[width, embed]`.
    ///
    /// # Errors
    /// Tensors that don't fit each other.
    pub fn new(norm_weight: Vec<f32>, norm_bias: Vec<f32>, projection: Vec<f32>) -> Result<Self, Error> {
        let width = norm_weight.len();
        if norm_bias.len() != width {
            return Err(Error::Length { what: "visual.ln_post.bias", found: norm_bias.len(), expected: width });
        }
        if width == 0 || !projection.len().is_multiple_of(width) {
            let expected = projection.len().next_multiple_of(width.max(1));
            return Err(Error::Length { what: "visual.proj", found: projection.len(), expected });
        }
        Ok(Self { norm_weight, norm_bias, projection })
    }

    /// Width of the tower.
    pub fn width(&self) -> usize {
        self.norm_weight.len()
    }

    /// Values of a text vector.
    pub fn embed(&self) -> usize {
        self.projection.len() / self.width()
    }

    /// The tower's last norm of tokens `[n, width]`, whatever tap they are of.
    pub fn norm(&self, tokens: &[f32]) -> Vec<f32> {
        let mut out = channel_norm(tokens, self.width());
        for token in out.chunks_exact_mut(self.width()) {
            for ((value, weight), bias) in token.iter_mut().zip(&self.norm_weight).zip(&self.norm_bias) {
                *value = *value * weight + bias;
            }
        }
        out
    }

    /// Tokens `[n, width]` of the last block as unit vectors `[n, embed]` in the space of texts.
    pub fn project(&self, tokens: &[f32]) -> Vec<f32> {
        let (normed, width, embed) = (self.norm(tokens), self.width(), self.embed());
        let mut out = products::rows_by_columns(&normed, &self.projection, width, embed);
        unit(&mut out, embed);
        out
    }
}

/// Tokens `[n, width]` with mean 0 and variance 1 over their channels.
pub fn channel_norm(tokens: &[f32], width: usize) -> Vec<f32> {
    let mut out = tokens.to_vec();
    out.par_chunks_exact_mut(width).for_each(|token| {
        let mean = token.iter().map(|&value| f64::from(value)).sum::<f64>() / width as f64;
        let square = |&value: &f32| (f64::from(value) - mean).powi(2);
        let variance = token.iter().map(square).sum::<f64>() / width as f64;
        let (mean, scale) = (mean as f32, 1.0 / (variance as f32 + EPSILON).sqrt());
        token.iter_mut().for_each(|value| *value = (*value - mean) * scale);
    });
    out
}

/// Brings vectors `[n, width]` to length 1.
pub fn unit(vectors: &mut [f32], width: usize) {
    vectors.par_chunks_exact_mut(width).for_each(|vector| {
        let length = vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt() as f32;
        let scale = length.max(SHORTEST);
        vector.iter_mut().for_each(|value| *value /= scale);
    });
}

/// The mean of each patch token `[images, G, G, width]` and its eight neighbours; outside there are zeros, and the sum
/// is always divided by nine.
pub fn pooled(tokens: &[f32], grid: usize, width: usize) -> Vec<f32> {
    let mut out = vec![0.0; tokens.len()];
    let image = grid * grid * width;
    out.par_chunks_exact_mut(image.max(1)).zip(tokens.par_chunks_exact(image.max(1))).for_each(|(out, tokens)| {
        for (place, pooled) in out.chunks_exact_mut(width).enumerate() {
            let (row, column) = (place / grid, place % grid);
            for y in row.saturating_sub(1)..(row + 2).min(grid) {
                for x in column.saturating_sub(1)..(column + 2).min(grid) {
                    let token = &tokens[(y * grid + x) * width..][..width];
                    pooled.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                }
            }
            pooled.iter_mut().for_each(|sum| *sum /= 9.0);
        }
    });
    out
}

/// A class's text vector from the features of its fixed sentences `[n, embed]`: unit length each, mean, unit length
/// (docs/method.md section 4).
pub fn class_text(sentences: &[f32], embed: usize) -> Vec<f32> {
    let mut each = sentences.to_vec();
    unit(&mut each, embed);
    let mut text = vec![0.0; embed];
    for sentence in each.chunks_exact(embed) {
        text.iter_mut().zip(sentence).for_each(|(sum, value)| *sum += value);
    }
    // Unit length makes the mean of the sum.
    unit(&mut text, embed);
    text
}

/// The inner products of vectors `[n, width]` with one vector, in f64.
pub(crate) fn along(vectors: &[f32], direction: &[f32]) -> Vec<f32> {
    let product = |vector: &[f32]| -> f64 {
        vector.iter().zip(direction).map(|(&value, &weight)| f64::from(value) * f64::from(weight)).sum()
    };
    vectors.par_chunks_exact(direction.len().max(1)).map(|vector| product(vector) as f32).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_pooled_token_at_a_corner_has_zeros_around_it() {
        let tokens: Vec<f32> = (1..=9).map(|i| i as f32).collect();
        let pooled = pooled(&tokens, 3, 1);
        assert_eq!((pooled[0], pooled[4], pooled[8]), (12.0 / 9.0, 5.0, 28.0 / 9.0));
    }

    #[test]
    fn norms_have_mean_0_and_variance_1_and_a_zero_vector_stays_zero() {
        let normed = channel_norm(&[1.0, 2.0, 3.0, 6.0, 5.0, 5.0, 5.0, 5.0], 4);
        let mean: f32 = normed[..4].iter().sum::<f32>() / 4.0;
        let variance: f32 = normed[..4].iter().map(|x| x * x).sum::<f32>() / 4.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-4);
        assert_eq!(normed[4..], [0.0; 4]);
        let mut vectors = [3.0, 4.0, 0.0, 0.0];
        unit(&mut vectors, 2);
        assert_eq!(vectors, [0.6, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn a_projection_is_a_unit_vector_of_the_normed_token() {
        let projection = Projection::new(vec![1.0, 2.0], vec![0.0, 1.0], vec![1.0, 0.0, 0.0, 0.0, 1.0, 1.0]).unwrap();
        let found = projection.project(&[4.0, 2.0]);
        // The norm is (1, -1), with weight and bias (1, -1); the product (1, -1, -1).
        let expected = [1.0, -1.0, -1.0].map(|x: f32| x / 3.0_f32.sqrt());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
        assert!(Projection::new(vec![1.0; 2], vec![0.0; 3], vec![]).is_err());
    }
}
