//! `metrics.json`: the metrics of an evaluation, each by its name. Names that this version does not know are ignored.

use std::collections::BTreeMap;
use std::path::Path;

use harness_experiment::ImageScore;
use harness_metrics::Metric;
use serde::{Deserialize, Serialize};

use crate::contents;
use crate::error::Error;
use crate::format;
use crate::found::Found;
use crate::replicates::{self, ReplicateIndex, ReplicateSet, TruthId};

/// Version of `metrics.json`. Files of version 1 had a field for each metric; no release wrote them.
pub const FORMAT: u32 = 2;

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Of this file.
    pub format: u32,
    /// [`TruthId::hash`]: with another truth it is made again.
    pub truth: String,
    /// Names of the metrics that the program which wrote it knew.
    pub metrics: Vec<String>,
    /// What rules choose by: every epoch that was scored.
    pub epochs: Vec<EpochMetrics>,
    /// All metrics of the epochs that some rule reports.
    pub reported: Vec<EpochMetrics>,
}

/// Metrics of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredEpoch", from = "StoredEpoch")]
pub struct EpochMetrics {
    /// The epoch, from 0.
    pub epoch: u32,
    /// In the order of [`Metric::ALL`] for each image score, then pixel metrics.
    values: Vec<Value>,
    /// Pixel AP of each image by itself, in test order; absent for images without lesion. Empty without masks, and
    /// where it was not asked for.
    pub image_pixel_ap: Vec<Option<f64>>,
}

/// One number, small: a plan has millions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    metric: Metric,
    /// `None` for pixel metrics, which depend on no image score.
    score: Option<ImageScore>,
    value: f64,
}

/// An epoch as it is written.
#[derive(Serialize, Deserialize)]
struct StoredEpoch {
    epoch: u32,
    /// Metrics over images by name, by the image score's name.
    #[serde(default)]
    image: BTreeMap<String, BTreeMap<String, f64>>,
    /// Metrics over pixels by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pixel: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    image_pixel_ap: Vec<Option<f64>>,
}

impl From<EpochMetrics> for StoredEpoch {
    fn from(EpochMetrics { epoch, values, image_pixel_ap }: EpochMetrics) -> Self {
        let mut stored = Self { epoch, image: BTreeMap::new(), pixel: BTreeMap::new(), image_pixel_ap };
        for Value { metric, score, value } in values {
            let into = match score {
                Some(score) => stored.image.entry(score.name().to_owned()).or_default(),
                None => &mut stored.pixel,
            };
            into.insert(metric.name().to_owned(), value);
        }
        stored
    }
}

impl From<StoredEpoch> for EpochMetrics {
    fn from(StoredEpoch { epoch, image, pixel, image_pixel_ap }: StoredEpoch) -> Self {
        let mut values = Vec::with_capacity(image.values().map(BTreeMap::len).sum::<usize>() + pixel.len());
        let mut add = |score: Option<ImageScore>, by_name: &BTreeMap<String, f64>| {
            for metric in Metric::ALL {
                let value = by_name.get(metric.name()).filter(|_| metric.needs_masks() == score.is_none());
                values.extend(value.map(|value| Value { metric, score, value: *value }));
            }
        };
        for score in ImageScore::ALL {
            if let Some(by_name) = image.get(score.name()) {
                add(Some(score), by_name);
            }
        }
        add(None, &pixel);
        Self { epoch, values, image_pixel_ap }
    }
}

impl EpochMetrics {
    /// An epoch without metrics.
    pub fn new(epoch: u32) -> Self {
        Self { epoch, values: Vec::new(), image_pixel_ap: Vec::new() }
    }

    /// Adds a metric: over images by a score, over pixels by none.
    pub fn add(&mut self, metric: Metric, score: Option<ImageScore>, value: f64) {
        self.values.push(Value { metric, score: score.filter(|_| !metric.needs_masks()), value });
    }

    /// A metric: over images by `score`, over pixels whatever the score. `None` where it was not computed.
    pub fn get(&self, metric: Metric, score: Option<ImageScore>) -> Option<f64> {
        let score = score.filter(|_| !metric.needs_masks());
        let found = self.values.iter().find(|value| value.metric == metric && value.score == score);
        found.map(|found| found.value)
    }

