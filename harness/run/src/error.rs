//! What can go wrong in a run, and of which class it is. Advice for people is in the messages; exit codes are the command
//! line's.

use std::fmt;
use std::path::{Path, PathBuf};

use harness_backend_abi::host::{BackendError, Status};
use harness_data::DataError;
use harness_method::prompts::PromptError;
use harness_weights::WeightsError;
use serde::{Deserialize, Serialize};

/// Why a run, a cell or a report could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The experiment, or the frozen plan of a results folder.
    #[error(transparent)]
    Experiment(#[from] harness_experiment::Error),
    /// Datasets and images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The encoder's weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tap store.
    #[error(transparent)]
    Taps(#[from] harness_features::Error),
    /// Sentences about an object.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// A metric that has no value.
    #[error(transparent)]
    Metrics(#[from] harness_metrics::Error),
    /// A table's file.
    #[error(transparent)]
    Tables(#[from] harness_tables::TablesError),
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] harness_disk::DiskError),
    /// A report or a figure.
    #[error(transparent)]
    Report(#[from] harness_report::ReportError),
    /// A call on a backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A training whose loss is no number any more.
    #[error("epoch {epoch}, batch {batch}: {source}; a lower `learning_rate` may help")]
    Diverged {
        /// Epoch, from 0.
        epoch: u32,
        /// Step within the epoch, from 0.
        batch: u32,
        /// The backend's words.
        source: BackendError,
    },
    /// The system refused a file or folder.
    #[error("can't {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of a results folder that is not what it should be.
    #[error("{}: {what}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Content that is not what the plan was made from.
    #[error("{what} changed since the plan was made; run the experiment again")]
    Changed {
        /// What changed.
        what: String,
    },
    /// What was asked for can't be done with what was given.
    #[error("{what}")]
    Unusable {
        /// What does not fit, and what to do.
        what: String,
    },
    /// A results folder that another experiment's results are in.
    #[error("{}: here are the results of {holds}; choose another folder with --out", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there.
        holds: String,
    },
    /// A disk that can't hold what a run would write.
    #[error(
        "{}: {what} need {} there and {} are free; {}",
        path.display(), gigabytes(*needed), gigabytes(*free), make_room(*evictable)
    )]
    Full {
        /// The folder.
        path: PathBuf,
        /// What would be written.
        what: &'static str,
        /// Bytes it takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// A smaller tap store would do.
        evictable: bool,
    },
    /// A worker process that failed, in its own words or in those of its end.
    #[error("{message}")]
    Worker {
        /// What kind of failure.
        class: Class,
        /// What happened, with the last lines of its log where it died.
        message: String,
    },
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

/// Kinds of failure, for retries and for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Data, weights, options: the same next time.
    Input,
    /// A loss or score that is not finite: the same next time.
    Numeric,
    /// No memory on host or device.
    Exhausted,
    /// The backend reported a fault of its own.
    Backend,
    /// A disk that is full or refuses.
    Disk,
    /// The worker process died.
    Crashed,
    /// The worker process said nothing for too long and was ended.
    Stalled,
    /// It took longer than a job may, and its worker was ended.
    TimeLimit,
    /// A fault of this program.
    Internal,
}

/// Bytes for people.
fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// What to do about a full disk.
fn make_room(evictable: bool) -> &'static str {
    if evictable {
        "free some, name another disk's folder with --cache, or keep fewer encoded images with --cache-budget GB (they are \
         then encoded again each time)"
    } else {
        "free some, or name another disk's folder with --out"
    }
}

impl Class {
    /// The name in journals and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Numeric => "numeric",
            Self::Exhausted => "exhausted",
            Self::Backend => "backend",
            Self::Disk => "disk",
            Self::Crashed => "crashed",
            Self::Stalled => "stalled",
            Self::TimeLimit => "time-limit",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Error {
    /// An error of the file system, made with [`Result::map_err`].
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// A record that does not read.
    pub(crate) fn record(path: &Path, what: impl fmt::Display) -> Self {
        Self::Record { path: path.to_owned(), what: what.to_string() }
    }

    /// Of which kind it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Diverged { .. } => Class::Numeric,
            Self::Backend(error) => match error.status {
                Status::InvalidArgument | Status::Unsupported => Class::Input,
                Status::ResourceExhausted => Class::Exhausted,
                Status::Numeric => Class::Numeric,
                Status::Internal => Class::Backend,
            },
            Self::Metrics(_) => Class::Numeric,
            Self::Worker { class, .. } => *class,
            Self::File { .. } | Self::Taps(_) | Self::Tables(_) | Self::Disk(_) | Self::Full { .. } => Class::Disk,
            Self::Data(_) | Self::Weights(_) | Self::Prompts(_) | Self::Experiment(_) => Class::Input,
            Self::Changed { .. } | Self::Unusable { .. } | Self::Occupied { .. } => Class::Input,
            Self::Record { .. } | Self::Report(_) | Self::Interrupted => Class::Internal,
        }
    }
}
