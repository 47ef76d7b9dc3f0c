//! What can go wrong in a run, and of which kind it is.

use std::fmt;
use std::path::{Path, PathBuf};

use harness_data::DataError;
use harness_records::Class;
use harness_text::bytes;
use harness_weights::WeightsError;

/// Why a run or a cell could not be completed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The experiment, or the frozen plan of a results folder.
    #[error(transparent)]
    Experiment(#[from] harness_experiment::Error),
    /// A results folder or a record in it.
    #[error(transparent)]
    Records(#[from] harness_records::Error),
    /// What a worker and this process do with the same code.
    #[error(transparent)]
    Work(Box<harness_worker::Error>),
    /// Datasets and images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The encoder's weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A metric that has no value.
    #[error(transparent)]
    Metrics(#[from] harness_metrics::Error),
    /// A table's file.
    #[error(transparent)]
    Tables(#[from] harness_tables::TablesError),
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] harness_disk::DiskError),
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
    /// A file that is not what it should be.
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
    /// Images that are not those whose predictions are to be measured.
    #[error(
        "[{dataset}]: {what}; metrics are made of the predictions on the images that were scored: put those back, or run the \
         experiment again"
    )]
    OtherImages {
        /// The dataset.
        dataset: String,
        /// Which, as far as known.
        what: String,
    },
    /// A file of a test set that can't be used: the cells that need the set have no numbers.
    #[error("[{dataset}]: {what}")]
    TestSet {
        /// The dataset.
        dataset: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// What was asked for can't be done with what was given.
    #[error("{what}")]
    Unusable {
        /// What does not fit, and what to do.
        what: String,
    },
    /// A disk that can't hold what a run would write.
    #[error(
        "{}: {what} need {} and {} are free; {}",
        path.display(), bytes(*needed), bytes(*free), make_room(*evictable)
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
    /// A job that failed, in the worker's own words or in those of its end.
    #[error("{message}")]
    Job {
        /// What kind of failure.
        class: Class,
        /// What happened, with the last lines of the worker's log where it died.
        message: String,
    },
    /// What a plan would have refused.
    #[error(transparent)]
    Catalogue(#[from] harness_experiment::CatalogueError),
    /// The user ended the run.
    #[error("interrupted")]
    Interrupted,
}

impl From<harness_worker::Error> for Error {
    fn from(error: harness_worker::Error) -> Self {
        Self::Work(Box::new(error))
    }
}

/// What can be wrong with a test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestSetFault {
    /// A file of it, or of what was predicted of it, can't be used.
    File,
    /// Its images are not those that were scored.
    Changed,
}

/// What to do about a full disk.
fn make_room(evictable: bool) -> &'static str {
    if evictable {
        "free some space, choose a folder on another disk with --cache, or keep fewer encoded images with \
         --cache-budget GB (the others are encoded again each time)"
    } else {
        "free some space, or choose a folder on another disk with --out"
    }
}

impl Error {
    /// An error of the file system, made with [`Result::map_err`].
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// What can't be used of a dataset's test set.
    pub(crate) fn test_set(dataset: &str, what: impl fmt::Display) -> Self {
        Self::TestSet { dataset: dataset.to_owned(), what: what.to_string() }
    }

    /// What is wrong with one test set and no reason to leave the others alone; `None` where it is something else.
    pub(crate) fn test_set_fault(&self) -> Option<TestSetFault> {
        match self {
            Self::TestSet { .. } | Self::Record { .. } | Self::Tables(_) => Some(TestSetFault::File),
            Self::Changed { .. } | Self::OtherImages { .. } => Some(TestSetFault::Changed),
            Self::Work(error) if matches!(**error, harness_worker::Error::Changed { .. }) => {
                Some(TestSetFault::Changed)
            }
            _ => None,
        }
    }

    /// A file that can't be used.
    pub(crate) fn record(path: &Path, what: impl fmt::Display) -> Self {
        Self::Record { path: path.to_owned(), what: what.to_string() }
    }

    /// Its kind.
    pub fn class(&self) -> Class {
        match self {
            Self::Records(error) => error.class(),
            Self::Work(error) => error.class(),
            Self::Job { class, .. } => *class,
            Self::Metrics(_) => Class::Numeric,
            Self::File { .. } | Self::Tables(_) | Self::Disk(_) | Self::Full { .. } => Class::Disk,
            Self::Data(error) if error.is_system() => Class::Disk,
            Self::Data(_) | Self::Weights(_) | Self::Experiment(_) | Self::Catalogue(_) => Class::Input,
            Self::Record { .. } | Self::Changed { .. } | Self::OtherImages { .. } => Class::Input,
            Self::TestSet { .. } | Self::Unusable { .. } => Class::Input,
            Self::Interrupted => Class::Internal,
        }
    }
}
