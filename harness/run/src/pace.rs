//! How fast this machine is, remembered from run to run, and the hours that a plan takes at that pace. Guesses for
//! people: no result depends on them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use harness_experiment::{Plan, Training, TrainingId};
use harness_records::{Cost, EvaluationRecord, Folder, Found, StoredFormat, read_toml, write_toml};
use serde::{Deserialize, Serialize};

use crate::bench::{Benchmark, Part, Workload, bench};
use crate::error::Error;
use crate::process::Program;

/// Training and scoring work on smaller matrices than the encoder: their share of its rate until it is known better.
pub(crate) const SHARE: f64 = 0.75;

/// Seconds for a floating-point operation of encoding, training and scoring, as far as they are known.
pub(crate) type SecondsEach = [Option<f64>; 3];

/// The file's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Of this file.
    format: u32,
    /// By backend, device, threads and encoder.
    #[serde(default)]
    rates: BTreeMap<String, Rates>,
}

impl StoredFormat for Known {
    const FORMAT: u32 = 1;

    fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>> {
        match format {
            1 => Some(toml::from_str(text)),
            _ => None,
        }
    }
}

/// Floating-point operations a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Rates {
    /// Of the encoder.
    encode: f64,
    /// Of training; unknown before the first run.
    train: Option<f64>,
    /// Of scoring; unknown before the first run.
    score: Option<f64>,
}

/// The pace of this machine.
#[derive(Debug)]
pub struct Pace {
    path: PathBuf,
    known: Known,
}

impl Pace {
    /// Reads what is remembered. A file that can't be read is as good as none.
    pub fn open(path: &Path) -> Self {
        let unknown = |_| Known { format: Known::FORMAT, rates: BTreeMap::new() };
        Self { path: path.to_owned(), known: read_toml(path).unwrap_or_else(unknown) }
    }

    /// Seconds for an operation of a training's work on its backend, as far as they are known; nothing is measured.
    pub(crate) fn seconds_each(&self, training: &Training, threads: Option<usize>) -> SecondsEach {
        let rates = self.known.rates.get(&key(training, threads));
        let each = |rate: Option<f64>| rate.filter(|rate| *rate > 0.0).map(f64::recip);
        rates.map_or([None; 3], |rates| [each(Some(rates.encode)), each(rates.train), each(rates.score)])
    }

    /// How long a plan takes from nothing, in words. What is not known of a backend is measured, which takes it a
    /// second.
    ///
    /// # Errors
    /// A backend that can't be loaded or does not compute; the system's.
    pub fn estimate(&mut self, plan: &Plan, threads: Option<usize>, program: &Program) -> Result<String, Error> {
        let (mut total, mut parts, mut guessed) = (0.0, Vec::new(), false);
        for backend in &plan.backends {
            let here = |training: &&Training| training.backend == *backend;
            let Some(training) = plan.trainings.iter().find(here) else { continue };
            let key = key(training, threads);
            let rates = match self.known.rates.get(&key) {
                Some(rates) => *rates,
                None => {
                    let encode = encoder_rate(program, training, threads)?;
                    let rates = Rates { encode, train: None, score: None };
                    self.known.rates.insert(key, rates);
                    self.save()?;
                    rates
                }
            };
            guessed |= rates.train.is_none() || rates.score.is_none();
            let work = plan.work_of(&backend.name);
            let other = |rate: Option<f64>| rate.unwrap_or(SHARE * rates.encode);
            let secs = work.encode / rates.encode + work.train / other(rates.train) + work.score / other(rates.score);
            total += secs;
            parts.push(format!("{} {}", backend.name, rough(secs)));
        }
        let mut text = format!("about {} on this machine", rough(total));
        if parts.len() > 1 {
            let _ = write!(text, " ({})", parts.join(", "));
        }
        text += if guessed { ", from a short measurement of the encoder" } else { ", at the pace of earlier runs" };
        Ok(text)
    }

