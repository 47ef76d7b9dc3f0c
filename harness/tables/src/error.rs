//! What can go wrong with a table.

use std::path::PathBuf;

use polars::prelude::PolarsError;

/// Why a table could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] harness_disk::DiskError),
    /// The system refused to read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or its folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are not a table that Polars can read.
    #[error("{}: not readable as a table: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Polars' reason.
        source: PolarsError,
    },
    /// The bytes are damaged in a way that the decoder did not foresee.
    #[error("{}: the file is damaged (its decoder gave up); write it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A table that is not the one asked for.
    #[error("{}: holds {found}, expected {expected}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What the file says it is.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// A file of a newer program.
    #[error("{}: format {found} is newer than {supported}, the newest this program knows; update the program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Format in the file.
        found: u32,
        /// Newest format known here.
        supported: u32,
    },
    /// A column that is missing, or whose type or values don't fit.
    #[error("{}: column `{column}`: {what}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A file name without a known extension.
    #[error("{}: the name must end in .csv or .parquet", path.display())]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// Columns that don't make a table, or a query or table that Polars refused.
    #[error("can't make a table: {0}")]
    Frame(#[from] PolarsError),
}
