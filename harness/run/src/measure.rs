//! From an evaluation's predictions to metrics, and the choice of the epoch that a rule reports (METHOD.md section 8). The one
//! place in a run that reads labels and masks; it needs no backend, so metrics can be made anew from stored predictions.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use harness_data::{Dataset, FileHashes, items_hash};
use harness_experiment::Selection;
use harness_metrics::{GridMaps, ImageMetrics, PixelMetrics, PixelTruth, per_image_ap};
use harness_tables::{ScoreRow, read_scores};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::records::{EvaluationRecord, FORMAT};

/// What an image is scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageScore {
    /// The largest value of its map.
    MapMax,
    /// The sum over taps of the aggregated abnormal probability of the det heads.
    Detection,
}

impl ImageScore {
    /// Both, in the order of tables.
    pub const ALL: [Self; 2] = [Self::MapMax, Self::Detection];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MapMax => "map-max",
            Self::Detection => "detection",
        }
    }

    /// The score of a row, where it is defined.
    pub fn of(self, row: &ScoreRow) -> Option<f64> {
        match self {
            Self::MapMax => row.map_max,
            Self::Detection => row.detection,
        }
    }
}

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
    /// Reads the labels and, where there are any, the masks of a dataset at S = `size`.
    ///
    /// # Errors
    /// Images or masks that can't be read, a mask of an abnormal image that is empty.
    pub fn read(dataset: &Dataset, size: usize, hashes: &FileHashes) -> Result<Self, Error> {
        let items = dataset.test_set()?;
        let values = dataset.mask_values();
        let hash = items_hash(&items, values, &|source| hashes.of_source(source))?;
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
    /// The epoch that a rule reports for an image score; `None` where the score is not defined, or where the rule chooses by
    /// something else than this evaluation.
    pub fn choose(&self, rule: Selection, score: ImageScore) -> Option<u32> {
        let value = |epoch: &EpochValues| match score {
            ImageScore::MapMax => epoch.map_max,
            ImageScore::Detection => Some(epoch.detection),
        };
        match rule {
            Selection::Last => self.epochs.last().filter(|epoch| value(epoch).is_some()).map(|epoch| epoch.epoch),
            Selection::BestOnTest => {
                let mut best: Option<(f64, u32)> = None;
                for epoch in &self.epochs {
                    let sum = value(epoch)? + epoch.pixel_auroc.unwrap_or(0.0);
                    // Strictly better: of equals the earliest stays.
                    if best.is_none_or(|(most, _)| sum > most) {
                        best = Some((sum, epoch.epoch));
                    }
                }
                best.map(|(_, epoch)| epoch)
            }
            Selection::BestOnSupport => None,
        }
    }

    /// All metrics of an epoch that some rule reports.
    pub fn reported(&self, epoch: u32) -> Option<&Reported> {
        self.reported.iter().find(|reported| reported.epoch == epoch)
    }
}

/// Metrics of the predictions in an evaluation's `folder`.
///
/// # Errors
/// Files that can't be read or don't fit each other; metrics that have no value.
pub fn measure(folder: &Path, record: &EvaluationRecord, truth: &Truth) -> Result<Measured, Error> {
    let rows = read_scores(&folder.join("scores.parquet"))?;
    let count = truth.labels.len();
    let range = record.evaluation.epochs;
    if rows.len() as u64 != range.count() * count as u64 {
        let what = format!("{} rows for {count} images and {} epochs", rows.len(), range.count());
        return Err(Error::record(&folder.join("scores.parquet"), what));
    }
    let mut grids = Grids::open(folder, record)?;
    let mut measured = Measured { format: FORMAT, truth: truth.hash.clone(), epochs: Vec::new(), reported: Vec::new() };
    for (epoch, rows) in range.iter().zip(rows.chunks_exact(count)) {
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
    let mut reported: Vec<u32> = ImageScore::ALL
        .into_iter()
        .flat_map(|score| [Selection::Last, Selection::BestOnTest].map(|rule| measured.choose(rule, score)))
        .flatten()
        .collect();
    reported.sort_unstable();
    reported.dedup();
    for epoch in reported {
        let at = (epoch - range.first) as usize * count;
        let rows = &rows[at..at + count];
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

/// Image metrics by a score; `None` where it is not defined.
fn image_values(labels: &[bool], rows: &[ScoreRow], score: ImageScore) -> Result<Option<ImageValues>, Error> {
    let scores: Option<Vec<f64>> = rows.iter().map(|row| score.of(row)).collect();
    let Some(scores) = scores else { return Ok(None) };
    let ImageMetrics { auroc, ap, f1_max } = ImageMetrics::compute(labels, &scores)?;
    Ok(Some(ImageValues { image_auroc: auroc, image_ap: ap, image_f1_max: f1_max }))
}

/// `grids.f32`, an epoch at a time.
pub(crate) struct Grids {
    file: File,
    path: std::path::PathBuf,
    values: usize,
    first: u32,
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
            (values as u64).saturating_mul(size_of::<f32>() as u64).saturating_mul(record.evaluation.epochs.count());
        if bytes != expected {
            let what = format!("{bytes} bytes, expected {expected}; remove the folder and run the experiment again");
            return Err(Error::record(&path, what));
        }
        Ok(Some(Self { file, path, values, first: record.evaluation.epochs.first, slab: Slab::default() }))
    }

    /// The grids after an epoch.
    pub(crate) fn read(&mut self, epoch: u32) -> Result<&Slab, Error> {
        self.slab.0.resize(self.values, 0.0);
        let offset = u64::from(epoch.saturating_sub(self.first)) * (self.values * size_of::<f32>()) as u64;
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
    fn best_on_test_takes_the_earliest_of_equal_sums_for_each_image_score() {
        let measured = measured(&[(0.5, 0.5), (0.75, 0.5), (0.5, 0.75), (0.25, 0.5)]);
        assert_eq!(measured.choose(Selection::BestOnTest, ImageScore::MapMax), Some(1));
        assert_eq!(measured.choose(Selection::BestOnTest, ImageScore::Detection), Some(2));
        assert_eq!(measured.choose(Selection::Last, ImageScore::MapMax), Some(3));
    }

    #[test]
    fn a_score_that_is_not_defined_has_no_epoch() {
        let mut measured = measured(&[(0.5, 0.5)]);
        measured.epochs[0].map_max = None;
        assert_eq!(measured.choose(Selection::Last, ImageScore::MapMax), None);
        assert_eq!(measured.choose(Selection::BestOnTest, ImageScore::MapMax), None);
        assert_eq!(measured.choose(Selection::Last, ImageScore::Detection), Some(0));
    }
}
