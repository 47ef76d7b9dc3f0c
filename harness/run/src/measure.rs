//! From an evaluation's predictions to metrics, and the choice of the epoch that a rule reports (docs/method.md section 8). The one
//! place in a run that reads labels and masks; it needs no backend, so metrics can be made anew from stored predictions.

use std::path::Path;

use harness_experiment::ImageScore;
use harness_metrics::{ImageMetrics, PixelHistograms, PixelMetrics, per_image_ap};
use harness_tables::{ScoreRow, read_scores};
use serde::{Deserialize, Serialize};

use crate::error::Error;
pub(crate) use crate::grids::Grids;
use crate::records::{EvaluationRecord, FORMAT};
pub use crate::replicates::ReplicateSet;
pub(crate) use crate::replicates::{ReplicateIndex, Stored};
pub use crate::truth::Truth;

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Of this file.
    pub format: u32,
    /// [`Truth::hash`]: with another truth it is made anew.
    pub truth: String,
    /// What rules choose by: every epoch that was scored.
    pub epochs: Vec<EpochValues>,
    /// All metrics of the epochs that some rule reports.
    pub reported: Vec<Reported>,
}

/// What rules choose an epoch by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochValues {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Image AUROC by `map-max`; absent without maps.
    pub map_max: Option<f64>,
    /// Image AUROC by `detection`.
    pub detection: f64,
    /// Pixel AUROC; absent without masks.
    pub pixel_auroc: Option<f64>,
}

/// All metrics of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Image metrics by `map-max`; absent without maps.
    pub map_max: Option<ImageValues>,
    /// Image metrics by `detection`.
    pub detection: ImageValues,
    /// Pixel metrics; absent without masks.
    pub pixel: Option<PixelValues>,
    /// Pixel AP of each image by itself, in test order; absent for images without lesion. Empty without masks.
    pub image_pixel_ap: Vec<Option<f64>>,
}

/// Metrics over images, fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageValues {
    /// `image_auroc`.
    pub image_auroc: f64,
    /// `image_ap`.
    pub image_ap: f64,
    /// `image_f1_max`.
    pub image_f1_max: f64,
}

/// Metrics over pixels, fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelValues {
    /// `pixel_auroc`.
    pub pixel_auroc: f64,
    /// `pixel_ap`.
    pub pixel_ap: f64,
    /// `pixel_f1_max`.
    pub pixel_f1_max: f64,
    /// `pro_0_3`.
    pub pro_0_3: f64,
}

impl Measured {
    /// All metrics of an epoch that some rule reports.
    pub fn reported(&self, epoch: u32) -> Option<&Reported> {
        self.reported.iter().find(|reported| reported.epoch == epoch)
    }

    /// The last epoch that was scored.
    pub fn last(&self) -> Option<u32> {
        self.epochs.last().map(|epoch| epoch.epoch)
    }
}

impl EpochValues {
    fn auroc(&self, score: ImageScore) -> Option<f64> {
        match score {
            ImageScore::MapMax => self.map_max,
            ImageScore::Detection => Some(self.detection),
        }
    }
}

impl Reported {
    /// Image metrics by a score; `None` where it is not defined.
    pub fn image(&self, score: ImageScore) -> Option<ImageValues> {
        match score {
            ImageScore::MapMax => self.map_max,
            ImageScore::Detection => Some(self.detection),
        }
    }
}

/// The epoch with the highest mean over `choosers` of image AUROC by `score` plus pixel AUROC, image AUROC alone without
/// masks; the earliest of equals. `None` without choosers, or where one of them has not the score.
pub fn best_epoch(choosers: &[&Measured], score: ImageScore) -> Option<u32> {
    let first = choosers.first()?;
    let mut best: Option<(f64, u32)> = None;
    for (place, epoch) in first.epochs.iter().enumerate() {
        let mut sum = 0.0;
        for chooser in choosers {
            let values = chooser.epochs.get(place).filter(|values| values.epoch == epoch.epoch)?;
            sum += values.auroc(score)? + values.pixel_auroc.unwrap_or(0.0);
        }
        let mean = sum / choosers.len() as f64;
        // Strictly better: of equals the earliest stays.
        if best.is_none_or(|(most, _)| mean > most) {
            best = Some((mean, epoch.epoch));
        }
    }
    best.map(|(_, epoch)| epoch)
}

