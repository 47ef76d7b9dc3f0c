//! Why there is no plan.

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
    /// A frozen plan that this version can't read or whose records it would not compute.
    #[error("frozen plan: {what}; {advice}")]
    Frozen {
        /// What does not fit, with the position where there is one.
        what: String,
        /// What to do.
        advice: &'static str,
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
