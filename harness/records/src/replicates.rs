//! `replicates.bin`: the metrics of an evaluation on resampled test sets, and the labels and scores that tests by
//! formula need. All that a report's statistics read of an evaluation, so that it opens no table and no map.
//!
//! Little-endian, in this order:
//!
//! | part | type |
//! |---|---|
//! | magic `harness replicates` and a line break | 19 bytes |
//! | format, 2 | u32 |
//! | length of the truth's hash, and the hash | u32, bytes |
//! | fingerprint of the resampling; 0 where nothing could be resampled | u64 |
//! | images N, resamples R, score lists S, metrics M, names | u32 each |
//! | for each name of an image score or a metric: its length, and the name | u32, bytes |
//! | for each list: epoch, number of the image score's name | u32, u32 |
//! | for each metric: epoch, number of the image score's name (all bits set for pixel metrics), number of the metric's name, value | u32, u32, u32, f64 |
//! | labels, 1 for abnormal images, in test order | N bytes |
//! | score lists | S x N f32 |
//! | replicates | M x R f64 |
//!
//! A list or metric whose name this version does not know is skipped.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use harness_experiment::ImageScore;
use harness_metrics::{Metric, PixelHistograms, Replicates, Resampling};

use crate::error::Error;
use crate::format;
use crate::found::Found;

/// Name of the file.
pub(crate) const NAME: &str = "replicates.bin";
const MAGIC: &[u8; 19] = b"harness replicates\n";
/// Format 1 had numbers for names; no release wrote it.
const FORMAT: u32 = 2;
/// In place of the number of an image score's name, for pixel metrics.
const NO_SCORE: u32 = u32::MAX;

/// Seed of all resamples. One for all, as variants are compared resample by resample.
pub const RESAMPLING_SEED: u64 = 0;

/// What says which truth metrics were made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthId {
    /// Hash of labels, images and masks in order, and of the side masks are taken at.
    pub hash: String,
    /// Fingerprint of the resampling; 0 where nothing can be resampled.
    pub pairing: u64,
}

/// What is written of one evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicateSet {
    truth: String,
    pairing: u64,
    labels: Vec<bool>,
    lists: Vec<(u32, ImageScore, Vec<f32>)>,
    metrics: Vec<(Entry, Vec<f64>)>,
}

/// Under what a metric is stored: its epoch, its image score (`None` for pixel metrics), itself.
pub type Stored = (u32, Option<ImageScore>, Metric);

/// A metric of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    epoch: u32,
    /// `None` for pixel metrics, which depend on no image score.
    score: Option<ImageScore>,
    metric: Metric,
    /// On the test set as it is; of pixel metrics that of the histograms.
    value: f64,
}

impl ReplicateSet {
    /// Of no epoch yet.
    pub fn new(truth: &TruthId, labels: &[bool]) -> Self {
        Self {
            truth: truth.hash.clone(),
            pairing: truth.pairing,
            labels: labels.to_vec(),
            lists: Vec::new(),
            metrics: Vec::new(),
        }
    }

    /// Adds an epoch: image metrics by each score that is defined, pixel metrics where there are histograms.
    pub fn add(
        &mut self,
        resampling: Option<&Resampling>,
        epoch: u32,
        scores: &dyn Fn(ImageScore) -> Option<Vec<f64>>,
        histograms: Option<&PixelHistograms>,
    ) -> Result<(), Error> {
        let mut histograms = histograms;
        for score in ImageScore::ALL {
            let Some(scores) = scores(score) else { continue };
            if let Some(resampling) = resampling {
                // Pixel metrics are the same beside either score: once is enough.
                for (metric, made) in resampling.metrics(&scores, histograms.take())? {
                    let score = (!metric.needs_masks()).then_some(score);
                    self.metrics.push((Entry { epoch, score, metric, value: made.value }, made.replicates));
                }
            }
            // They were f32 when they were scored.
            self.lists.push((epoch, score, scores.into_iter().map(|score| score as f32).collect()));
        }
        Ok(())
    }

