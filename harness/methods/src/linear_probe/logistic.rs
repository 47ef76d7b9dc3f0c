//! Logistic regression with soft labels, each class weighing one half, to its only minimum by Newton's method in f64.

use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};
use rayon::prelude::*;

use crate::error::Error;
use crate::products::add_lower_half;

/// Rows whose products are added at once: fixed, so that threads don't show.
const ROWS: usize = 1024;
/// Newton's method comes to the minimum in about a dozen steps.
const STEPS: usize = 100;
/// Below this decrease one more full step is exact.
const SETTLED: f64 = 1e-12;
/// A step counts where it brings this share of the decrease that the gradient promises.
const ENOUGH: f64 = 1e-4;

/// Weights `[width]` and bias of a regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// One a channel.
    pub weight: Vec<f32>,
    /// Not penalised.
    pub bias: f32,
}

impl Logistic {
    /// The logits of features `[n, width]`.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let mut logits = crate::features::along(features, &self.weight);
        logits.iter_mut().for_each(|logit| *logit += self.bias);
        logits
    }
}

/// Minimises `sum a softplus(-z) + b softplus(z) + strength / 2 |w|^2` over features x `[n, width]` with labels y in
/// 0..1, where z = x . w + bias, a = y / (2 sum y) and b = (1 - y) / (2 sum(1 - y)).
///
/// # Errors
/// Labels that are all 0 or all 1; features that are not finite; a minimum that is not found.
pub fn logistic(features: &[f32], labels: &[f32], width: usize, strength: f64) -> Result<Logistic, Error> {
    if features.len() != labels.len() * width {
        return Err(Error::Length { what: "features", found: features.len(), expected: labels.len() * width });
    }
    if features.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite("a feature"));
    }
    let (positive, negative) = labels.iter().fold((0.0, 0.0), |(positive, negative), &label| {
        (positive + f64::from(label), negative + 1.0 - f64::from(label))
    });
    let missing = |what| Error::Missing { what, method: "linear-probe", advice: "use supports of both classes" };
    if positive <= 0.0 {
        return Err(missing("abnormal image, or no lesion in one,"));
    }
    if negative <= 0.0 {
        return Err(missing("normal image"));
    }
    let problem = Problem {
        features,
        width,
        strength,
        abnormal: labels.iter().map(|&y| f64::from(y) / (2.0 * positive)).collect(),
        normal: labels.iter().map(|&y| (1.0 - f64::from(y)) / (2.0 * negative)).collect(),
    };
    // Weights, then the bias.
    let mut point = vec![0.0; width + 1];
    let mut logits = problem.logits(&point);
    for _ in 0..STEPS {
        let (gradient, curvature) = problem.slopes(&point, &logits);
        let factor = curvature.llt(Side::Lower).map_err(|_| Error::Diverged("its curvature is not positive"))?;
        let step = factor.solve(MatRef::from_column_major_slice(&gradient, width + 1, 1));
        let step: Vec<f64> = step.col(0).iter().copied().collect();
        let decrease: f64 = gradient.iter().zip(&step).map(|(gradient, step)| gradient * step).sum();
        let moved = |scale: f64| -> Vec<f64> { point.iter().zip(&step).map(|(at, step)| at - scale * step).collect() };
        if decrease < SETTLED {
            let mut weight: Vec<f32> = moved(1.0).into_iter().map(|value| value as f32).collect();
            let bias = weight.pop().unwrap_or_default();
            return Ok(Logistic { weight, bias });
        }
        if !decrease.is_finite() {
            return Err(Error::NotFinite("the decrease of a step"));
        }
        let (before, mut scale) = (problem.objective(&point, &logits), 1.0);
        (point, logits) = loop {
            let next = moved(scale);
            let reached = problem.logits(&next);
            if problem.objective(&next, &reached) <= before - ENOUGH * scale * decrease {
                break (next, reached);
            }
            scale /= 2.0;
            if scale < f64::EPSILON {
                return Err(Error::Diverged("no step makes it smaller"));
            }
        };
    }
    Err(Error::Diverged("too many steps"))
}

struct Problem<'a> {
    features: &'a [f32],
    width: usize,
    strength: f64,
    /// Weight of each row as an abnormal one.
    abnormal: Vec<f64>,
    /// Weight of each row as a normal one.
    normal: Vec<f64>,
}

