//! How the program ends: exit codes, and the last message of a failure.

use std::process::ExitCode;

use harness_data::DataError;
use harness_records::Class;
use harness_report::ReportError;
use harness_run::Error;

use crate::output::{insist, lost};

/// Exit codes, as the README documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// A check found something: `backends check`, `datasets verify`, `weights inspect`, `doctor`.
    Found = 1,
    /// Arguments, experiment, registry, data or weights are wrong; nothing was started.
    Input = 2,
    /// The run went to its end, and some cells failed.
    CellsFailed = 3,
    /// The system refused: a folder that can't be written to, a full disk.
    System = 4,
    /// A fault of this program or of a backend.
    Internal = 5,
    /// Ended by Ctrl-C or a termination signal, in a clean state.
    Interrupted = 130,
}

/// Why a command could not finish.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// May have several lines; empty where everything was printed already.
    pub(crate) message: String,
}

impl Failure {
    /// Something the user gave is wrong.
    pub(crate) fn input(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Input, message: message.to_string() }
    }

    /// A failure of a class.
    fn of(class: Class, message: impl std::fmt::Display) -> Self {
        let exit = match class {
            Class::Input | Class::Numeric => Exit::Input,
            Class::Disk | Class::Exhausted => Exit::System,
            Class::Backend | Class::Crashed | Class::Stalled | Class::TimeLimit | Class::Internal => Exit::Internal,
        };
        Self { exit, message: message.to_string() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Interrupted => Self { exit: Exit::Interrupted, message: error.to_string() },
            error => Self::of(error.class(), error),
        }
    }
}

macro_rules! by_class {
    ($($source:ty),*) => {$(
        impl From<$source> for Failure {
            fn from(error: $source) -> Self {
                Self::of(error.class(), error)
            }
        }
    )*};
}

by_class!(harness_records::Error, harness_results::Error, harness_worker::Error);

macro_rules! of_class {
    ($($source:ty: $class:ident),*) => {$(
        impl From<$source> for Failure {
            fn from(error: $source) -> Self {
                Self::of(Class::$class, error)
            }
        }
    )*};
}

of_class!(
    harness_experiment::Error: Input,
    harness_weights::WeightsError: Input,
    harness_features::Error: Disk,
    harness_tables::TablesError: Disk
);

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::of(if error.is_system() { Class::Disk } else { Class::Input }, error)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let class = match error {
            ReportError::Disk(_) | ReportError::Tables(_) => Class::Disk,
            _ => Class::Internal,
        };
        Self::of(class, error)
    }
}

/// Prints a failure's message and returns the process's exit code. Results that could not be printed are a failure,
/// though the work was done.
pub(crate) fn code(result: Result<Exit, Failure>) -> ExitCode {
    let exit = match result {
        Ok(exit) => match lost() {
            Some(reason) if exit != Exit::Interrupted => {
                insist(format!("error: can't write to standard output: {reason}"));
                Exit::System
            }
            _ => exit,
        },
        Err(failure) => {
            if !failure.message.is_empty() {
                insist(format!("error: {}", failure.message));
            }
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