    /// Writes `replicates.bin`, durable or not at all.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let resamples = self.metrics.first().map_or(0, |(_, replicates)| replicates.len());
        let mut names = Names::default();
        let mut entries = Vec::new();
        for (epoch, score, _) in &self.lists {
            entries.extend([*epoch, names.number(score.name())].into_iter().flat_map(u32::to_le_bytes));
        }
        for (Entry { epoch, score, metric, value }, _) in &self.metrics {
            let score = score.map_or(NO_SCORE, |score| names.number(score.name()));
            let numbers = [*epoch, score, names.number(metric.name())];
            entries.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
            entries.extend(value.to_le_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        text(&mut bytes, &self.truth);
        bytes.extend(self.pairing.to_le_bytes());
        for count in [self.labels.len(), resamples, self.lists.len(), self.metrics.len(), names.0.len()] {
            bytes.extend((count as u32).to_le_bytes());
        }
        names.0.iter().for_each(|name| text(&mut bytes, name));
        bytes.extend(entries);
        bytes.extend(self.labels.iter().map(|label| u8::from(*label)));
        bytes.extend(self.lists.iter().flat_map(|(_, _, scores)| scores).flat_map(|score| score.to_le_bytes()));
        bytes.extend(self.metrics.iter().flat_map(|(_, values)| values).flat_map(|value| value.to_le_bytes()));
        Ok(harness_disk::write_durable(&folder.join(NAME), &bytes)?)
    }
}

/// The names in a file's head.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Names {
    fn number(&mut self, name: &'static str) -> u32 {
        let known = self.0.iter().position(|known| *known == name);
        let number = known.unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        number as u32
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// What is in a file, without its numbers; those are read when they are asked for.
#[derive(Clone, Debug)]
pub struct ReplicateIndex {
    path: PathBuf,
    truth: String,
    pairing: u64,
    images: usize,
    resamples: usize,
    /// All lists of the file, those of unknown scores too.
    lists: usize,
    /// All metrics of the file, unknown ones too.
    metrics: usize,
    known_lists: Vec<(usize, u32, ImageScore)>,
    known_metrics: Vec<(usize, Entry)>,
    /// Where labels begin.
    data: u64,
}

impl ReplicateIndex {
    /// Reads the head of an evaluation's file.
    pub fn open(folder: &Path) -> Found<Self> {
        Found::of(Self::read(folder))
    }

    fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(NAME);
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(Error::file("open", &path))?,
        };
        let length = file.metadata().map_err(Error::file("read", &path))?.len();
        let damaged = || Error::record(&path, "the file is damaged");
        let mut head = Head { file: BufReader::with_capacity(2048, file), read: 0, length };
        let format = head.format().map_err(|_| damaged())?;
        format::known(&path, format, FORMAT)?;
        match format {
            FORMAT => {}
            _ => return Err(Error::record(&path, format!("there is no format {format} of such a file"))),
        }
        match head.index(&path) {
            Ok(index) if index.length() == Some(length) => Ok(Some(index)),
            Ok(_) | Err(_) => Err(damaged()),
        }
    }

    /// Whether it was made with this truth and its resampling.
    pub fn is_of(&self, truth: &TruthId) -> bool {
        self.truth == truth.hash && self.pairing == truth.pairing
    }

    /// The hash of the truth it was made with.
    pub fn truth(&self) -> &str {
        &self.truth
    }

    /// Whether it has a metric.
    pub fn has(&self, stored: Stored) -> bool {
        self.find(stored).is_some()
    }

    /// Opens the file, so that several of its numbers can be read.
    ///
    /// # Errors
    /// The system's.
    pub fn file(&self) -> Result<ReplicateFile<'_>, Error> {
        let file = File::open(&self.path).map_err(Error::file("open", &self.path))?;
        Ok(ReplicateFile { index: self, file })
    }

    /// The number of a metric in the file, and its value.
    fn find(&self, (epoch, score, metric): Stored) -> Option<(usize, f64)> {
        let wanted = |(_, entry): &&(usize, Entry)| (entry.epoch, entry.score, entry.metric) == (epoch, score, metric);
        self.known_metrics.iter().find(wanted).map(|(number, entry)| (*number, entry.value))
    }

    /// Bytes of labels and score lists.
    fn before_replicates(&self) -> Option<u64> {
        (self.images as u64).checked_mul((self.lists as u64).checked_mul(4)?.checked_add(1)?)
    }

    /// Bytes of the whole file; `None` where they are too many for a number.
    fn length(&self) -> Option<u64> {
        let replicates = (self.metrics as u64).checked_mul(8)?.checked_mul(self.resamples as u64)?;
        self.data.checked_add(self.before_replicates()?)?.checked_add(replicates)
    }
}

/// A file that is open.
pub struct ReplicateFile<'a> {
    index: &'a ReplicateIndex,
    file: File,
}