/// The score of a row, where it is defined.
pub(crate) fn score_of(row: &ScoreRow, score: ImageScore) -> Option<f64> {
    match score {
        ImageScore::MapMax => row.map_max,
        ImageScore::Detection => row.detection,
    }
}

/// What an evaluation's predictions come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// `metrics.json`.
    pub measured: Measured,
    /// `replicates.bin`; `None` for a fold, which only chooses.
    pub replicates: Option<ReplicateSet>,
}

/// Metrics of the predictions in an evaluation's `folder`, and what they would have been on resampled test sets.
///
/// # Errors
/// Files that can't be read or don't fit each other; metrics that have no value.
pub fn measure(folder: &Path, record: &EvaluationRecord, truth: &Truth) -> Result<Measurement, Error> {
    let rows = read_scores(&folder.join("scores.parquet"))?;
    let count = truth.labels.len();
    if rows.len() != record.epochs.len() * count || count == 0 {
        let what = format!("{} rows for {count} images and {} epochs", rows.len(), record.epochs.len());
        return Err(Error::record(&folder.join("scores.parquet"), what));
    }
    let mut grids = Grids::open(folder, record)?;
    let mut measured = Measured { format: FORMAT, truth: truth.hash.clone(), epochs: Vec::new(), reported: Vec::new() };
    for (&epoch, rows) in record.epochs.iter().zip(rows.chunks_exact(count)) {
        let image = |score| image_values(&truth.labels, rows, score);
        let detection = image(ImageScore::Detection)?.map(|values| values.image_auroc);
        let Some(detection) = detection else {
            return Err(Error::record(&folder.join("scores.parquet"), "an image has no detection score"));
        };
        let map_max = image(ImageScore::MapMax)?.map(|values| values.image_auroc);
        let pixel_auroc = match (&truth.pixels, &mut grids) {
            (Some(pixels), Some(grids)) => Some(PixelMetrics::auroc_only(pixels, &grids.read(epoch)?.maps(record)?)?),
            _ => None,
        };
        measured.epochs.push(EpochValues { epoch, map_max, detection, pixel_auroc });
    }
    let mut replicates = ReplicateSet::new(truth);
    for epoch in to_report(record, &measured) {
        let Some(block) = record.epochs.iter().position(|scored| *scored == epoch) else { continue };
        let rows = &rows[block * count..][..count];
        let Some(detection) = image_values(&truth.labels, rows, ImageScore::Detection)? else { continue };
        let (mut pixel, mut histograms, mut image_pixel_ap) = (None, None, Vec::new());
        if let (Some(pixels), Some(grids)) = (&truth.pixels, &mut grids) {
            let slab = grids.read(epoch)?;
            let maps = slab.maps(record)?;
            let metrics = match truth.resampling {
                None => PixelMetrics::compute(pixels, &maps)?,
                Some(_) => {
                    let (metrics, made) = PixelMetrics::with_histograms(pixels, &maps, PixelHistograms::BINS)?;
                    histograms = Some(made);
                    metrics
                }
            };
            let PixelMetrics { auroc, ap, f1_max, pro_0_3 } = metrics;
            pixel = Some(PixelValues { pixel_auroc: auroc, pixel_ap: ap, pixel_f1_max: f1_max, pro_0_3 });
            image_pixel_ap = per_image_ap(pixels, &maps)?;
        }
        let scores = |score| rows.iter().map(|row| score_of(row, score)).collect::<Option<Vec<f64>>>();
        replicates.add(truth, epoch, &scores, histograms.as_ref())?;
        measured.reported.push(Reported {
            epoch,
            map_max: image_values(&truth.labels, rows, ImageScore::MapMax)?,
            detection,
            pixel,
            image_pixel_ap,
        });
    }
    Ok(Measurement { measured, replicates: (!record.evaluation.on_fold).then_some(replicates) })
}

/// Epochs that some rule may report of an evaluation: what was chosen before it was made; else its last epoch and those
/// that it would choose itself. Of a fold none: it only chooses.
fn to_report(record: &EvaluationRecord, measured: &Measured) -> Vec<u32> {
    if record.evaluation.on_fold {
        return Vec::new();
    }
    if !record.evaluation.chosen_by.is_empty() {
        return record.epochs.clone();
    }
    let own = ImageScore::ALL.into_iter().filter_map(|score| best_epoch(&[measured], score));
    let mut epochs: Vec<u32> = own.chain(measured.last()).collect();
    epochs.sort_unstable();
    epochs.dedup();
    epochs
}

