//! Pixel metrics of weighted images, from histograms.

use crate::bins::single_scores;
use crate::error::Error;
use crate::histograms::{PixelHistograms, SparseCounts};
use crate::sweep::{Overlap, PixelMetrics, Step, Sweep};

/// Resamples that are summed in one pass over the histograms.
pub(super) const LANES: usize = 16;

/// Weights of one image in [`LANES`] resamples.
pub(super) type Weights = [u32; LANES];

/// Sums of a bin in [`LANES`] resamples. Counts are whole numbers far below 2^53, so their sums are exact.
type Sums = [f64; LANES];

/// The metrics of [`LANES`] resamples at once, with weights given image by image.
///
/// # Errors
/// A resample with pixels of one class alone.
pub(super) fn weighted(histograms: &PixelHistograms, weights: &[Weights]) -> Result<[PixelMetrics; LANES], Error> {
    let parts = histograms.parts();
    let (mut normal, mut lesion, mut overlap) = (
        vec![[0.0; LANES]; histograms.bins()],
        vec![[0.0; LANES]; histograms.bins()],
        vec![[0.0; LANES]; histograms.bins()],
    );
    let mut regions = [0.0; LANES];
    for (image, weights) in weights.iter().enumerate() {
        let weights = weights.map(f64::from);
        add(&mut normal, &parts.normal, image, &weights);
        add(&mut lesion, &parts.lesion, image, &weights);
        for entry in parts.lesion.entries(image) {
            let sums = &mut overlap[usize::from(parts.lesion.bins[entry])];
            add_scaled(sums, &weights, f64::from(parts.overlap[entry]));
        }
        add_scaled(&mut regions, &weights, f64::from(parts.regions[image]));
    }
    let single = single_scores(&parts.edges);
    let mut metrics = [PixelMetrics::default(); LANES];
    for (lane, metrics) in metrics.iter_mut().enumerate() {
        let bins = (0..histograms.bins()).rev().map(|bin| Bin {
            normal: normal[bin][lane] as u64,
            lesion: lesion[bin][lane] as u64,
            overlap: overlap[bin][lane],
            single_score: single[bin],
        });
        *metrics = of_bins(bins, regions[lane] as u64)?;
    }
    Ok(metrics)
}

fn add(sums: &mut [Sums], counts: &SparseCounts, image: usize, weights: &Sums) {
    let entries = counts.entries(image);
    for (bin, count) in counts.bins[entries.clone()].iter().zip(&counts.counts[entries]) {
        add_scaled(&mut sums[usize::from(*bin)], weights, f64::from(*count));
    }
}

#[inline(always)]
fn add_scaled(sums: &mut Sums, weights: &Sums, factor: f64) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight * factor;
    }
}

/// A bin of one resample.
struct Bin {
    normal: u64,
    lesion: u64,
    overlap: f64,
    /// Whether all of its pixels have the same score.
    single_score: bool,
}

/// The metrics of bins from the highest one down.
fn of_bins(bins: impl Iterator<Item = Bin> + Clone, regions: u64) -> Result<PixelMetrics, Error> {
    let (normal, abnormal) = bins.clone().fold((0, 0), |sum, bin| (sum.0 + bin.normal, sum.1 + bin.lesion));
    if normal == 0 || abnormal == 0 || regions == 0 {
        return Err(Error::OneClass { what: "pixels of a resample", normal, abnormal });
    }
    let mut sweep = Sweep::new(normal, abnormal);
    let mut overlap = Overlap::new(normal, regions);
    let mut precision = 0.0;
    let (mut normal_between, mut positives, mut true_positives) = (0, 0.0, 0.0);
    for bin in bins {
        if bin.lesion == 0 {
            normal_between += bin.normal;
            continue;
        }
        let step = Step { normal_between, normal_tied: bin.normal, abnormal: bin.lesion, weight: bin.overlap };
        sweep.push(step);
        overlap.push(step);
        let (tied, found) = ((bin.normal + bin.lesion) as f64, bin.lesion as f64);
        positives += normal_between as f64;
        precision += if bin.single_score {
            found * (true_positives + found) / (positives + tied)
        } else {
            mixed_precision(true_positives, positives, found, tied)
        };
        positives += tied;
        true_positives += found;
        normal_between = 0;
    }
    Ok(PixelMetrics::of_sweeps(&sweep, precision / abnormal as f64, overlap))
}

/// The precision at each of `abnormal` pixels, summed, where they come evenly mixed into `all` pixels, after
/// `positives` pixels of which `true_positives` are abnormal: the integral of abnormal (tp + t abnormal) / (p + t all)
/// over t from 0 to 1.
fn mixed_precision(true_positives: f64, positives: f64, abnormal: f64, all: f64) -> f64 {
    if positives == 0.0 {
        return abnormal * abnormal / all;
    }
    let (share, ratio) = (abnormal / all, all / positives);
    // ln(1 + ratio) / ratio, by its series where the quotient would lose digits.
    let log = if ratio < 1e-5 { 1.0 - ratio / 2.0 + ratio * ratio / 3.0 } else { libm::log1p(ratio) / ratio };
    abnormal * (share + (true_positives / positives - share) * log)
}

#[cfg(test)]
mod tests {
    use super::mixed_precision;

    #[test]
    fn mixed_precision_is_the_integral() {
        let cases = [
            (0.0, 0.0, 5.0, 8.0),
            (10.0, 12.0, 7.0, 97.0),
            (4.0, 4.0, 8.0, 8.0),
            (1e6, 3e6, 9.0, 13.0),
            (0.0, 100.0, 1.0, 2.0),
        ];
        for (tp, positives, abnormal, all) in cases {
            let steps = 200_000;
            let at = |i: i32| (f64::from(i) + 0.5) / f64::from(steps);
            let value = |t: f64| abnormal * (tp + t * abnormal) / (positives + t * all);
            let expected = (0..steps).map(|i| value(at(i))).sum::<f64>() / f64::from(steps);
            let found = mixed_precision(tp, positives, abnormal, all);
            assert!((found - expected).abs() < 1e-6 * expected, "{found} for {expected}");
        }
    }
}
