//! `replicates.bin`: the metrics of an evaluation on resampled test sets, and the labels and scores that tests by formula need.
//! All that a report's statistics read of an evaluation, so that it opens no table and no map. What they are made of is
//! in `harness-metrics`.
//!
//! Little-endian, in this order:
//!
//! | part | type |
//! |---|---|
//! | magic `harness replicates` and a line break | 19 bytes |
//! | format, 1 | u32 |
//! | length of the truth's hash, and the hash | u32, bytes |
//! | fingerprint of the resampling; 0 where nothing could be resampled | u64 |
//! | images N, resamples R, score lists S, metrics M | u32 each |
//! | for each list: epoch, image score (1 `map-max`, 2 `detection`) | u32, u8 |
//! | for each metric: epoch, image score (0 for pixel metrics), place in `Metric::ALL`, value | u32, u8, u8, f64 |
//! | labels, 1 for abnormal images, in test order | N bytes |
//! | score lists | S x N f32 |
//! | replicates | M x R f64 |

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use harness_experiment::ImageScore;
use harness_metrics::{Metric, PixelHistograms, Replicates, Resampling};

use crate::error::Error;

/// Name of the file.
pub(crate) const NAME: &str = "replicates.bin";
const MAGIC: &[u8; 19] = b"harness replicates\n";
const FORMAT: u32 = 1;

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
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let resamples = self.metrics.first().map_or(0, |(_, replicates)| replicates.len());
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend((self.truth.len() as u32).to_le_bytes());
        bytes.extend(self.truth.as_bytes());
        bytes.extend(self.pairing.to_le_bytes());
        for count in [self.labels.len(), resamples, self.lists.len(), self.metrics.len()] {
            bytes.extend((count as u32).to_le_bytes());
        }
        for (epoch, score, _) in &self.lists {
            bytes.extend(epoch.to_le_bytes());
            bytes.push(code(Some(*score)));
        }
        for (Entry { epoch, score, metric, value }, _) in &self.metrics {
            bytes.extend(epoch.to_le_bytes());
            let place = Metric::ALL.iter().position(|known| known == metric).unwrap_or(Metric::ALL.len());
            bytes.extend([code(*score), place as u8]);
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(self.labels.iter().map(|label| u8::from(*label)));
        bytes.extend(self.lists.iter().flat_map(|(_, _, scores)| scores).flat_map(|score| score.to_le_bytes()));
        bytes.extend(self.metrics.iter().flat_map(|(_, values)| values).flat_map(|value| value.to_le_bytes()));
        Ok(harness_disk::write_durable(&folder.join(NAME), &bytes)?)
    }
}

/// What is in a file, without its numbers; those are read when they are asked for.
#[derive(Clone, Debug)]
pub struct ReplicateIndex {
    path: PathBuf,
    truth: String,
    pairing: u64,
    images: usize,
    resamples: usize,
    lists: Vec<(u32, ImageScore)>,
    metrics: Vec<Entry>,
    /// Where labels begin.
    data: u64,
}

impl ReplicateIndex {
    /// Reads the head of an evaluation's file; `None` where there is none, or one of another format.
    ///
    /// # Errors
    /// A file that can't be read or is damaged.
    pub fn open(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("open", &path)(error)),
        };
        let length = file.metadata().map_err(Error::file("read", &path))?.len();
        let mut head = Head { file: BufReader::with_capacity(2048, file), read: 0, length };
        match head.index(&path) {
            Ok(Some(index)) if index.length() == Some(length) => Ok(Some(index)),
            Ok(None) => Ok(None),
            Ok(Some(_)) | Err(_) => {
                Err(Error::record(&path, "the file is damaged; remove it and run the experiment again"))
            }
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
        self.place(stored).is_some()
    }

    /// Opens the file, so that several of its numbers can be read.
    ///
    /// # Errors
    /// The system's.
    pub fn file(&self) -> Result<ReplicateFile<'_>, Error> {
        let file = File::open(&self.path).map_err(Error::file("open", &self.path))?;
        Ok(ReplicateFile { index: self, file })
    }

    fn place(&self, (epoch, score, metric): Stored) -> Option<usize> {
        let wanted = |entry: &Entry| entry.epoch == epoch && entry.score == score && entry.metric == metric;
        self.metrics.iter().position(wanted)
    }

    /// Bytes of the whole file; `None` where they are too many for a number.
    fn length(&self) -> Option<u64> {
        let lists = (self.images as u64).checked_mul(1 + 4 * self.lists.len() as u64)?;
        let replicates = (self.metrics.len() as u64).checked_mul(8)?.checked_mul(self.resamples as u64)?;
        self.data.checked_add(lists)?.checked_add(replicates)
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
        let Some(place) = index.place(stored) else { return Ok(false) };
        let before = index.images as u64 * (1 + 4 * index.lists.len() as u64);
        found.replicates.resize(index.resamples, 0.0);
        self.read(before + (place * index.resamples) as u64 * 8, bytemuck::cast_slice_mut(&mut found.replicates))?;
        (found.value, found.pairing) = (index.metrics[place].value, index.pairing);
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
        let Some(place) = index.lists.iter().position(|list| *list == (epoch, score)) else { return Ok(None) };
        let mut scores = vec![0.0_f32; index.images];
        self.read(index.images as u64 * (1 + 4 * place as u64), bytemuck::cast_slice_mut(&mut scores))?;
        Ok(Some(scores))
    }

    fn read(&mut self, at: u64, into: &mut [u8]) -> Result<(), Error> {
        let (start, path) = (SeekFrom::Start(self.index.data + at), &self.index.path);
        self.file.seek(start).and_then(|_| self.file.read_exact(into)).map_err(Error::file("read", path))
    }
}

