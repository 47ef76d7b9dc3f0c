//! The crate's errors. What is wrong inside an experiment file is a list: see `problems`.

use std::path::PathBuf;

use harness_config::Problems;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can't be read, or isn't UTF-8 text.
    #[error("{}: cannot read the experiment file: {source}; give the path of a .toml text file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was read and something in it, or in the world it names, does not fit.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// A filter of cells that names what the experiment does not have.
    #[error("filter `{text}`: {what}")]
    Filter {
        /// As typed.
        text: String,
        /// What is wrong with it, and what there is.
        what: String,
    },
    /// A frozen plan that isn't one, or not of this version.
    #[error("frozen plan: {what}; plan the experiment again with this version of harness")]
    Frozen {
        /// What does not fit, with the place where there is one.
        what: String,
    },
    /// A plan could not be written as text: a mistake of this program.
    #[error("cannot encode {what}: {why}; this is a bug in harness, please report it")]
    Encode {
        /// The record.
        what: &'static str,
        /// The encoder's message.
        why: String,
    },
}
