//! Image metrics of weighted images: sorted once, counted as often as there are resamples.

use crate::ranked::{Ranked, RankedImage};
use crate::sweep::{ImageMetrics, Step, Sweep};

/// The metrics where every image counts `weights[image]` times; both classes must have some weight.
pub(super) fn weighted(ranked: &Ranked, weights: &[u32]) -> ImageMetrics {
    let weight = |image: &RankedImage| u64::from(weights[image.image as usize]);
    let mut of_class = [0; 2];
    for image in &ranked.images {
        of_class[usize::from(image.abnormal)] += weight(image);
    }
    let mut sweep = Sweep::new(of_class[0], of_class[1]);
    let mut normal_between = 0;
    for ties in ranked.ties() {
        let mut tied = [0; 2];
        for image in ties {
            tied[usize::from(image.abnormal)] += weight(image);
        }
        let [normal_tied, abnormal] = tied;
        if abnormal == 0 {
            normal_between += normal_tied;
        } else {
            sweep.push(Step { normal_between, normal_tied, abnormal, weight: 0.0 });
            normal_between = 0;
        }
    }
    ImageMetrics::of(&sweep)
}
