//! From an evaluation's predictions to metrics (docs/method.md section 8). The one place in a run that reads labels and masks;
//! it needs no backend, so metrics can be made again from stored predictions.

use std::path::Path;

use harness_experiment::ImageScore;
use harness_metrics::{ImageMetrics, PixelHistograms, PixelMetrics, per_image_ap};
use harness_records::{
    EpochValues, EvaluationRecord, FORMAT, Grids, ImageValues, Measured, Measurement, PixelValues, ReplicateSet,
    Reported, best_epoch,
};
use harness_tables::{ScoreRow, read_scores};

use crate::error::Error;
pub use crate::truth::Truth;

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
    let mut replicates = ReplicateSet::new(&truth.id(), &truth.labels);
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
        let scores = |score: ImageScore| rows.iter().map(|row| row.score(score)).collect::<Option<Vec<f64>>>();
        replicates.add(truth.resampling.as_ref(), epoch, &scores, histograms.as_ref())?;
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
    let scores: Option<Vec<f64>> = rows.iter().map(|row| row.score(score)).collect();
    let Some(scores) = scores else { return Ok(None) };
    let ImageMetrics { auroc, ap, f1_max } = ImageMetrics::compute(labels, &scores)?;
    Ok(Some(ImageValues { image_auroc: auroc, image_ap: ap, image_f1_max: f1_max }))
}