impl ReplicateFile<'_> {
    /// Puts a metric's value on the test set and in each resample into `found`; false where it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn replicates(&mut self, stored: Stored, found: &mut Replicates) -> Result<bool, Error> {
        let index = self.index;
        let Some((number, value)) = index.find(stored) else { return Ok(false) };
        let before = index.before_replicates().unwrap_or(u64::MAX / 2);
        found.replicates.resize(index.resamples, 0.0);
        self.read(before + (number * index.resamples) as u64 * 8, bytemuck::cast_slice_mut(&mut found.replicates))?;
        (found.value, found.pairing) = (value, index.pairing);
        Ok(true)
    }

    /// The labels, in test order.
    ///
    /// # Errors
    /// The system's.
    pub fn labels(&mut self) -> Result<Vec<bool>, Error> {
        let mut labels = vec![0; self.index.images];
        self.read(0, &mut labels)?;
        Ok(labels.into_iter().map(|label| label == 1).collect())
    }

    /// The scores of an epoch, in test order; `None` where they are not there.
    ///
    /// # Errors
    /// The system's.
    pub fn scores(&mut self, epoch: u32, score: ImageScore) -> Result<Option<Vec<f32>>, Error> {
        let index = self.index;
        let list = index.known_lists.iter().find(|(_, of_epoch, of_score)| (*of_epoch, *of_score) == (epoch, score));
        let Some((number, ..)) = list else { return Ok(None) };
        let mut scores = vec![0.0_f32; index.images];
        self.read(index.images as u64 * (1 + 4 * *number as u64), bytemuck::cast_slice_mut(&mut scores))?;
        Ok(Some(scores))
    }

    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Error> {
        let (start, path) = (SeekFrom::Start(self.index.data + at), &self.index.path);
        self.file.seek(start).and_then(|_| self.file.read_exact(into)).map_err(Error::file("read", path))
    }
}

/// The beginning of a file, read piece by piece.
struct Head {
    file: BufReader<File>,
    read: u64,
    length: u64,
}

impl Head {
    fn format(&mut self) -> std::io::Result<u32> {
        if &self.bytes::<19>()? != MAGIC {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        self.u32()
    }

    /// All of format 2 after its number.
    fn index(&mut self, path: &Path) -> std::io::Result<ReplicateIndex> {
        let truth = self.text()?;
        let pairing = u64::from_le_bytes(self.bytes()?);
        let [images, resamples, lists, metrics, names] =
            [self.u32()?, self.u32()?, self.u32()?, self.u32()?, self.u32()?];
        // A count that is too large ends at the end of the file.
        let mut known = Vec::new();
        for _ in 0..names {
            known.push(self.text()?);
        }
        let name = |number: u32| known.get(number as usize).map(String::as_str);
        let score_of = |number: u32| ImageScore::ALL.into_iter().find(|score| Some(score.name()) == name(number));
        let metric_of = |number: u32| Metric::ALL.into_iter().find(|metric| Some(metric.name()) == name(number));
        let (mut known_lists, mut known_metrics) = (Vec::new(), Vec::new());
        for number in 0..lists as usize {
            let (epoch, score) = (self.u32()?, score_of(self.u32()?));
            known_lists.extend(score.map(|score| (number, epoch, score)));
        }
        for number in 0..metrics as usize {
            let (epoch, score, metric) = (self.u32()?, self.u32()?, metric_of(self.u32()?));
            let value = f64::from_le_bytes(self.bytes()?);
            let score = if score == NO_SCORE { Some(None) } else { score_of(score).map(Some) };
            if let (Some(score), Some(metric)) = (score, metric) {
                known_metrics.push((number, Entry { epoch, score, metric, value }));
            }
        }
        Ok(ReplicateIndex {
            path: path.to_owned(),
            truth,
            pairing,
            images: images as usize,
            resamples: resamples as usize,
            lists: lists as usize,
            metrics: metrics as usize,
            known_lists,
            known_metrics,
            data: self.read,
        })
    }

    fn text(&mut self) -> std::io::Result<String> {
        let length = u64::from(self.u32()?);
        if length > self.length {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let mut text = vec![0; length as usize];
        self.file.read_exact(&mut text)?;
        self.read += length;
        String::from_utf8(text).map_err(|_| std::io::ErrorKind::InvalidData.into())
    }

    fn u32(&mut self) -> std::io::Result<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.read += N as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    struct Made {
        hash: String,
        labels: Vec<bool>,
        resampling: Option<Resampling>,
    }

    impl Made {
        fn id(&self) -> TruthId {
            let pairing = self.resampling.as_ref().map_or(0, Resampling::fingerprint);
            TruthId { hash: self.hash.clone(), pairing }
        }
    }

    fn written(folder: &Path) -> (Made, ReplicateSet) {
        let labels = vec![false, false, true, true];
        let resampling = Some(Resampling::new("set", 0, 50, &labels).unwrap());
        let truth = Made { hash: "abc-32".to_owned(), labels, resampling };
        let mut set = ReplicateSet::new(&truth.id(), &truth.labels);
        let scores = |score| (score == ImageScore::Detection).then(|| vec![0.5, 0.25, 0.375, 1.0]);
        set.add(truth.resampling.as_ref(), 7, &scores, None).unwrap();
        set.write(folder).unwrap();
        (truth, set)
    }

    #[test]
    fn what_is_written_is_read_metric_by_metric() {
        let folder = tempfile::tempdir().unwrap();
        let (truth, _) = written(folder.path());
        let index = ReplicateIndex::open(folder.path()).whole().unwrap();
        assert!(index.is_of(&truth.id()));
        let mut file = index.file().unwrap();
        let made = truth.resampling.as_ref().unwrap().metrics(&[0.5, 0.25, 0.375, 1.0], None).unwrap();
        let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
        for (metric, expected) in made {
            assert!(file.replicates((7, Some(ImageScore::Detection), metric), &mut found).unwrap());
            assert_eq!(found, expected);
        }
        assert!(!file.replicates((7, None, Metric::PixelAuroc), &mut found).unwrap());
        assert!(
            index.has((7, Some(ImageScore::Detection), Metric::ImageAp)) && !index.has((7, None, Metric::PixelAuroc))
        );
        assert!(!file.replicates((6, Some(ImageScore::Detection), Metric::ImageAp), &mut found).unwrap());
        assert_eq!(file.labels().unwrap(), truth.labels);
        assert_eq!(file.scores(7, ImageScore::Detection).unwrap(), Some(vec![0.5, 0.25, 0.375, 1.0]));
        assert_eq!(file.scores(7, ImageScore::MapMax).unwrap(), None);
    }

    #[test]
    fn another_truth_or_resampling_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut truth, _) = written(folder.path());
        let index = ReplicateIndex::open(folder.path()).whole().unwrap();
        let patients = [Some("a"), Some("b"), Some("a"), Some("c")];
        truth.resampling = Some(Resampling::of_patients("set", 0, 50, &truth.labels, &patients).unwrap());
        assert!(!index.is_of(&truth.id()));
        let (mut truth, _) = written(folder.path());
        truth.hash = "abd-32".to_owned();
        assert!(!index.is_of(&truth.id()));
    }