fn code(score: Option<ImageScore>) -> u8 {
    match score {
        None => 0,
        Some(ImageScore::MapMax) => 1,
        Some(ImageScore::Detection) => 2,
    }
}

/// The beginning of a file, read piece by piece.
struct Head {
    file: BufReader<File>,
    read: u64,
    length: u64,
}

impl Head {
    /// `None` for another format.
    fn index(&mut self, path: &Path) -> std::io::Result<Option<ReplicateIndex>> {
        let damaged = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        if &self.bytes::<19>()? != MAGIC {
            return Err(damaged());
        }
        if self.u32()? != FORMAT {
            return Ok(None);
        }
        let length = u64::from(self.u32()?);
        if length > self.length {
            return Err(damaged());
        }
        let mut truth = vec![0; length as usize];
        self.file.read_exact(&mut truth)?;
        self.read += length;
        let truth = String::from_utf8(truth).map_err(|_| damaged())?;
        let pairing = u64::from_le_bytes(self.bytes()?);
        let [images, resamples, lists, metrics] = [self.u32()?, self.u32()?, self.u32()?, self.u32()?];
        let mut index = ReplicateIndex {
            path: path.to_owned(),
            truth,
            pairing,
            images: images as usize,
            resamples: resamples as usize,
            lists: Vec::new(),
            metrics: Vec::new(),
            data: 0,
        };
        // A count that is too large ends at the end of the file.
        for _ in 0..lists {
            let epoch = self.u32()?;
            let score = self.score()?.ok_or_else(damaged)?;
            index.lists.push((epoch, score));
        }
        for _ in 0..metrics {
            let epoch = self.u32()?;
            let score = self.score()?;
            let [place] = self.bytes()?;
            let metric = Metric::ALL.get(usize::from(place)).copied().ok_or_else(damaged)?;
            let value = f64::from_le_bytes(self.bytes()?);
            index.metrics.push(Entry { epoch, score, metric, value });
        }
        index.data = self.read;
        Ok(Some(index))
    }

    fn score(&mut self) -> std::io::Result<Option<ImageScore>> {
        match self.bytes()? {
            [0] => Ok(None),
            [1] => Ok(Some(ImageScore::MapMax)),
            [2] => Ok(Some(ImageScore::Detection)),
            [_] => Err(std::io::ErrorKind::InvalidData.into()),
        }
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
        let index = ReplicateIndex::open(folder.path()).unwrap().unwrap();
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
    fn another_truth_or_resampling_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut truth, _) = written(folder.path());
        let index = ReplicateIndex::open(folder.path()).unwrap().unwrap();
        let patients = [Some("a"), Some("b"), Some("a"), Some("c")];
        truth.resampling = Some(Resampling::of_patients("set", 0, 50, &truth.labels, &patients).unwrap());
        assert!(!index.is_of(&truth.id()));
        let (mut truth, _) = written(folder.path());
        truth.hash = "abd-32".to_owned();
        assert!(!index.is_of(&truth.id()));
    }

    #[test]
    fn a_file_that_was_cut_or_bent_names_itself_and_another_format_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = ReplicateIndex::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(NAME) && error.contains("damaged"), "{error}");
        }
        for place in 0..whole.len().min(200) {
            let mut bent = whole.clone();
            bent[place] ^= 0x80;
            std::fs::write(&path, &bent).unwrap();
            // No panic and no endless reading; numbers themselves can't be told from others.
            if let Ok(Some(index)) = ReplicateIndex::open(folder.path())
                && let Ok(mut file) = index.file()
            {
                let mut found = Replicates { value: 0.0, replicates: Vec::new(), pairing: 0 };
                let _ = file.replicates((7, Some(ImageScore::Detection), Metric::ImageAuroc), &mut found);
            }
        }
        let mut newer = whole;
        newer[19] = 2;
        std::fs::write(&path, &newer).unwrap();
        assert!(ReplicateIndex::open(folder.path()).unwrap().is_none());
    }
}
