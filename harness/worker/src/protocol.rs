//! What scheduler and worker say to each other: a line of JSON each. The scheduler writes a [`Setup`], then [`Job`]s;
//! the worker answers with [`Event`]s.

use std::path::PathBuf;

use harness_data::phantom::PhantomSpec;
use harness_experiment::{BackendInfo, EncoderSource, EpochRange, Evaluation, Precision, Training};
use harness_records::{Class, Cost};
use serde::{Deserialize, Serialize};

use crate::workload::Workload;

/// The first line to a worker: what its process is for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Setup {
    /// Name of the backend it loads. It loads no other.
    pub backend: String,
    /// CPU threads; the machine's without it.
    pub threads: Option<usize>,
    /// What it computes with; absent where it shall only describe its backend, or measure it.
    pub world: Option<WorldSetup>,
    /// What it measures, in a benchmark: then its lines are [`crate::Ask`]s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bench: Option<Workload>,
}

/// Where a worker finds what jobs name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorldSetup {
    /// The dataset registry.
    pub registry: PathBuf,
    /// Generated images in place of every dataset's own.
    #[serde(default)]
    pub generated: Option<PhantomSpec>,
    /// The tap store's folder.
    pub taps: PathBuf,
    /// Most bytes the store may take.
    pub budget: Option<u64>,
    /// Kind of device, as in the plan.
    pub device: String,
    /// The weights.
    pub encoder: EncoderSource,
    /// What the towers compute in.
    pub precision: Precision,
    /// Measure the rate of matrix products: the processor's, or the device's own.
    pub compared: bool,
}

/// One piece of work. A training names no test set, so nothing of one can reach it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Train and keep states.
    Train {
        /// What to train.
        training: Box<Training>,
        /// Epochs whose states are kept.
        keep: EpochRange,
        /// An empty folder that becomes the record.
        folder: PathBuf,
    },
    /// Score one list of images with states of a training.
    Evaluate {
        /// The training.
        training: Box<Training>,
        /// Its record.
        states: PathBuf,
        /// What to score: the same images with the same sentences.
        tasks: Vec<Task>,
    },
    /// Score images of no dataset with one state.
    Predict {
        /// The training that the state is of.
        training: Box<Training>,
        /// What the sentences say.
        object: String,
        /// The state's file.
        state: PathBuf,
        /// The images' files, in order.
        images: Vec<PathBuf>,
        /// A folder for detection scores and grids.
        folder: PathBuf,
    },
}

impl Job {
    /// Where its prints go.
    pub fn log(&self) -> Option<PathBuf> {
        let folder = match self {
            Self::Train { folder, .. } | Self::Predict { folder, .. } => Some(folder),
            Self::Evaluate { tasks, .. } => tasks.first().map(|task| &task.folder),
        };
        folder.map(|folder| folder.join("log.txt"))
    }
}

/// An evaluation to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Which.
    pub evaluation: Evaluation,
    /// Epochs whose states are scored, ascending.
    pub epochs: Vec<u32>,
    /// An empty folder that becomes its record.
    pub folder: PathBuf,
}

/// What a worker reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The backend is loaded.
    Ready {
        /// What it says of itself.
        backend: BackendInfo,
    },
    /// How far a phase is.
    Progress {
        /// What is being done.
        phase: Phase,
        /// How much of it is done.
        done: u64,
        /// Out of how much.
        total: u64,
        /// Images that the job has sent through the encoder so far; those that were in the tap store are not among
        /// them.
        #[serde(default)]
        encoded: u64,
    },
    /// An epoch is over.
    Epoch {
        /// Which, from 0.
        epoch: u32,
        /// Mean loss of its batches.
        loss: f64,
    },
    /// Something that a person may want to know of the job.
    Note {
        /// What.
        message: String,
    },
    /// The job is done; its record lies complete in the folder.
    Done {
        /// What it cost.
        cost: Cost,
    },
    /// What a benchmark asked for: seconds, or a rate.
    Measured {
        /// The number.
        value: f64,
    },
    /// The job, or the setup, could not be done.
    Failed {
        /// Kind of failure.
        class: Class,
        /// What, where, and what to do.
        message: String,
    },
}

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Images go through the encoder, or their taps are read.
    Support,
    /// Steps of a training.
    Train,
    /// Test images are encoded where they must be, and scored.
    Score,
    /// Images of no dataset are encoded and scored.
    Predict,
}

impl Phase {
    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Support | Self::Score | Self::Predict => "images",
            Self::Train => "steps",
        }
    }

    /// The name for people. Images that were all in the tap store are not encoded.
    pub fn name(self, encodes: bool) -> &'static str {
        match (self, encodes) {
            (Self::Support, true) => "encoding supports",
            (Self::Support, false) => "reading supports",
            (Self::Train, _) => "training",
            (Self::Score | Self::Predict, true) => "encoding and scoring",
            (Self::Score | Self::Predict, false) => "scoring",
        }
    }
}