/// Image metrics by a score; `None` where it is not defined.
fn image_values(labels: &[bool], rows: &[ScoreRow], score: ImageScore) -> Result<Option<ImageValues>, Error> {
    let scores: Option<Vec<f64>> = rows.iter().map(|row| score_of(row, score)).collect();
    let Some(scores) = scores else { return Ok(None) };
    let ImageMetrics { auroc, ap, f1_max } = ImageMetrics::compute(labels, &scores)?;
    Ok(Some(ImageValues { image_auroc: auroc, image_ap: ap, image_f1_max: f1_max }))
}

/// Reads `metrics.json`, if it is there and was made with this truth.
pub(crate) fn read(folder: &Path, truth: Option<&str>) -> Result<Option<Measured>, Error> {
    let measured: Option<Measured> = read_json(&folder.join("metrics.json"))?;
    Ok(measured.filter(|m| m.format == FORMAT && truth.is_none_or(|truth| m.truth == truth)))
}

/// Writes `replicates.bin` and `metrics.json`, each durable or not at all.
pub(crate) fn write(folder: &Path, made: &Measurement) -> Result<(), Error> {
    if let Some(replicates) = &made.replicates {
        replicates.write(folder)?;
    }
    let path = folder.join("metrics.json");
    let mut text = serde_json::to_string_pretty(&made.measured).map_err(|error| Error::record(&path, error))?;
    text.push('\n');
    Ok(harness_disk::write_durable(&path, text.as_bytes())?)
}

/// Removes what was made with another truth, where with the present one nothing can be made.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    for name in ["metrics.json", crate::replicates::NAME] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What an evaluation's folder says it was measured with.
pub(crate) struct MeasuredWith {
    metrics: Option<String>,
    replicates: Option<ReplicateIndex>,
    on_fold: bool,
}

/// The head of `metrics.json`.
#[derive(Deserialize)]
struct Head {
    format: u32,
    truth: String,
}

impl MeasuredWith {
    /// Reads no more than that.
    pub(crate) fn read(folder: &Path, on_fold: bool) -> Result<Self, Error> {
        let head: Option<Head> = read_json(&folder.join("metrics.json"))?;
        let replicates = if on_fold { None } else { ReplicateIndex::open(folder)? };
        Ok(Self { metrics: head.filter(|head| head.format == FORMAT).map(|head| head.truth), replicates, on_fold })
    }

    /// Whether all is there and was made with this truth.
    pub(crate) fn is(&self, truth: &Truth) -> bool {
        self.metrics.as_ref() == Some(&truth.hash)
            && (self.on_fold || self.replicates.as_ref().is_some_and(|index| index.is_of(truth)))
    }
}

/// Reads a file; `None` where there is none.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::record(path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(values: &[(f64, f64)]) -> Measured {
        let epochs = values.iter().enumerate().map(|(epoch, &(image, pixel))| EpochValues {
            epoch: epoch as u32,
            map_max: Some(image),
            detection: 1.0 - image,
            pixel_auroc: Some(pixel),
        });
        Measured { format: FORMAT, truth: String::new(), epochs: epochs.collect(), reported: Vec::new() }
    }

    #[test]
    fn the_earliest_of_equal_sums_is_chosen_for_each_image_score() {
        let measured = measured(&[(0.5, 0.5), (0.75, 0.5), (0.5, 0.75), (0.25, 0.5)]);
        assert_eq!(best_epoch(&[&measured], ImageScore::MapMax), Some(1));
        assert_eq!(best_epoch(&[&measured], ImageScore::Detection), Some(2));
        assert_eq!(measured.last(), Some(3));
    }

    #[test]
    fn several_choosers_choose_by_their_mean() {
        let (one, other) = (measured(&[(0.5, 0.5), (1.0, 0.5)]), measured(&[(1.0, 1.0), (0.5, 0.75)]));
        assert_eq!(best_epoch(&[&one], ImageScore::MapMax), Some(1));
        assert_eq!(best_epoch(&[&one, &other], ImageScore::MapMax), Some(0));
        assert_eq!(best_epoch(&[], ImageScore::MapMax), None);
    }

    #[test]
    fn a_score_that_is_not_defined_chooses_no_epoch() {
        let mut measured = measured(&[(0.5, 0.5)]);
        measured.epochs[0].map_max = None;
        assert_eq!(best_epoch(&[&measured], ImageScore::MapMax), None);
        assert_eq!(best_epoch(&[&measured], ImageScore::Detection), Some(0));
    }
}
