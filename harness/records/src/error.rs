//! What can go wrong with the files of a results folder.

use std::fmt;
use std::path::{Path, PathBuf};

use harness_data::DataError;
use harness_weights::WeightsError;

use crate::class::Class;

/// Why a results folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The frozen plan.
    #[error(transparent)]
    Experiment(#[from] harness_experiment::Error),
    /// The registry of datasets.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The file of a state.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Numbers that make no map or can't be resampled.
    #[error(transparent)]
    Metrics(#[from] harness_metrics::Error),
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
    /// A file of a version that this program does not read yet.
    #[error(
        "{}: written by a newer version of harness (format {found}; this version reads up to {supported}); update harness",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is read here.
        supported: u32,
    },
    /// A folder that is not a results folder.
    #[error("{}: not a results folder: it has no plan.toml", path.display())]
    NotResults {
        /// The folder.
        path: PathBuf,
    },
    /// A results folder that another experiment's results are in.
    #[error("{}: it holds the results of {holds}; choose another folder with --out", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is there.
        holds: String,
    },
    /// A results folder that another file's results of an experiment of the same name are in.
    #[error(
        "{}: it holds the results of `{name}` as {} has it, and {} is another file with that name and other cells; its \
         tables would replace the others. To keep both, change the `name` in {}, or choose another folder with --out. To go on in this \
         folder instead, move or delete the other file",
        path.display(), holder.display(), file.display(), file.display()
    )]
    Claimed {
        /// The folder.
        path: PathBuf,
        /// Of both experiments.
        name: String,
        /// The file whose results are there.
        holder: PathBuf,
        /// The other file.
        file: PathBuf,
    },
}

impl Error {
    /// An error of the file system, made with [`Result::map_err`].
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// A record that can't be read.
    pub fn record(path: &Path, what: impl fmt::Display) -> Self {
        Self::Record { path: path.to_owned(), what: what.to_string() }
    }

    /// Its kind.
    pub fn class(&self) -> Class {
        match self {
            Self::Metrics(_) => Class::Numeric,
            Self::File { .. } | Self::Disk(_) => Class::Disk,
            Self::Data(error) if error.is_system() => Class::Disk,
            Self::Experiment(_) | Self::Data(_) | Self::Weights(_) => Class::Input,
            // A damaged file is not this program's fault: nobody should report it as one.
            Self::Record { .. } | Self::Newer { .. } | Self::NotResults { .. } => Class::Input,
            Self::Occupied { .. } | Self::Claimed { .. } => Class::Input,
        }
    }
}