    #[test]
    fn a_file_that_was_cut_or_bent_is_unreadable_and_so_is_another_format() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let found = ReplicateIndex::open(folder.path());
            let why = found.unreadable().unwrap();
            assert!(why.contains(NAME) && why.contains("damaged"), "{why}");
        }
        for index in 0..whole.len().min(300) {
            let mut bent = whole.clone();
            bent[index] ^= 0x80;
            std::fs::write(&path, &bent).unwrap();
            // No panic and no endless reading; numbers themselves can't be told from others.
            if let Found::Whole(index) = ReplicateIndex::open(folder.path())
                && let Ok(mut file) = index.file()
            {
                let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
                let _ = file.replicates((7, Some(ImageScore::Detection), Metric::ImageAuroc), &mut found);
            }
        }
        let mut newer = whole.clone();
        newer[19] = 3;
        std::fs::write(&path, &newer).unwrap();
        let found = ReplicateIndex::open(folder.path());
        assert!(found.unreadable().unwrap().contains("newer version of harness"), "{found:?}");
        let mut early = whole;
        early[19] = 1;
        std::fs::write(&path, &early).unwrap();
        assert!(ReplicateIndex::open(folder.path()).unreadable().is_some());
    }

    #[test]
    fn metrics_of_unknown_names_are_skipped_and_the_others_stay_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let read = |metric| {
            let index = ReplicateIndex::open(folder.path()).whole().unwrap();
            let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
            let there = index.file().unwrap().replicates((7, Some(ImageScore::Detection), metric), &mut found);
            there.unwrap().then_some(found)
        };
        let before = Metric::ALL.map(read);
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(8).position(|window| window == b"image_ap").unwrap();
        bytes[at..at + 8].copy_from_slice(b"image_xy");
        std::fs::write(&path, &bytes).unwrap();
        for (metric, before) in Metric::ALL.into_iter().zip(before) {
            assert_eq!(read(metric), before.filter(|_| metric != Metric::ImageAp));
        }
    }
}