    /// All metrics that there are by an image score: those over images, then those over pixels.
    pub fn by(&self, score: ImageScore) -> impl Iterator<Item = (Metric, f64)> + '_ {
        Metric::ALL.into_iter().filter_map(move |metric| Some((metric, self.get(metric, Some(score))?)))
    }

    /// Whether an image score was defined.
    pub fn has(&self, score: ImageScore) -> bool {
        self.values.iter().any(|value| value.score == Some(score))
    }
}

impl Measured {
    /// Without metrics yet.
    pub fn new(truth: &TruthId) -> Self {
        let metrics = Metric::ALL.map(|metric| metric.name().to_owned()).to_vec();
        Self { format: FORMAT, truth: truth.hash.clone(), metrics, epochs: Vec::new(), reported: Vec::new() }
    }

    /// All metrics of an epoch that some rule reports.
    pub fn reported(&self, epoch: u32) -> Option<&EpochMetrics> {
        self.reported.iter().find(|reported| reported.epoch == epoch)
    }

    /// The last epoch that was scored.
    pub fn last(&self) -> Option<u32> {
        self.epochs.last().map(|epoch| epoch.epoch)
    }
}

/// The epoch with the highest mean over `choosers` of image AUROC by `score` plus pixel AUROC, image AUROC alone
/// without masks; the earliest of equals. `None` without choosers, or where one of them lacks the score.
pub fn best_epoch(choosers: &[&Measured], score: ImageScore) -> Option<u32> {
    let first = choosers.first()?;
    let mut best: Option<(f64, u32)> = None;
    for (index, epoch) in first.epochs.iter().enumerate() {
        let mut sum = 0.0;
        for chooser in choosers {
            let values = chooser.epochs.get(index).filter(|values| values.epoch == epoch.epoch)?;
            let pixel = values.get(Metric::PixelAuroc, None).unwrap_or(0.0);
            sum += values.get(Metric::ImageAuroc, Some(score))? + pixel;
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

impl Measurement {
    /// Writes `replicates.bin` and `metrics.json`, each durable or not at all.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        contents::rewrite(folder, &MEASURED, || {
            if let Some(replicates) = &self.replicates {
                replicates.write(folder)?;
            }
            let path = folder.join(NAME);
            let mut text = serde_json::to_string_pretty(&self.measured).map_err(|error| Error::record(&path, error))?;
            text.push('\n');
            Ok(harness_disk::write_durable(&path, text.as_bytes())?)
        })
    }
}

const NAME: &str = "metrics.json";
/// Files of an evaluation that are made of its predictions.
pub const MEASURED: [&str; 2] = [NAME, replicates::NAME];

/// Reads an evaluation's `metrics.json`.
pub fn read(folder: &Path) -> Found<Measured> {
    Found::of(parse(folder))
}

/// Removes metrics that were made with another truth, where with the present one none can be made.
///
/// # Errors
/// The system's.
pub fn remove(folder: &Path) -> Result<(), Error> {
    let paths = MEASURED.map(|name| folder.join(name));
    contents::forget(folder, &paths)?;
    for path in paths {
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
    metrics: Found<Head>,
    replicates: Found<ReplicateIndex>,
    on_fold: bool,
}

/// The head of `metrics.json`.
#[derive(Deserialize)]
struct Head {
    truth: String,
    metrics: Vec<String>,
}

impl MeasuredWith {
    /// Reads no more than that.
    pub fn read(folder: &Path, on_fold: bool) -> Self {
        let replicates = if on_fold { Found::Missing } else { ReplicateIndex::open(folder) };
        Self { metrics: Found::of(parse(folder)), replicates, on_fold }
    }

    /// Whether all is there, every metric of this version among it, and was made with this truth.
    pub fn is(&self, truth: &TruthId) -> bool {
        let Found::Whole(head) = &self.metrics else { return false };
        let every = Metric::ALL.iter().all(|metric| head.metrics.iter().any(|name| name == metric.name()));
        let replicates = || matches!(&self.replicates, Found::Whole(index) if index.is_of(truth));
        every && head.truth == truth.hash && (self.on_fold || replicates())
    }

    /// Why some of it can't be read.
    pub fn unreadable(&self) -> Option<&str> {
        self.metrics.unreadable().or(self.replicates.unreadable())
    }
}

/// The part of `metrics.json` that `T` wants. The version is looked at first: what a newer one holds may not fit.
fn parse<T: serde::de::DeserializeOwned>(folder: &Path) -> Result<Option<T>, Error> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let path = folder.join(NAME);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(Error::file("read", &path))?,
    };
    let wrong = |error: serde_json::Error| Error::record(&path, error);
    if !starts_with_format(&bytes) {
        let Version { format } = serde_json::from_slice(&bytes).map_err(wrong)?;
        format::known(&path, format, FORMAT)?;
        // A format that changed is read here by a reader for each older version, as `Stored::parse` has them.
        if format != FORMAT {
            return Err(Error::record(&path, format!("there is no format {format} of such a file")));
        }
    }
    serde_json::from_slice(&bytes).map(Some).map_err(wrong)
}