    /// Learns from what a run did since it began.
    ///
    /// # Errors
    /// The system's.
    pub fn learn(
        &mut self,
        plan: &Plan,
        folder: &Folder,
        threads: Option<usize>,
        since: SystemTime,
    ) -> Result<(), Error> {
        let mut done: BTreeMap<String, Done> = BTreeMap::new();
        let new = |path: PathBuf| path.metadata().and_then(|file| file.modified()).is_ok_and(|at| at >= since);
        let mut trainings = HashMap::new();
        for training in &plan.trainings {
            trainings.insert(training.id, training);
            if !new(folder.training(training.id).join("training.toml")) {
                continue;
            }
            if let Found::Whole(record) = folder.read_training(training.id) {
                let done = done.entry(key(training, threads)).or_default();
                done.encode.add(encoded(training, &record.cost), record.cost.encode_secs);
                done.train.add(training.work(), record.cost.compute_secs);
            }
        }
        // Evaluations of one pass have its cost in common: it is the largest one's work.
        let mut passes: HashMap<(TrainingId, u64), (f64, f64)> = HashMap::new();
        for evaluation in &plan.evaluations {
            let path = folder.evaluation(evaluation.id).join("evaluation.toml");
            let (true, Some(training)) = (new(path), trainings.get(&evaluation.training)) else { continue };
            if let Found::Whole(EvaluationRecord { cost, .. }) = folder.read_evaluation(evaluation.id) {
                let done = done.entry(key(training, threads)).or_default();
                done.encode.add(encoded(training, &cost), cost.encode_secs);
                let work = evaluation.work(training, plan.image_scores.len());
                let pass = passes.entry((training.id, cost.compute_secs.to_bits())).or_default();
                *pass = (pass.0.max(work), cost.compute_secs);
            }
        }
        for ((training, _), (work, secs)) in passes {
            if let Some(training) = trainings.get(&training) {
                done.entry(key(training, threads)).or_default().score.add(work, secs);
            }
        }
        for (key, done) in done {
            let known = self.known.rates.get(&key).copied();
            let Some(encode) = done.encode.rate().or(known.map(|rates| rates.encode)) else { continue };
            let train = done.train.rate().or(known.and_then(|rates| rates.train));
            let score = done.score.rate().or(known.and_then(|rates| rates.score));
            self.known.rates.insert(key, Rates { encode, train, score });
        }
        self.save()
    }

    fn save(&self) -> Result<(), Error> {
        Ok(write_toml(&self.known, &self.path)?)
    }
}

/// How fast a training's backend encodes, in floating-point operations a second: the best of a few calls.
fn encoder_rate(program: &Program, training: &Training, threads: Option<usize>) -> Result<f64, Error> {
    let benchmark = Benchmark {
        program,
        backends: vec![training.backend.name.clone()],
        against: Vec::new(),
        workload: Workload::sample(training),
        parts: vec![Part::Encode],
        products: false,
        threads,
        rounds: 3,
        go_on: &|| true,
        done: &|_| {},
    };
    let measured = bench(&benchmark)?;
    let secs = measured.subjects.iter().flat_map(|subject| &subject.encode).copied().fold(f64::INFINITY, f64::min);
    Ok(benchmark.workload.operations(Part::Encode).unwrap_or(0.0) / secs.max(1e-9))
}

/// Floating-point operations of what a record says went through the encoder.
fn encoded(training: &Training, cost: &Cost) -> f64 {
    cost.encoded as f64 * training.encoding_work() + cost.windowed as f64 * training.windows_work()
}

/// Work and the time it took.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    work: f64,
    secs: f64,
}

impl Taken {
    fn add(&mut self, work: f64, secs: f64) {
        self.work += work;
        self.secs += secs;
    }

    /// Operations a second; unknown where next to nothing was done.
    fn rate(self) -> Option<f64> {
        (self.secs > 0.5).then(|| self.work / self.secs)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Done {
    encode: Taken,
    train: Taken,
    score: Taken,
}

/// What a rate depends on.
fn key(training: &Training, threads: Option<usize>) -> String {
    let (backend, arch) = (&training.backend, &training.arch);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    format!(
        "{} {} on {} with {threads} threads, {} blocks of width {}, patches of {} px, images of {} px, {}",
        backend.name,
        backend.version,
        backend.device,
        arch.layers,
        arch.width,
        arch.patch,
        training.options.image_size(),
        training.precision.name()
    )
}

/// A duration that is only estimated: no seconds beyond the first minute.
fn rough(secs: f64) -> String {
    let unit = if secs < 60.0 { 1.0 } else { 60.0 };
    harness_text::seconds((secs / unit).ceil() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_has_no_seconds_beyond_the_first_minute() {
        assert_eq!(rough(0.2), "1s");
        assert_eq!(rough(95.0), "2m");
        assert_eq!(rough(3.0 * 3600.0 + 125.0), "3h 3m");
    }
}
