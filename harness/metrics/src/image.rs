//! Metrics over images: a label and a score each. Pixels are in `pixel`.

use crate::error::Error;
use crate::sweep::{Step, Sweep};

/// The three metrics over images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageMetrics {
    /// `image_auroc`.
    pub auroc: f64,
    /// `image_ap`.
    pub ap: f64,
    /// `image_f1_max`.
    pub f1_max: f64,
}

impl ImageMetrics {
    /// All three of them.
    ///
    /// # Errors
    /// As [`auroc`].
    pub fn compute<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Self, Error> {
        let ranked = Ranked::new(labels, scores)?;
        let mut sweep = Sweep::new(ranked.normal, ranked.abnormal);
        let mut normal_between = 0;
        for group in ranked.groups() {
            let (normal_tied, abnormal) = (group.normal, group.abnormal);
            if abnormal == 0 {
                normal_between += normal_tied;
            } else {
                sweep.push(Step { normal_between, normal_tied, abnormal, weight: 0.0 });
                normal_between = 0;
            }
        }
        Ok(Self { auroc: sweep.auroc(), ap: sweep.average_precision(), f1_max: sweep.f1_max() })
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

/// The receiver operating characteristic of image scores, from (0, 0) to (1, 1): one point for each distinct score, none
/// dropped.
///
/// # Errors
/// As [`auroc`].
pub fn roc_curve<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Vec<RocPoint>, Error> {
    let ranked = Ranked::new(labels, scores)?;
    let mut points = vec![RocPoint { false_positive_rate: 0.0, true_positive_rate: 0.0, threshold: f64::INFINITY }];
    let (mut normal, mut abnormal) = (0, 0);
    for group in ranked.groups() {
        normal += group.normal;
        abnormal += group.abnormal;
        points.push(RocPoint {
            false_positive_rate: normal as f64 / ranked.normal as f64,
            true_positive_rate: abnormal as f64 / ranked.abnormal as f64,
            threshold: group.score,
        });
    }
    Ok(points)
}

/// Checked scores, highest first.
struct Ranked {
    items: Vec<(f64, bool)>,
    normal: u64,
    abnormal: u64,
}

/// The images of one distinct score.
struct Group {
    score: f64,
    normal: u64,
    abnormal: u64,
}

impl Ranked {
    fn new<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Self, Error> {
        if labels.len() != scores.len() {
            let why = "one score for each label";
            return Err(Error::Length { what: "image scores", found: scores.len(), expected: labels.len(), why });
        }
        if labels.is_empty() {
            return Err(Error::Empty { what: "images" });
        }
        let mut items: Vec<(f64, bool)> =
            scores.iter().map(|&score| score.into()).zip(labels.iter().copied()).collect();
        if let Some(image) = items.iter().position(|(score, _)| !score.is_finite()) {
            return Err(Error::Score { image, score: items[image].0 });
        }
        let abnormal = labels.iter().filter(|abnormal| **abnormal).count() as u64;
        let normal = labels.len() as u64 - abnormal;
        if normal == 0 || abnormal == 0 {
            return Err(Error::OneClass { what: "images", normal, abnormal });
        }
        items.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Self { items, normal, abnormal })
    }

    /// Distinct scores, highest first. Comparison by `==` makes 0.0 and -0.0 one score.
    fn groups(&self) -> impl Iterator<Item = Group> {
        self.items.chunk_by(|a, b| a.0 == b.0).map(|tied| {
            let abnormal = tied.iter().filter(|(_, abnormal)| *abnormal).count() as u64;
            Group { score: tied[0].0, normal: tied.len() as u64 - abnormal, abnormal }
        })
    }
}
