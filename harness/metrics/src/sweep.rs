//! The sweep of a threshold from the highest score down, shared by images and pixels: counts in, metrics out.
//!
//! Between two distinct scores of abnormal items nothing happens to any metric but that false positives accumulate:
//! AUROC and PRO are flat there, the step sum of AP has no step, and F1 only falls. So a sweep needs one step for each
//! distinct abnormal score, however many distinct normal scores there are.

use crate::metric::Metric;

/// The largest false-positive rate that PRO looks at.
pub(crate) const PRO_LIMIT: f64 = 0.3;

/// One distinct score of abnormal items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Normal items that score less than the step before and more than this one.
    pub(crate) normal_between: u64,
    /// Normal items with this very score.
    pub(crate) normal_tied: u64,
    /// Abnormal items with this score, at least one.
    pub(crate) abnormal: u64,
    /// Their weight for PRO: the sum of 1 / (size of the region).
    pub(crate) weight: f64,
}

/// AUROC, AP and F1-max, fed from the highest score down.
#[derive(Debug)]
pub(crate) struct Sweep {
    normal: u64,
    abnormal: u64,
    false_positives: u64,
    true_positives: u64,
    /// Twice the number of (abnormal, normal) pairs in the right order, a tie counting half.
    ordered_pairs: u128,
    precision_sum: f64,
    f1_max: f64,
}

impl Sweep {
    /// A sweep over so many items of both classes; neither may be 0.
    pub(crate) fn new(normal: u64, abnormal: u64) -> Self {
        let (false_positives, true_positives, ordered_pairs, precision_sum, f1_max) = (0, 0, 0, 0.0, 0.0);
        Self { normal, abnormal, false_positives, true_positives, ordered_pairs, precision_sum, f1_max }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.false_positives += step.normal_between + step.normal_tied;
        self.true_positives += step.abnormal;
        let below = self.normal - self.false_positives;
        self.ordered_pairs += u128::from(step.abnormal) * u128::from(2 * below + step.normal_tied);
        let positives = (self.true_positives + self.false_positives) as f64;
        let true_positives = self.true_positives as f64;
        self.precision_sum += step.abnormal as f64 * (true_positives / positives);
        // 2 P R / (P + R) with P = tp / positives and R = tp / abnormal.
        self.f1_max = self.f1_max.max(2.0 * true_positives / (positives + self.abnormal as f64));
    }

    pub(crate) fn auroc(&self) -> f64 {
        self.ordered_pairs as f64 / (2.0 * self.normal as f64 * self.abnormal as f64)
    }

    pub(crate) fn average_precision(&self) -> f64 {
        self.precision_sum / self.abnormal as f64
    }

    pub(crate) fn f1_max(&self) -> f64 {
        self.f1_max
    }
}

/// Area under the per-region overlap, fed from the highest score down.
#[derive(Debug)]
pub(crate) struct Overlap {
    normal: u64,
    regions: u64,
    false_positives: u64,
    /// Sum over regions of their covered share.
    covered: f64,
    /// In units of normal pixels times regions.
    area: f64,
}

impl Overlap {
    /// A sweep over so many normal pixels and regions; neither may be 0.
    pub(crate) fn new(normal: u64, regions: u64) -> Self {
        Self { normal, regions, false_positives: 0, covered: 0.0, area: 0.0 }
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.advance(step.normal_between, 0.0);
        self.advance(step.normal_tied, step.weight);
    }

    /// The area from 0 to the limit, divided by the limit. What lies below the last step is flat.
    pub(crate) fn finish(mut self) -> f64 {
        self.advance(self.normal - self.false_positives, 0.0);
        self.area / (PRO_LIMIT * self.normal as f64 * self.regions as f64)
    }

    /// A trapezoid, cut at the limit.
    fn advance(&mut self, normal: u64, weight: f64) {
        let room = PRO_LIMIT * self.normal as f64 - self.false_positives as f64;
        if normal > 0 && room > 0.0 {
            let width = normal as f64;
            let within = room.min(width);
            self.area += within * (self.covered + weight * (within / width) / 2.0);
        }
        self.false_positives += normal;
        self.covered += weight;
    }
}

/// The metrics over images.
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
    /// Those of a sweep that is over.
    pub(crate) fn of(sweep: &Sweep) -> Self {
        Self { auroc: sweep.auroc(), ap: sweep.average_precision(), f1_max: sweep.f1_max() }
    }

    /// The value of one metric; `None` of one over pixels.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::ImageAuroc => Some(self.auroc),
            Metric::ImageAp => Some(self.ap),
            Metric::ImageF1Max => Some(self.f1_max),
            _ => None,
        }
    }
}

/// The metrics over pooled pixels.
///
/// Exact, with ties, in two passes over the maps: the first reads the maps of images with lesions, the second all of
/// them. 214 million pixels of 3,715 images take seconds and a few hundred megabytes at most (28 bytes a lesion pixel);
/// the example `scale` measures it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PixelMetrics {
    /// `pixel_auroc`.
    pub auroc: f64,
    /// `pixel_ap`.
    pub ap: f64,
    /// `pixel_f1_max`.
    pub f1_max: f64,
    /// `pro_0_3`: the area under the mean over regions of their covered share, against the share of all normal pixels,
    /// up to a share of 0.3 and divided by it.
    pub pro_0_3: f64,
}

impl PixelMetrics {
    /// Those of sweeps that are over. The average precision is the caller's: binned scores have another sum.
    pub(crate) fn of_sweeps(sweep: &Sweep, average_precision: f64, overlap: Overlap) -> Self {
        Self { auroc: sweep.auroc(), ap: average_precision, f1_max: sweep.f1_max(), pro_0_3: overlap.finish() }
    }

    /// The value of one metric; `None` of one over images.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::PixelAuroc => Some(self.auroc),
            Metric::PixelAp => Some(self.ap),
            Metric::PixelF1Max => Some(self.f1_max),
            Metric::Pro03 => Some(self.pro_0_3),
            _ => None,
        }
    }
}
