//! From an evaluation's predictions to metrics (docs/method.md section 8). The one place in a run that reads labels and
//! masks; it needs no backend, so metrics can be made again from stored predictions.

use std::path::Path;

use harness_experiment::ImageScore;
use harness_metrics::{ImageMetrics, Metric, PixelHistograms, PixelMetrics, per_image_ap};
use harness_records::contents;
use harness_records::{EpochMetrics, EvaluationRecord, Grids, Measured, Measurement, ReplicateSet, best_epoch};
use harness_tables::{ScoreRow, read_scores, write_scores};

use crate::error::Error;
use crate::order::ScoredImages;
pub use crate::truth::Truth;

/// Name of the table of scores.
pub(crate) const SCORES: &str = "scores.parquet";

/// Metrics of the predictions in an evaluation's `folder`, and what they would have been on resampled test sets.
///
/// # Errors
/// Metrics that have no value; else predictions that can't be read or don't fit each other.
pub fn measure(folder: &Path, record: &EvaluationRecord, truth: &Truth) -> Result<Measurement, Error> {
    let path = folder.join(SCORES);
    let rows = read_scores(&path)?;
    let count = truth.labels.len();
    if rows.len() != record.epochs.len() * count || count == 0 {
        let what = format!("{} rows for {count} images and {} epochs", rows.len(), record.epochs.len());
        return Err(Error::record(&path, what));
    }
    let mut grids = Grids::open(folder, record)?;
    let mut measured = Measured::new(&truth.id());
    for (&epoch, rows) in record.epochs.iter().zip(rows.chunks_exact(count)) {
        let mut metrics = EpochMetrics::new(epoch);
        for score in ImageScore::ALL {
            if let Some(values) = image_metrics(&truth.labels, rows, score)? {
                metrics.add(Metric::ImageAuroc, Some(score), values.auroc);
            }
        }
        if !metrics.has(ImageScore::Detection) {
            return Err(Error::record(&path, "an image has no detection score"));
        }
        if let (Some(pixels), Some(grids)) = (&truth.pixels, &mut grids) {
            let auroc = PixelMetrics::auroc_only(pixels, &grids.read(epoch)?.maps(record)?)?;
            metrics.add(Metric::PixelAuroc, None, auroc);
        }
        measured.epochs.push(metrics);
    }
    let mut replicates = ReplicateSet::new(&truth.id(), &truth.labels);
    for epoch in to_report(record, &measured) {
        let Some(block) = record.epochs.iter().position(|scored| *scored == epoch) else { continue };
        let rows = &rows[block * count..][..count];
        let mut metrics = EpochMetrics::new(epoch);
        for score in ImageScore::ALL {
            if let Some(values) = image_metrics(&truth.labels, rows, score)? {
                add(&mut metrics, Some(score), |metric| values.get(metric));
            }
        }
        let mut histograms = None;
        if let (Some(pixels), Some(grids)) = (&truth.pixels, &mut grids) {
            let slab = grids.read(epoch)?;
            let maps = slab.maps(record)?;
            let values = match truth.resampling.is_some() && truth.pixels_resampled {
                false => PixelMetrics::compute(pixels, &maps)?,
                true => {
                    let (values, made) = PixelMetrics::with_histograms(pixels, &maps, PixelHistograms::BINS)?;
                    histograms = Some(made);
                    values
                }
            };
            add(&mut metrics, None, |metric| values.get(metric));
            metrics.image_pixel_ap = per_image_ap(pixels, &maps)?;
        }
        let scores = |score: ImageScore| scores_of(rows, score);
        replicates.add(truth.resampling.as_ref(), epoch, &scores, histograms.as_ref())?;
        measured.reported.push(metrics);
    }
    Ok(Measurement { measured, replicates: (!record.evaluation.on_fold).then_some(replicates) })
}

/// Writes names and labels beside the scores in an evaluation's `folder` as they are now, where they were others.
///
/// # Errors
/// Scores that can't be read, or are of another number of images; the system's.
pub fn label(folder: &Path, truth: &Truth) -> Result<(), Error> {
    let path = folder.join(SCORES);
    let mut rows = read_scores(&path)?;
    let mut other = false;
    for epoch in rows.chunk_by_mut(|a, b| a.epoch == b.epoch) {
        if epoch.len() != truth.images.len() {
            let what = format!("{} rows of epoch {} for {} images", epoch.len(), epoch[0].epoch, truth.images.len());
            return Err(Error::record(&path, what));
        }
        for (row, (image, label)) in epoch.iter_mut().zip(truth.images.iter().zip(&truth.labels)) {
            other |= row.image != *image || row.label != *label;
            row.image.clone_from(image);
            row.label = *label;
        }
    }
    if !other {
        return Ok(());
    }
    contents::rewrite(folder, &[SCORES], || Ok(write_scores(&rows, &path)?))
}

/// The images whose scores are in an evaluation's `folder`: names in their order, and when they were scored.
///
/// # Errors
/// Scores that can't be read.
pub(crate) fn scored(folder: &Path) -> Result<ScoredImages, Error> {
    let path = folder.join(SCORES);
    let rows = read_scores(&path)?;
    let first = rows.first().map(|row| row.epoch);
    let names = rows.into_iter().take_while(|row| Some(row.epoch) == first).map(|row| row.image).collect();
    // Corrected labels are written into the table of scores, and never into the record.
    let at = std::fs::metadata(folder.join("evaluation.toml")).and_then(|metadata| metadata.modified()).ok();
    Ok(ScoredImages { names, at })
}

/// Adds every metric that has a value.
fn add(metrics: &mut EpochMetrics, score: Option<ImageScore>, value: impl Fn(Metric) -> Option<f64>) {
    for metric in Metric::ALL {
        if let Some(value) = value(metric) {
            metrics.add(metric, score, value);
        }
    }
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
fn image_metrics(labels: &[bool], rows: &[ScoreRow], score: ImageScore) -> Result<Option<ImageMetrics>, Error> {
    let Some(scores) = scores_of(rows, score) else { return Ok(None) };
    Ok(Some(ImageMetrics::compute(labels, &scores)?))
}

/// The scores of some images; `None` where one of them has no such score.
fn scores_of(rows: &[ScoreRow], score: ImageScore) -> Option<Vec<f64>> {
    rows.iter().map(|row| row.score(score)).collect()
}
