//! What can go wrong in a worker, and of which kind it is.

use std::fmt;
use std::path::{Path, PathBuf};

use harness_backend_abi::host::{BackendError, Status};
use harness_data::DataError;
use harness_method::prompts::PromptError;
use harness_records::Class;
use harness_weights::WeightsError;

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// Grids that make no map.
    #[error(transparent)]
    Metrics(#[from] harness_metrics::Error),
    /// A table's file.
    #[error(transparent)]
    Tables(#[from] harness_tables::TablesError),
    /// A file of a record.
    #[error(transparent)]
    Records(#[from] harness_records::Error),
    /// A call on a backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A training whose loss is no longer a number.
    #[error(
        "epoch {epoch}, batch {batch}: {source}{}",
        if (*epoch, *batch) == (0, 0) {
            "; no step was made yet, so it is not the `learning_rate`: look at the weights (`harness weights inspect`) and the \
             images (`harness datasets verify`)"
        } else {
            "; a lower `learning_rate` may help"
        }
    )]
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
    /// Content that is not what the plan was made from.
    #[error("{what} changed since the plan was made; run the experiment again")]
    Changed {
        /// What changed.
        what: String,
    },
    /// What was asked for can't be done.
    #[error("{message}")]
    Job {
        /// What kind of failure.
        class: Class,
        /// What happened, and what to do.
        message: String,
    },
}

impl Error {
    /// An error of the file system, made with [`Result::map_err`].
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// A fault of this program.
    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        Self::Job { class: Class::Internal, message: message.to_string() }
    }

    /// Its kind.
    pub fn class(&self) -> Class {
        match self {
            Self::Backend(error) => class_of(error),
            Self::Records(error) => error.class(),
            Self::Job { class, .. } => *class,
            Self::Diverged { .. } | Self::Metrics(_) => Class::Numeric,
            Self::File { .. } | Self::Taps(_) | Self::Tables(_) => Class::Disk,
            Self::Data(error) if error.is_system() => Class::Disk,
            Self::Data(_) | Self::Weights(_) | Self::Prompts(_) | Self::Changed { .. } => Class::Input,
        }
    }
}

/// The kind of a backend's failure.
pub(crate) fn class_of(error: &BackendError) -> Class {
    match error.status {
        Status::InvalidArgument | Status::Unsupported => Class::Input,
        Status::ResourceExhausted => Class::Exhausted,
        Status::Numeric => Class::Numeric,
        Status::Internal => Class::Backend,
    }
}

/// A method's error as the worker's; what the worker itself reported comes back as it was.
pub(crate) fn failed(error: harness_methods::Error) -> Error {
    match error {
        harness_methods::Error::Desk(error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::internal(error.to_string()),
        },
        error @ (harness_methods::Error::NotFinite(_)
        | harness_methods::Error::Diverged(_)
        | harness_methods::Error::Eigenvalues) => Error::Job { class: Class::Numeric, message: error.to_string() },
        error => Error::Job { class: Class::Input, message: error.to_string() },
    }
}
