//! Metrics over pixels: all pixels of all test images pooled, and each image by itself.

use rayon::prelude::*;

use crate::bins::EdgeChoice;
use crate::error::Error;
use crate::histograms::PixelHistograms;
use crate::lesions::{LesionScores, lesion_score};
use crate::maps::{MapSource, read_finite};
use crate::sweep::{Overlap, PixelMetrics, Sweep};
use crate::truth::{PixelTruth, check_sizes};

impl PixelMetrics {
    /// All of them, of the maps and masks of the same images in the same order.
    ///
    /// # Errors
    /// Truth and maps that differ in images or pixels; no image; one class alone; a map that can't be read or holds a
    /// value that is not finite (an image with lesions is named before any other, then the first).
    pub fn compute<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<Self, Error> {
        Ok(Self::of(truth, &pooled(truth, maps)?))
    }

    /// All of them, and the histograms that a bootstrap needs, in one more pass over the maps. There are about `bins`
    /// bins ([`PixelHistograms::BINS`] is a good number), fewer where there are not as many scores, up to five times as
    /// many where single scores that many pixels share have bins of their own.
    ///
    /// # Errors
    /// As [`PixelMetrics::compute`]; no bin or more than 10,000.
    pub fn with_histograms<S: MapSource + ?Sized>(
        truth: &PixelTruth,
        maps: &S,
        bins: usize,
    ) -> Result<(Self, PixelHistograms), Error> {
        let largest = 10_000;
        if bins == 0 || bins > largest {
            return Err(Error::Size { what: "the number of bins", found: bins, largest });
        }
        let lesions = pooled(truth, maps)?;
        // At least 1, or no share could be had of it.
        let among_lesions = (truth.normal_pixels() - lesions.normal_below()).max(1);
        let mut edges = EdgeChoice::new(bins, among_lesions, truth.abnormal_pixels());
        lesions.for_each_step(|key, step| edges.push(key, step));
        Ok((Self::of(truth, &lesions), PixelHistograms::compute(truth, maps, &edges.finish())?))
    }

    fn of(truth: &PixelTruth, lesions: &LesionScores) -> Self {
        let mut sweep = Sweep::new(truth.normal_pixels(), truth.abnormal_pixels());
        let mut overlap = Overlap::new(truth.normal_pixels(), truth.regions());
        lesions.for_each_step(|_, step| {
            sweep.push(step);
            overlap.push(step);
        });
        Self::of_sweeps(&sweep, sweep.average_precision(), overlap)
    }

    /// `pixel_auroc` and no more: what `best-on-test` asks after every epoch. The same number as in [`Self::compute`].
    ///
    /// # Errors
    /// As [`PixelMetrics::compute`].
    pub fn auroc_only<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<f64, Error> {
        let lesions = pooled(truth, maps)?;
        let mut sweep = Sweep::new(truth.normal_pixels(), truth.abnormal_pixels());
        lesions.for_each_step(|_, step| sweep.push(step));
        Ok(sweep.auroc())
    }
}

/// The pixel AP of every image by itself, for choosing which images a figure shows. `None` for an image without lesion
/// pixels or without any other.
///
/// # Errors
/// Truth and maps that differ in images or pixels; no image; a map that can't be read or holds a value that is not
/// finite.
pub fn per_image_ap<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<Vec<Option<f64>>, Error> {
    check_sizes(truth, maps)?;
    let ap = |map: &mut Vec<f32>, image| {
        let abnormal = truth.abnormal_of(image);
        if abnormal == 0 || abnormal == truth.pixels() {
            return Ok(None);
        }
        read_finite(maps, image, map)?;
        let mut scores = vec![0; abnormal];
        gather(truth, image, map, &mut scores);
        let lesions = LesionScores::new(scores);
        let mut counter = lesions.counter();
        truth.normal_stretches(image, map).for_each(|stretch| counter.count(stretch));
        counter.finish();
        let mut sweep = Sweep::new((truth.pixels() - abnormal) as u64, abnormal as u64);
        lesions.for_each_step(|_, step| sweep.push(step));
        Ok(Some(sweep.average_precision()))
    };
    let aps: Vec<Result<Option<f64>, Error>> =
        (0..truth.images()).into_par_iter().map_init(|| vec![0.0; truth.pixels()], ap).collect();
    aps.into_iter().collect()
}

/// Scores of all lesion pixels, with all normal pixels counted.
fn pooled<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<LesionScores, Error> {
    check_sizes(truth, maps)?;
    let (normal, abnormal) = (truth.normal_pixels(), truth.abnormal_pixels());
    if normal == 0 || abnormal == 0 {
        return Err(Error::OneClass { what: "pixels", normal, abnormal });
    }
    let lesions = LesionScores::new(lesion_scores(truth, maps)?);
    // Parts of many images, as each begins with empty queues and ends by emptying them. Of several errors the first
    // part's is returned, and in a part the first image's.
    let part = truth.images().div_ceil(8 * rayon::current_num_threads());
    let begin = || (vec![0.0; truth.pixels()], lesions.counter());
    let failed = (0..truth.images())
        .into_par_iter()
        .with_min_len(part)
        .try_fold(begin, |(mut map, mut counter), image| {
            read_finite(maps, image, &mut map)?;
            truth.normal_stretches(image, &map).for_each(|stretch| counter.count(stretch));
            Ok((map, counter))
        })
        .map(|counted| counted.map(|(_, counter)| counter.finish()))
        .find_first(Result::is_err);
    failed.unwrap_or(Ok(()))?;
    Ok(lesions)
}

/// The scores of all lesion pixels, in order of images.
fn lesion_scores<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<Vec<u64>, Error> {
    let total = usize::try_from(truth.abnormal_pixels()).unwrap_or(usize::MAX);
    let mut scores = vec![0; total];
    let mut rest = scores.as_mut_slice();
    let mut places = Vec::new();
    for image in 0..truth.images() {
        let (place, after) = std::mem::take(&mut rest).split_at_mut(truth.abnormal_of(image));
        rest = after;
        if !place.is_empty() {
            places.push((image, place));
        }
    }
    let failed = places
        .into_par_iter()
        .map_init(
            || vec![0.0; truth.pixels()],
            |map, (image, place)| {
                read_finite(maps, image, map)?;
                gather(truth, image, map, place);
                Ok(())
            },
        )
        .find_first(Result::is_err);
    failed.unwrap_or(Ok(()))?;
    Ok(scores)
}

/// Writes the scores of one image's lesion pixels, as many as `scores` holds.
fn gather(truth: &PixelTruth, image: usize, map: &[f32], scores: &mut [u64]) {
    let lesions = truth.runs_of(image).iter().flat_map(|run| {
        let values = &map[run.start as usize..run.end as usize];
        values.iter().map(|&value| lesion_score(value, run.region_size))
    });
    for (place, score) in scores.iter_mut().zip(lesions) {
        *place = score;
    }
}
