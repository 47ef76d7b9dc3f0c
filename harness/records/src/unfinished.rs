//! The state of a training that is not finished: parameters, Adam's moments and losses after the last epoch that was
//! kept, in a file beside what becomes the record. It is there until the record is complete.
//!
//! A safetensors file of f32: each parameter under its name, its moments under `first.<name>` and `second.<name>`. The
//! metadata have three keys: `harness.unfinished`, the version of the rest; `about`, JSON; and `blake3`, the hash of
//! `about` and of all values.

use std::path::Path;

use harness_experiment::TrainingId;
use harness_method::StorePrecision;
use harness_weights::{WeightsError, safetensors_metadata, write_safetensors_with};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format;
use crate::found::Found;
use crate::provenance::cpu_level;
use crate::state::{self, StateTensor};

/// Name of the file.
pub const UNFINISHED: &str = "unfinished.safetensors";

const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "harness.unfinished";
const ABOUT: &str = "about";
const HASH: &str = "blake3";

/// A training after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// Where it is.
    pub about: About,
    /// Parameters, as a state has them.
    pub parameters: Vec<StateTensor>,
    /// Of each parameter `first.<name>`, then of each `second.<name>`.
    pub moments: Vec<StateTensor>,
}

/// Where a training is that is not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The training.
    pub training: TrainingId,
    /// Version of the program, which decides how numbers round.
    pub harness: String,
    /// Widest vector instructions of the CPU, which do too.
    pub cpu_level: String,
    /// The last epoch that is finished, from 0.
    pub epoch: u32,
    /// Steps that the moments come from.
    pub steps: u64,
    /// Seconds of training so far.
    pub secs: f64,
    /// Mean losses so far.
    pub losses: Vec<EpochLoss>,
}

/// Mean of one loss over an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLoss {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Its name.
    pub loss: String,
    /// Its value.
    pub value: f64,
    /// Seconds of the epoch.
    pub secs: f64,
}

impl About {
    /// Of a training in this process.
    pub fn new(training: TrainingId, epoch: u32, steps: u64, secs: f64, losses: Vec<EpochLoss>) -> Self {
        let (harness, cpu_level) = (env!("CARGO_PKG_VERSION").to_owned(), cpu_level().to_owned());
        Self { training, harness, cpu_level, epoch, steps, secs, losses }
    }
}

impl Unfinished {
    /// Writes the file into a folder, durable or not at all.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(UNFINISHED);
        let about = serde_json::to_string(&self.about).map_err(|error| Error::record(&path, error))?;
        let hash = hash(&about, self.parameters.iter().chain(&self.moments));
        let metadata = [(FORMAT_KEY, FORMAT.to_string()), (ABOUT, about), (HASH, hash)];
        let tensors = || self.parameters.iter().chain(&self.moments);
        let layout: Vec<(String, Vec<usize>)> =
            tensors().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
        let mut values = tensors().map(|tensor| tensor.values.clone());
        // Asked for one at a time, in the layout's order.
        let next = |name: &str| {
            values.next().ok_or_else(|| WeightsError::Missing {
                origin: path.display().to_string(),
                name: name.to_owned(),
                expected: None,
            })
        };
        Ok(write_safetensors_with(&path, &layout, StorePrecision::F32, &metadata, next)?)
    }

    /// Reads the file in a folder, of a training with these parameters. What is damaged, of another training, of
    /// another version of the program or of a CPU that rounds otherwise can't be gone on with and says why.
    pub fn read(folder: &Path, training: TrainingId, parameters: &[StateTensor]) -> Found<Self> {
        let path = folder.join(UNFINISHED);
        Found::of(if path.is_file() { parse(&path, training, parameters).map(Some) } else { Ok(None) })
    }
}

