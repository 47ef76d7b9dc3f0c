//! Metrics over images, each with a label and a score.

use crate::error::Error;
use crate::ranked::{Ranked, RankedImage};
use crate::sweep::{ImageMetrics, Step, Sweep};

impl ImageMetrics {
    /// All of them.
    ///
    /// # Errors
    /// As [`auroc`].
    pub fn compute<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Self, Error> {
        let ranked = Ranked::new(labels, scores)?;
        let mut sweep = Sweep::new(ranked.normal, ranked.abnormal);
        let mut normal_between = 0;
        for ties in ranked.ties() {
            let (normal_tied, abnormal) = counts(ties);
            if abnormal == 0 {
                normal_between += normal_tied;
            } else {
                sweep.push(Step { normal_between, normal_tied, abnormal, weight: 0.0 });
                normal_between = 0;
            }
        }
        Ok(Self::of(&sweep))
    }
}

/// Area under the receiver operating characteristic of image scores, ties counting half. `labels` are true for abnormal
/// images; `scores` are f32 or f64, higher for more abnormal. Exact up to one rounding.
///
/// # Errors
/// Lists that are empty or differ in length, a score that is not finite, one class alone.
pub fn auroc<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<f64, Error> {
    Ok(ImageMetrics::compute(labels, scores)?.auroc)
}

/// Average precision of image scores: the sum over distinct thresholds of (recall gained) x (precision there), not a
/// trapezoid.
///
/// # Errors
/// As [`auroc`].
pub fn average_precision<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<f64, Error> {
    Ok(ImageMetrics::compute(labels, scores)?.ap)
}

/// The largest F1 of the abnormal class over all distinct thresholds on image scores.
///
/// # Errors
/// As [`auroc`].
pub fn f1_max<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<f64, Error> {
    Ok(ImageMetrics::compute(labels, scores)?.f1_max)
}

/// A point of a receiver operating characteristic: what calling everything from `threshold` up abnormal would give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// Share of normal images at or above the threshold.
    pub false_positive_rate: f64,
    /// Share of abnormal images at or above the threshold.
    pub true_positive_rate: f64,
    /// The threshold; infinite for the first point, where nothing is called abnormal.
    pub threshold: f64,
}

/// The receiver operating characteristic of image scores, from (0, 0) to (1, 1): one point for each distinct score,
/// none dropped.
///
/// # Errors
/// As [`auroc`].
pub fn roc_curve<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Vec<RocPoint>, Error> {
    let ranked = Ranked::new(labels, scores)?;
    let mut points = vec![RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0, threshold: f64::INFINITY }];
    let (mut normal, mut abnormal) = (0, 0);
    for ties in ranked.ties() {
        let (normal_tied, abnormal_tied) = counts(ties);
        normal += normal_tied;
        abnormal += abnormal_tied;
        points.push(RocPoint {
            false_positive_rate: normal as f64 / ranked.normal as f64,
            true_positive_rate: abnormal as f64 / ranked.abnormal as f64,
            threshold: ties[0].score,
        });
    }
    Ok(points)
}

/// Normal and abnormal images.
fn counts(images: &[RankedImage]) -> (u64, u64) {
    let abnormal = images.iter().filter(|image| image.abnormal).count();
    ((images.len() - abnormal) as u64, abnormal as u64)
}
