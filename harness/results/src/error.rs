//! What can go wrong on the way from records to results.

use std::fmt;
use std::path::{Path, PathBuf};

use harness_data::DataError;
use harness_records::Class;

/// Why results could not be made of records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record.
    #[error(transparent)]
    Records(#[from] harness_records::Error),
    /// Datasets and images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Numbers that have no interval or test.
    #[error(transparent)]
    Metrics(#[from] harness_metrics::Error),
    /// A table's file.
    #[error(transparent)]
    Tables(#[from] harness_tables::TablesError),
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
        /// What is wrong.
        what: String,
    },
    /// Content that is not what the plan was made from.
    #[error("{what} changed since the plan was made; run the experiment again")]
    Changed {
        /// What changed.
        what: String,
    },
}

impl Error {
    /// An error of the file system, made with [`Result::map_err`].
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// A file that can't be used.
    pub(crate) fn record(path: &Path, what: impl fmt::Display) -> Self {
        Self::Record { path: path.to_owned(), what: what.to_string() }
    }

    /// Its kind.
    pub fn class(&self) -> Class {
        match self {
            Self::Records(error) => error.class(),
            Self::Metrics(_) => Class::Numeric,
            Self::File { .. } | Self::Tables(_) => Class::Disk,
            Self::Data(error) if error.is_system() => Class::Disk,
            Self::Data(_) | Self::Changed { .. } | Self::Record { .. } => Class::Input,
        }
    }
}
