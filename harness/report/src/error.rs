//! What can go wrong with a report.

use harness_tables::TablesError;

/// Why a report or one of its figures could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A table or a file.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] harness_disk::DiskError),
    /// Data that don't make a figure.
    #[error("figure `{figure}`: {what}")]
    Figure {
        /// The figure's name.
        figure: String,
        /// What does not fit.
        what: String,
    },
    /// Plotters gave up.
    #[error("figure `{figure}` could not be drawn: {what}")]
    Drawing {
        /// The figure's name.
        figure: String,
        /// Its reason.
        what: String,
    },
    /// A PNG could not be encoded.
    #[error("figure `{figure}`: {source}")]
    Png {
        /// The figure's name.
        figure: String,
        /// The encoder's reason.
        source: png::EncodingError,
    },
    /// The font inside the program is damaged.
    #[error("the embedded font can't be read: this build is damaged")]
    Font,
}
