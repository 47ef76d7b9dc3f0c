//! `metrics.json`: the metrics of an evaluation, and the choice of the epoch that a rule reports (docs/method.md section 8).

use std::path::Path;

use harness_experiment::ImageScore;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::records::FORMAT;
use crate::replicates::{self, ReplicateIndex, ReplicateSet, TruthId};

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Of this file.
    pub format: u32,
    /// [`TruthId::hash`]: with another truth it is made anew.
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

/// What an evaluation's predictions come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// `metrics.json`.
    pub measured: Measured,
    /// `replicates.bin`; `None` for a fold, which only chooses.
    pub replicates: Option<ReplicateSet>,
}

/// Reads `metrics.json`, if it is there and was made with this truth.
pub fn read(folder: &Path, truth: Option<&str>) -> Result<Option<Measured>, Error> {
    let measured: Option<Measured> = read_json(&folder.join("metrics.json"))?;
    Ok(measured.filter(|m| m.format == FORMAT && truth.is_none_or(|truth| m.truth == truth)))
}

/// Writes `replicates.bin` and `metrics.json`, each durable or not at all.
pub fn write(folder: &Path, made: &Measurement) -> Result<(), Error> {
    if let Some(replicates) = &made.replicates {
        replicates.write(folder)?;
    }
    let path = folder.join("metrics.json");
    let mut text = serde_json::to_string_pretty(&made.measured).map_err(|error| Error::record(&path, error))?;
    text.push('\n');
    Ok(harness_disk::write_durable(&path, text.as_bytes())?)
}

/// Removes what was made with another truth, where with the present one nothing can be made.
pub fn remove(folder: &Path) -> Result<(), Error> {
    for name in ["metrics.json", replicates::NAME] {
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
pub struct MeasuredWith {
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
    pub fn read(folder: &Path, on_fold: bool) -> Result<Self, Error> {
        let head: Option<Head> = read_json(&folder.join("metrics.json"))?;
        let replicates = if on_fold { None } else { ReplicateIndex::open(folder)? };
        Ok(Self { metrics: head.filter(|head| head.format == FORMAT).map(|head| head.truth), replicates, on_fold })
    }

    /// Whether all is there and was made with this truth.
    pub fn is(&self, truth: &TruthId) -> bool {
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