fn parse(path: &Path, training: TrainingId, parameters: &[StateTensor]) -> Result<Unfinished, Error> {
    let wrong = |what: String| Error::record(path, what);
    let metadata = safetensors_metadata(path)?;
    let text = |key: &str| metadata.get(key).ok_or_else(|| wrong(format!("its metadata lack `{key}`")));
    let format = text(FORMAT_KEY)?.parse().map_err(|_| wrong("its format is not a number".to_owned()))?;
    format::known(path, format, FORMAT)?;
    let (about, expected) = (text(ABOUT)?, text(HASH)?);
    let moments = ["first", "second"].into_iter().flat_map(|moment| {
        parameters.iter().map(move |tensor| StateTensor {
            name: format!("{moment}.{}", tensor.name),
            shape: tensor.shape.clone(),
            values: Vec::new(),
        })
    });
    let like: Vec<StateTensor> = parameters.iter().cloned().chain(moments).collect();
    let mut found = state::read(path, &like)?;
    if hash(about, found.iter()) != *expected {
        return Err(wrong("its content is not what was written".to_owned()));
    }
    let about: About = serde_json::from_str(about).map_err(|error| Error::record(path, error))?;
    let here = About::new(training, about.epoch, about.steps, about.secs, Vec::new());
    if about.training != training {
        return Err(wrong(format!("it is of training {}", about.training)));
    }
    if (&about.harness, &about.cpu_level) != (&here.harness, &here.cpu_level) {
        return Err(wrong(format!(
            "written by harness {} on {}; this is {} on {}, which may round otherwise",
            about.harness, about.cpu_level, here.harness, here.cpu_level
        )));
    }
    let moments = found.split_off(parameters.len());
    Ok(Unfinished { about, parameters: found, moments })
}

fn hash<'a>(about: &str, tensors: impl Iterator<Item = &'a StateTensor>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(about.as_bytes());
    for tensor in tensors {
        hasher.update_rayon(bytemuck::cast_slice(&tensor.values));
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tensor(name: &str, shape: &[usize], from: f32) -> StateTensor {
        let values = (0..shape.iter().product::<usize>()).map(|i| from + i as f32 / 3.0).collect();
        StateTensor { name: name.to_owned(), shape: shape.to_vec(), values }
    }

    fn unfinished() -> Unfinished {
        let losses = vec![EpochLoss { epoch: 0, loss: "dice".to_owned(), value: 0.1 + 0.2, secs: 1.0 / 3.0 }];
        Unfinished {
            about: About::new(TrainingId::from_bytes([7; 8]), 0, 4, 0.7, losses),
            parameters: vec![tensor("b", &[2, 3], 1.0), tensor("a", &[4], -0.0)],
            moments: vec![
                tensor("first.b", &[2, 3], 3.0),
                tensor("first.a", &[4], 4.0),
                tensor("second.b", &[2, 3], 5.0),
                tensor("second.a", &[4], 6.0),
            ],
        }
    }

    #[test]
    fn what_is_kept_reads_as_it_was_written_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, id) = (unfinished(), TrainingId::from_bytes([7; 8]));
        assert_eq!(Unfinished::read(folder.path(), id, &kept.parameters), Found::Missing);
        kept.write(folder.path()).unwrap();
        assert_eq!(Unfinished::read(folder.path(), id, &kept.parameters), Found::Whole(kept));
    }

    #[test]
    fn what_is_damaged_foreign_or_rounds_otherwise_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, id) = (unfinished(), TrainingId::from_bytes([7; 8]));
        let why = |kept: &Unfinished, id: TrainingId, like: &[StateTensor]| {
            kept.write(folder.path()).unwrap();
            Unfinished::read(folder.path(), id, like).unreadable().unwrap().to_owned()
        };
        let like = &kept.parameters;
        assert!(why(&kept, TrainingId::from_bytes([8; 8]), like).contains("it is of training 0707070707070707"));
        assert!(why(&kept, id, &[tensor("b", &[2, 2], 0.0)]).contains("tensor `b` has shape [2, 3]"));
        let mut other = kept.clone();
        other.about.harness = "0.0.1".to_owned();
        assert!(why(&other, id, like).contains("written by harness 0.0.1"));
        other = kept.clone();
        other.about.cpu_level = "abacus".to_owned();
        assert!(why(&other, id, like).contains("on abacus"));
        kept.write(folder.path()).unwrap();
        let path = folder.path().join(UNFINISHED);
        let bytes = std::fs::read(&path).unwrap();
        for at in [bytes.len() - 1, bytes.len() - 80, bytes.len() - 150, 200] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, flipped).unwrap();
            assert!(Unfinished::read(folder.path(), id, like).unreadable().is_some(), "byte {at}");
        }
        for length in [0, 7, 100, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(Unfinished::read(folder.path(), id, like).unreadable().is_some(), "{length} bytes");
        }
    }
}
