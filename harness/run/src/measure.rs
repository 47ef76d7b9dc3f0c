//! From an evaluation's predictions to metrics, and the choice of the epoch that a rule reports (METHOD.md section 8). The one
//! place in a run that reads labels and masks; it needs no backend, so metrics can be made anew from stored predictions.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use harness_data::{Dataset, FileHashes, Item, items_hash};
use harness_experiment::ImageScore;
use harness_metrics::{GridMaps, ImageMetrics, PixelMetrics, PixelTruth, per_image_ap};
use harness_tables::{ScoreRow, read_scores};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::records::{EvaluationRecord, FORMAT};

/// What is true of a test set.
#[derive(Debug)]
pub struct Truth {
    /// Hash of labels, images and masks in order, and of the side masks are taken at.
    pub hash: String,
    /// True for an abnormal image, in test order.
    pub labels: Vec<bool>,
    /// The lesions; `None` without masks.
    pub pixels: Option<PixelTruth>,
}

impl Truth {
    /// Reads the labels and, where the dataset has any, the masks of some of its images at S = `size`.
    ///
    /// # Errors
    /// Images or masks that can't be read, a mask of an abnormal image that is empty.
    pub fn read(dataset: &Dataset, items: &[Item], size: usize, hashes: &FileHashes) -> Result<Self, Error> {
        let values = dataset.mask_values();
        let hash = items_hash(items, values, &|source| hashes.of_source(source))?;
        let pixels = match dataset.has_masks() {
            false => None,
            true => {
                let masks: Vec<Option<Vec<u8>>> = items
                    .par_iter()
                    .map(|item| item.abnormal.then(|| item.truth(size, values)).transpose())
                    .collect::<Result<_, _>>()?;
                let mut truth = PixelTruth::new(size, size)?;
                for mask in masks {
                    match mask {
                        Some(mask) => truth.push(&mask)?,
                        None => truth.push_normal(),
                    }
                }
                Some(truth)
            }
        };
        let labels = items.iter().map(|item| item.abnormal).collect();
        Ok(Self { hash: format!("{hash}-{size}"), labels, pixels })
    }
}

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

/// Metrics of the predictions in an evaluation's `folder`.
///
/// # Errors
/// Files that can't be read or don't fit each other; metrics that have no value.
pub fn measure(folder: &Path, record: &EvaluationRecord, truth: &Truth) -> Result<Measured, Error> {
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
    for epoch in to_report(record, &measured) {
        let Some(block) = record.epochs.iter().position(|scored| *scored == epoch) else { continue };
        let rows = &rows[block * count..][..count];
        let Some(detection) = image_values(&truth.labels, rows, ImageScore::Detection)? else { continue };
        let (mut pixel, mut image_pixel_ap) = (None, Vec::new());
        if let (Some(pixels), Some(grids)) = (&truth.pixels, &mut grids) {
            let slab = grids.read(epoch)?;
            let maps = slab.maps(record)?;
            let PixelMetrics { auroc, ap, f1_max, pro_0_3 } = PixelMetrics::compute(pixels, &maps)?;
            pixel = Some(PixelValues { pixel_auroc: auroc, pixel_ap: ap, pixel_f1_max: f1_max, pro_0_3 });
            image_pixel_ap = per_image_ap(pixels, &maps)?;
        }
        measured.reported.push(Reported {
            epoch,
            map_max: image_values(&truth.labels, rows, ImageScore::MapMax)?,
            detection,
            pixel,
            image_pixel_ap,
        });
    }
    Ok(measured)
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

/// `grids.f32`, an epoch at a time.
pub(crate) struct Grids {
    file: File,
    path: std::path::PathBuf,
    values: usize,
    epochs: Vec<u32>,
    slab: Slab,
}

/// Grids of all images after one epoch, `[N, taps, G, G]`.
#[derive(Default)]
pub(crate) struct Slab(Vec<f32>);

impl Slab {
    /// The maps they stand for.
    pub(crate) fn maps(&self, record: &EvaluationRecord) -> Result<GridMaps<'_>, Error> {
        Ok(GridMaps::new(&self.0, record.taps, record.grid, record.image_size)?)
    }
}

impl Grids {
    /// Opens the file; `None` where the evaluation has no maps.
    pub(crate) fn open(folder: &Path, record: &EvaluationRecord) -> Result<Option<Self>, Error> {
        if record.taps == 0 {
            return Ok(None);
        }
        let path = folder.join("grids.f32");
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        let bytes = file.metadata().map_err(Error::file("read", &path))?.len();
        let values = record.grid_values();
        let expected =
            (values as u64).saturating_mul(size_of::<f32>() as u64).saturating_mul(record.epochs.len() as u64);
        if bytes != expected {
            let what = format!("{bytes} bytes, expected {expected}; remove the folder and run the experiment again");
            return Err(Error::record(&path, what));
        }
        Ok(Some(Self { file, path, values, epochs: record.epochs.clone(), slab: Slab::default() }))
    }

    /// The grids after an epoch.
    pub(crate) fn read(&mut self, epoch: u32) -> Result<&Slab, Error> {
        self.slab.0.resize(self.values, 0.0);
        let block = self.epochs.iter().position(|scored| *scored == epoch);
        let block = block.ok_or_else(|| Error::record(&self.path, format!("epoch {epoch} was not scored")))?;
        let offset = block as u64 * (self.values * size_of::<f32>()) as u64;
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(&mut self.slab.0)))
            .map_err(Error::file("read", &self.path))?;
        Ok(&self.slab)
    }
}

/// Reads `metrics.json`, if it is there and was made with this truth.
pub(crate) fn read(folder: &Path, truth: Option<&str>) -> Result<Option<Measured>, Error> {
    let path = folder.join("metrics.json");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", &path)(error)),
    };
    let measured: Measured = serde_json::from_slice(&bytes).map_err(|error| Error::record(&path, error))?;
    Ok(Some(measured).filter(|m| m.format == FORMAT && truth.is_none_or(|truth| m.truth == truth)))
}

/// Writes `metrics.json`, durable or not at all.
pub(crate) fn write(folder: &Path, measured: &Measured) -> Result<(), Error> {
    let path = folder.join("metrics.json");
    let mut text = serde_json::to_string_pretty(measured).map_err(|error| Error::record(&path, error))?;
    text.push('\n');
    Ok(harness_tables::write_durable(&path, text.as_bytes())?)
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
