//! The order of measurements: rounds in which every backend measures every part once, one after the other, another one
//! first in each round. The first round warms up and is not counted.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use harness_backend_abi::host::Capability;
use harness_metrics::median;
use harness_worker::PROCESSOR;
use harness_worker::protocol::{Event, Setup};
use harness_worker::{Ask, Part, Workload};
use serde::Serialize;

use super::metrics::Maps;
use super::outside::Outside;
use crate::error::Error;
use crate::process::{Program, WorkerProcess};
use crate::watch::{Wait, Watch, start};

/// Longest time for a measurement, or for loading weights.
const LIMIT: Duration = Duration::from_secs(1800);

/// What is measured, and how often.
pub struct Benchmark<'a> {
    /// What loads backends.
    pub program: &'a Program,
    /// Names of backends; the first is what others are compared with.
    pub backends: Vec<String>,
    /// Other programs that do the same work, measured in the same turns: commands, words separated by spaces.
    pub against: Vec<String>,
    /// Sizes.
    pub workload: Workload,
    /// What is measured, in the order of a round.
    pub parts: Vec<Part>,
    /// Measure rates of matrix products too.
    pub products: bool,
    /// CPU threads of each; the machine's without it.
    pub threads: Option<usize>,
    /// Rounds that count.
    pub rounds: usize,
    /// Asked several times a second; no ends the benchmark.
    pub go_on: &'a dyn Fn() -> bool,
    /// Called after each round with how many are done, the one that warms up included.
    pub done: &'a dyn Fn(usize),
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Rounds that count: fewer than were asked for where it was interrupted.
    #[serde(skip)]
    pub rounds: usize,
    /// Backends in the order they were asked for, then the other programs.
    pub subjects: Vec<Subject>,
    /// Seconds for the metrics of a batch, round by round.
    pub metrics: Vec<f64>,
}

impl Measured {
    /// Leaves out what was measured after so many rounds.
    fn keep(&mut self, rounds: usize) {
        self.metrics.truncate(rounds);
        for subject in &mut self.subjects {
            for times in [&mut subject.gemm_gflops, &mut subject.encode, &mut subject.step, &mut subject.score] {
                times.truncate(rounds);
            }
        }
        self.rounds = rounds;
    }
}

/// One that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// Name of the backend, or what the other program calls itself.
    pub name: String,
    /// The device it computes on; empty for another program.
    pub device: String,
    /// Seconds to open the device and load weights; absent for another program.
    pub load_secs: Option<f64>,
    /// The rate of f32 matrix products of its device in each round, in 10^9 operations a second: the processor's as the
    /// harness multiplies on as many threads, another device's as the backend does. Empty where nobody can tell.
    pub gemm_gflops: Vec<f64>,
    /// Seconds of each part, round by round; empty where it does not do the part.
    pub encode: Vec<f64>,
    /// As `encode`.
    pub step: Vec<f64>,
    /// As `encode`.
    pub score: Vec<f64>,
}

impl Subject {
    /// Seconds of a part, round by round.
    pub fn times(&self, part: Part) -> &[f64] {
        match part {
            Part::Encode => &self.encode,
            Part::Step => &self.step,
            Part::Score => &self.score,
            Part::Metrics => &[],
        }
    }

    /// Median over rounds of this one's rate by that of `other` in the same round.
    pub fn rate_to(&self, other: &Self, part: Part) -> Option<f64> {
        let rounds = self.times(part).iter().zip(other.times(part));
        median(&rounds.map(|(own, other)| other / own).collect::<Vec<_>>())
    }
}

/// One that can be asked.
enum Asked {
    Worker {
        worker: WorkerProcess,
        name: String,
        /// Whether it knows the rate of matrix products of its device.
        multiplies: bool,
    },
    Outside(Box<Outside>),
}