/// Whether the file begins as this version writes it, which spares a second parse.
fn starts_with_format(bytes: &[u8]) -> bool {
    let start = format!("{{\n  \"format\": {FORMAT},");
    bytes.starts_with(start.as_bytes())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn truth() -> TruthId {
        TruthId { hash: "abc-32".to_owned(), pairing: 0 }
    }

    fn measured(values: &[(f64, f64)]) -> Measured {
        let epochs = values.iter().enumerate().map(|(epoch, &(image, pixel))| {
            let mut metrics = EpochMetrics::new(epoch as u32);
            metrics.add(Metric::ImageAuroc, Some(ImageScore::MapMax), image);
            metrics.add(Metric::ImageAuroc, Some(ImageScore::Detection), 1.0 - image);
            metrics.add(Metric::PixelAuroc, None, pixel);
            metrics
        });
        Measured { epochs: epochs.collect(), ..Measured::new(&truth()) }
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
        let mut epoch = EpochMetrics::new(0);
        epoch.add(Metric::ImageAuroc, Some(ImageScore::Detection), 0.5);
        let measured = Measured { epochs: vec![epoch], ..Measured::new(&truth()) };
        assert_eq!(best_epoch(&[&measured], ImageScore::MapMax), None);
        assert_eq!(best_epoch(&[&measured], ImageScore::Detection), Some(0));
    }

    fn written(folder: &Path, text: &str) -> Found<Measured> {
        std::fs::write(folder.join(NAME), text).unwrap();
        read(folder)
    }

    #[test]
    fn metrics_read_as_they_were_written_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let mut made = measured(&[(0.1 + 0.2, 1.0 / 3.0)]);
        let mut reported = made.epochs[0].clone();
        reported.image_pixel_ap = vec![None, Some(2.0 / 3.0)];
        made.reported.push(reported);
        Measurement { measured: made.clone(), replicates: None }.write(folder.path()).unwrap();
        assert_eq!(read(folder.path()), Found::Whole(made));
        assert!(MeasuredWith::read(folder.path(), true).is(&truth()));
        assert!(!MeasuredWith::read(folder.path(), false).is(&truth()));
        assert!(!MeasuredWith::read(folder.path(), true).is(&TruthId { hash: "abd-32".to_owned(), pairing: 0 }));
    }

    #[test]
    fn metrics_and_scores_with_unknown_names_are_ignored_and_their_absence_is_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "{\"format\": 2, \"truth\": \"abc-32\", \"metrics\": [\"image_auroc\", \"image_mcc\"], \"epochs\": [],
            \"reported\": [{\"epoch\": 3, \"image\": {\"detection\": {\"image_auroc\": 0.5, \"image_mcc\": 0.25},
            \"entropy\": {\"image_auroc\": 1.0}}, \"pixel\": {\"pixel_mcc\": 1.0}, \"more\": {}}], \"also\": 1}";
        let measured = written(folder.path(), text).whole().unwrap();
        let reported = measured.reported(3).unwrap();
        assert_eq!(reported.by(ImageScore::Detection).collect::<Vec<_>>(), [(Metric::ImageAuroc, 0.5)]);
        assert!(!reported.has(ImageScore::MapMax));
        assert!(!MeasuredWith::read(folder.path(), true).is(&truth()));
    }

    #[test]
    fn a_newer_damaged_or_early_file_is_unreadable_and_no_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), Found::Missing);
        let newer = written(folder.path(), "{\"format\": 3, \"epochs\": {}}");
        assert!(newer.unreadable().unwrap().contains("newer version of harness"), "{newer:?}");
        for damaged in ["", "{\"format\": 2", "{\"format\": 1, \"epochs\": []}", "{\"format\": 2, \"truth\": 1}"] {
            assert!(written(folder.path(), damaged).unreadable().is_some(), "{damaged}");
        }
    }
}
