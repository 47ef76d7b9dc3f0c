//! How the program ends: exit codes, and the last message of a failure.

use std::process::ExitCode;

use harness_records::Class;
use harness_run::Error;

/// Exit codes, as the README documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for is done.
    Done = 0,
    /// A check found something: `backends check`, `datasets verify`, `weights inspect`, `doctor`.
    Found = 1,
    /// Arguments, experiment, registry, data or weights are wrong: nothing was begun.
    Input = 2,
    /// The run went to its end, and some cells failed.
    CellsFailed = 3,
    /// The system refused: a folder that can't be written to, a full disk.
    System = 4,
    /// A fault of this program.
    Internal = 5,
    /// Ended by Ctrl-C or a termination signal, in a clean state.
    Interrupted = 130,
}

/// Why a command did not come to its end.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// May have several lines; empty where all is said already.
    pub(crate) message: String,
}

impl Failure {
    /// A failure of what the user gave.
    pub(crate) fn input(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Input, message: message.to_string() }
    }
}

impl Failure {
    /// A failure of a kind.
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
    harness_data::DataError: Input,
    harness_weights::WeightsError: Input,
    harness_features::Error: Disk,
    harness_tables::TablesError: Disk,
    harness_report::ReportError: Internal
);

/// Prints what is left to say and gives the process's exit code.
#[expect(clippy::print_stderr, reason = "the program's last words")]
pub(crate) fn code(result: Result<Exit, Failure>) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.message.is_empty() {
                eprintln!("error: {}", failure.message);
            }
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
