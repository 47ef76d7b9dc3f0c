//! What a run reports to whoever watches it.

use std::path::Path;
use std::time::Duration;

use harness_experiment::{Cell, Evaluation, Plan, Training};
use harness_records::RecordKind;
pub use harness_worker::protocol::Phase;

use crate::executor::Report;

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// Another process has the results folder; the run waits for it.
    Waiting {
        /// Who has it, as far as known.
        holder: &'a str,
    },
    /// Work begins.
    Begun {
        /// What is run.
        plan: &'a Plan,
        /// Where results go.
        out: &'a Path,
        /// Cells that the run is about.
        cells: usize,
        /// Cells whose records are there already.
        reused: usize,
    },
    /// A training begins or continues.
    Training {
        /// Which.
        training: &'a Training,
        /// Names of the variants that come to it.
        variants: &'a [&'a str],
        /// Its number among the trainings that have something to do, from 1.
        number: usize,
        /// How many those are.
        of: usize,
        /// Until the whole run is over, where earlier work tells.
        left: Option<Duration>,
    },
    /// A phase moved on.
    Progress {
        /// What is being done.
        phase: Phase,
        /// How much of it is done.
        done: u64,
        /// Out of how much.
        total: u64,
        /// Units a second in this phase so far.
        rate: f64,
        /// Images are going through the encoder; those of a phase that are read from the tap store are not.
        encodes: bool,
        /// Until the whole run is over, once that can be told.
        left: Option<Duration>,
    },
    /// An epoch is over.
    Epoch {
        /// Which, from 0.
        epoch: u32,
        /// Mean loss of its batches.
        loss: f64,
    },
    /// A job failed in a way that may pass, and is done again by a new worker.
    Retrying {
        /// What it makes.
        record: RecordKind,
        /// Why it failed.
        message: &'a str,
    },
    /// A cell has its numbers.
    Done {
        /// Which.
        cell: &'a Cell,
        /// Its main numbers: name and fraction.
        values: &'a [(String, f64)],
    },
    /// A cell will have no numbers.
    Failed {
        /// Which.
        cell: &'a Cell,
        /// Why.
        message: &'a str,
    },
    /// Metrics of an evaluation are being computed.
    Measuring {
        /// Which.
        evaluation: &'a Evaluation,
    },
    /// Something a person should look into.
    Warning(&'a str),
    /// Something worth knowing.
    Remark(&'a str),
}

/// Who watches a run.
pub trait Observer {
    /// Hears what happened, in order, on the run's own thread: it should be quick.
    fn notice(&mut self, notice: &Notice<'_>);
}

/// Passes on what a job reports; `left` is for the whole run.
pub(crate) fn notice(observer: &mut dyn Observer, report: Report, left: Option<Duration>) {
    match report {
        Report::Progress { phase, done, total, encodes, took, .. } => {
            let rate = done as f64 / took.as_secs_f64().max(1e-9);
            observer.notice(&Notice::Progress { phase, done, total, rate, encodes, left });
        }
        Report::Epoch { epoch, loss } => observer.notice(&Notice::Epoch { epoch, loss }),
        Report::Note(message) => observer.notice(&Notice::Remark(&message)),
    }
}