/// Measures.
///
/// # Errors
/// A backend that can't be loaded or fails, a program that gives no times, `Interrupted` before the first round that
/// counts is done.
pub fn bench(benchmark: &Benchmark<'_>) -> Result<Measured, Error> {
    let logs = tempfile::tempdir().map_err(Error::file("create", Path::new("a temporary folder")))?;
    let (mut asked, mut subjects) = (Vec::new(), Vec::new());
    for name in &benchmark.backends {
        let setup = Setup {
            backend: name.clone(),
            threads: benchmark.threads,
            bench: Some(benchmark.workload.clone()),
            ..Setup::default()
        };
        let log = logs.path().join(format!("{name}.txt"));
        let (mut worker, info) = start(benchmark.program, &setup, &log, benchmark.go_on)?;
        let load_secs = Some(answer(&mut worker, name, benchmark.go_on)?);
        let device = info.devices.into_iter().next().unwrap_or_default();
        let multiplies = device == PROCESSOR || info.capabilities.iter().any(|known| known == Capability::Gemm.name());
        subjects.push(subject(name.clone(), device, load_secs));
        asked.push(Asked::Worker { worker, name: name.clone(), multiplies });
    }
    for command in &benchmark.against {
        let (outside, name) = Outside::start(command, &benchmark.workload, benchmark.threads, benchmark.go_on)?;
        subjects.push(subject(name, String::new(), None));
        asked.push(Asked::Outside(Box::new(outside)));
    }
    let maps = Maps::new(&benchmark.workload)?;
    let mut measured = Measured { rounds: benchmark.rounds, subjects, metrics: Vec::new() };
    for round in 0..=benchmark.rounds {
        match turn(benchmark, round, &mut asked, &maps, &mut measured) {
            Err(Error::Interrupted) if round > 1 => {
                measured.keep(round - 1);
                break;
            }
            other => other?,
        }
        (benchmark.done)(round + 1);
    }
    Ok(measured)
}

/// One round; the first warms up and doesn't count.
fn turn(
    benchmark: &Benchmark<'_>,
    round: usize,
    asked: &mut [Asked],
    maps: &Maps,
    measured: &mut Measured,
) -> Result<(), Error> {
    let counts = round > 0;
    for (asked, subject) in asked.iter_mut().zip(&mut measured.subjects).filter(|_| benchmark.products) {
        let rate = asked.ask(Ask::Gemm, benchmark.go_on)?;
        subject.gemm_gflops.extend(rate.filter(|_| counts));
    }
    for &part in &benchmark.parts {
        if part == Part::Metrics {
            let secs = maps.time()?;
            measured.metrics.extend(counts.then_some(secs));
            continue;
        }
        for place in 0..asked.len() {
            let at = (place + round) % asked.len();
            let secs = asked[at].ask(Ask::Time(part), benchmark.go_on)?;
            let subject = &mut measured.subjects[at];
            let times = match part {
                Part::Encode => &mut subject.encode,
                Part::Step => &mut subject.step,
                Part::Score | Part::Metrics => &mut subject.score,
            };
            times.extend(secs.filter(|_| counts));
        }
    }
    Ok(())
}

fn subject(name: String, device: String, load_secs: Option<f64>) -> Subject {
    let (gemm_gflops, encode, step, score) = Default::default();
    Subject { name, device, load_secs, gemm_gflops, encode, step, score }
}

impl Asked {
    fn ask(&mut self, ask: Ask, go_on: &dyn Fn() -> bool) -> Result<Option<f64>, Error> {
        match (self, ask) {
            (Self::Worker { multiplies: false, .. } | Self::Outside(_), Ask::Gemm) => Ok(None),
            (Self::Worker { worker, name, .. }, ask) => {
                worker.send(&ask)?;
                answer(worker, name, go_on).map(Some)
            }
            (Self::Outside(outside), Ask::Time(part)) => outside.time(part, go_on),
        }
    }
}

/// The number a worker answers with.
fn answer(worker: &mut WorkerProcess, backend: &str, go_on: &dyn Fn() -> bool) -> Result<f64, Error> {
    let watch = Watch { wait: Wait::Answer, backend, silence: None, limit: Some(LIMIT), log: None, go_on };
    let answer = watch.until(worker, &mut |event| match event {
        Event::Measured { value } => ControlFlow::Break(value),
        _ => ControlFlow::Continue(()),
    });
    answer.map_err(|error| match error {
        Error::Job { class, message } if !message.contains(backend) => {
            Error::Job { class, message: format!("backend `{backend}`: {message}") }
        }
        error => error,
    })
}