impl Problem<'_> {
    fn logits(&self, point: &[f64]) -> Vec<f64> {
        let (weight, bias) = point.split_at(self.width);
        let logit = |row: &[f32]| row.iter().zip(weight).map(|(&x, w)| f64::from(x) * w).sum::<f64>() + bias[0];
        self.features.par_chunks_exact(self.width.max(1)).map(logit).collect()
    }

    fn objective(&self, point: &[f64], logits: &[f64]) -> f64 {
        let rows = logits.iter().zip(&self.abnormal).zip(&self.normal);
        let loss: f64 = rows.map(|((&z, a), b)| a * softplus(-z) + b * softplus(z)).sum();
        loss + 0.5 * self.strength * point[..self.width].iter().map(|w| w * w).sum::<f64>()
    }

    /// Gradient, and the lower half of the curvature.
    fn slopes(&self, point: &[f64], logits: &[f64]) -> (Vec<f64>, Mat<f64>) {
        let size = self.width + 1;
        let mut gradient: Vec<f64> = point.iter().map(|w| self.strength * w).collect();
        gradient[self.width] = 0.0;
        let mut curvature = vec![0.0; size * size];
        for (number, features) in self.features.chunks(ROWS * self.width).enumerate() {
            let rows = number * ROWS..(number * ROWS + features.len() / self.width);
            let count = rows.len();
            let (mut wide, mut weighted) = (Vec::with_capacity(count * size), Vec::with_capacity(count * size));
            for (row, at) in features.chunks_exact(self.width).zip(rows) {
                let (p, a, b) = (1.0 / (1.0 + (-logits[at]).exp()), self.abnormal[at], self.normal[at]);
                let (slope, bend) = (b * p - a * (1.0 - p), (a + b) * p * (1.0 - p));
                let values = row.iter().map(|&x| f64::from(x)).chain([1.0]);
                for (value, gradient) in values.zip(&mut gradient) {
                    *gradient += slope * value;
                    wide.push(value);
                    weighted.push(bend * value);
                }
            }
            let all = MatRef::from_row_major_slice(&wide, count, size);
            let weighted = MatRef::from_row_major_slice(&weighted, count, size);
            add_lower_half(&mut curvature, size, all, weighted);
        }
        let mut curvature = MatRef::from_column_major_slice(&curvature, size, size).to_owned();
        for channel in 0..self.width {
            curvature[(channel, channel)] += self.strength;
        }
        (gradient, curvature)
    }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_method::streams::normal;

    use super::*;

    #[test]
    fn at_the_minimum_the_gradient_is_zero_and_threads_do_not_show() {
        let (rows, width, strength) = (2500, 150, 0.01);
        let features = normal("features", 3, rows * width, 0.0, 1.0);
        let labels: Vec<f32> = features.chunks_exact(width).map(|row| 1.0 / (1.0 + (-row[0] - row[1]).exp())).collect();
        let found = logistic(&features, &labels, width, strength).unwrap();
        let z = found.logits(&features);
        let (positive, total) = (labels.iter().map(|&y| f64::from(y)).sum::<f64>(), rows as f64);
        let slope = |row: usize| {
            let (p, y) = (1.0 / (1.0 + f64::from(-z[row]).exp()), f64::from(labels[row]));
            (1.0 - y) / (2.0 * (total - positive)) * p - y / (2.0 * positive) * (1.0 - p)
        };
        for channel in 0..width {
            let sum: f64 = (0..rows).map(|row| slope(row) * f64::from(features[row * width + channel])).sum();
            assert!((sum + strength * f64::from(found.weight[channel])).abs() < 1e-6, "{channel}: {sum}");
        }
        assert!((0..rows).map(slope).sum::<f64>().abs() < 1e-6);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| logistic(&features, &labels, width, strength)).unwrap(), found);
    }

    #[test]
    fn one_class_alone_is_refused_by_name() {
        let error = logistic(&[1.0, 2.0], &[0.0, 0.0], 1, 0.1).unwrap_err().to_string();
        assert!(error.contains("no abnormal image"), "{error}");
        assert!(logistic(&[1.0, 2.0], &[1.0, 1.0], 1, 0.1).is_err());
        assert!(logistic(&[f32::NAN, 2.0], &[0.0, 1.0], 1, 0.1).is_err());
    }
}
