//! DeLong's test for the difference of two image AUROCs on the same images, by the algorithm of Sun and Xu. It
//! compares two trainings; several draws and seeds need the bootstrap.

use crate::error::Error;
use crate::image::auroc;
use crate::normal::two_sided;
use crate::ranked::{Ranked, RankedImage};

/// Two image AUROCs on the same images, compared.
///
/// E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44 (1988), p. 837; X. Sun, W. Xu, IEEE Signal Processing Letters
/// 21 (2014), p. 1389. It looks at the images of one training each: neither draws nor seeds, nor patients, are in its
/// variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeLong {
    /// The AUROCs.
    pub aurocs: [f64; 2],
    /// Their variances.
    pub variances: [f64; 2],
    /// Their covariance.
    pub covariance: f64,
    /// The difference (first less second) over its standard error; 0 for equal AUROCs. `None` where the difference has
    /// no variance, as between an AUROC of 0 and one of 1.
    pub z: Option<f64>,
    /// The two-sided p of no difference, from the normal distribution; `None` with `z`.
    pub p: Option<f64>,
}

/// Compares the AUROCs of two scores of the same images, ties counting half. `labels` are true for abnormal images;
/// scores are f32 or f64. Takes as long as sorting does.
///
/// # Errors
/// As [`crate::auroc`]; fewer than two images of a class.
pub fn delong<T: Copy + Into<f64>>(labels: &[bool], first: &[T], second: &[T]) -> Result<DeLong, Error> {
    let placements = [Placements::new(labels, first)?, Placements::new(labels, second)?];
    let covariance = |a: usize, b: usize| {
        let of_class = |class: usize| sample_covariance(&placements[a].of_class[class], &placements[b].of_class[class]);
        of_class(0) + of_class(1)
    };
    let aurocs = [auroc(labels, first)?, auroc(labels, second)?];
    let (variances, between) = ([covariance(0, 0), covariance(1, 1)], covariance(0, 1));
    let difference = aurocs[0] - aurocs[1];
    // Of the differences themselves, as three near equal sums cancel for like scores.
    let variance: f64 = [0, 1].map(|class| placements[0].variance_of_difference(&placements[1], class)).iter().sum();
    let z = match (difference == 0.0, variance > 0.0) {
        (true, _) => Some(0.0),
        (false, true) => Some(difference / variance.sqrt()),
        (false, false) => None,
    };
    let p = z.map(two_sided);
    Ok(DeLong { aurocs, variances, covariance: between, z, p })
}

/// For each image, the share of images of the other class that it is on the right side of, ties counting half.
struct Placements {
    /// Of normal images, then of abnormal ones, each in test order.
    of_class: [Vec<f64>; 2],
}

impl Placements {
    fn new<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Self, Error> {
        let ranked = Ranked::new(labels, scores)?;
        for (found, what) in [(ranked.normal, "normal images"), (ranked.abnormal, "abnormal images")] {
            if found < 2 {
                return Err(Error::TooFew { what, found: found as usize, needed: 2 });
            }
        }
        let (normal, abnormal) = (ranked.normal as f64, ranked.abnormal as f64);
        let mut placements = vec![0.0; labels.len()];
        let (mut normal_above, mut abnormal_above) = (0.0, 0.0);
        for ties in ranked.ties() {
            let abnormal_tied = ties.iter().filter(|image| image.abnormal).count() as f64;
            let normal_tied = ties.len() as f64 - abnormal_tied;
            for &RankedImage { image, abnormal: is_abnormal, .. } in ties {
                placements[image as usize] = if is_abnormal {
                    (normal - normal_above - normal_tied / 2.0) / normal
                } else {
                    (abnormal_above + abnormal_tied / 2.0) / abnormal
                };
            }
            normal_above += normal_tied;
            abnormal_above += abnormal_tied;
        }
        let of_class = [false, true].map(|class| {
            placements
                .iter()
                .zip(labels)
                .filter(|(_, label)| **label == class)
                .map(|(placement, _)| *placement)
                .collect()
        });
        Ok(Self { of_class })
    }

    fn variance_of_difference(&self, other: &Self, class: usize) -> f64 {
        let pairs = self.of_class[class].iter().zip(&other.of_class[class]);
        let differences: Vec<f64> = pairs.map(|(a, b)| a - b).collect();
        sample_covariance(&differences, &differences)
    }
}

/// The covariance of the means of two lists.
fn sample_covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    sum / (a.len() - 1) as f64 / a.len() as f64
}

/// Exact for equal values, so that these have a variance of 0.
fn mean(values: &[f64]) -> f64 {
    let first = values.first().copied().unwrap_or(0.0);
    first + values.iter().map(|value| value - first).sum::<f64>() / values.len() as f64
}
