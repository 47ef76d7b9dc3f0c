//! What does the jobs of a run: a worker process, or in tests something quicker.

use std::time::Duration;

use harness_records::Cost;
use harness_worker::protocol::{Job, Phase};

use crate::error::Error;

/// What a job in progress reports.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// How far a phase is.
    Progress {
        /// Which.
        phase: Phase,
        /// How much of it is done.
        done: u64,
        /// Out of how much.
        total: u64,
        /// Images that the job has sent through the encoder so far.
        encoded: u64,
        /// Whether images went through the encoder just now.
        encodes: bool,
        /// How long it has taken so far.
        took: Duration,
    },
    /// An epoch is over.
    Epoch {
        /// Which, from 0.
        epoch: u32,
        /// Its mean loss.
        loss: f64,
    },
    /// Something worth knowing.
    Note(String),
}

/// Does one job after the other, all with one backend.
pub(crate) trait Executor {
    /// Does a job: fills its folders, or says why not.
    fn perform(&mut self, job: &Job, report: &mut dyn FnMut(Report)) -> Result<Cost, Error>;

    /// Forgets whatever the last job left in memory before the next one.
    fn renew(&mut self);
}
