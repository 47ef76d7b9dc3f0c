//! Typed rows to and from CSV and Parquet files, and frames as Markdown and LaTeX: the one crate that knows Polars. What a
//! number means, and any arithmetic on it, is elsewhere.
//!
//! Every file appears under its name complete or not at all. A Parquet file names its table and [`FORMAT`] in its key-value
//! metadata (`harness.table`, `harness.format`); a CSV file is recognised by its header line.

mod cell;
mod error;
mod files;
mod frame;
mod predictions;
mod published;
mod row;
mod rows;
mod statistics;
mod text;

pub use error::TablesError;
pub use files::{
    FORMAT, parse_csv, read_csv, read_curve, read_parquet, read_results, read_scores, write_csv, write_curve,
    write_parquet, write_results, write_scores,
};
pub use frame::{Frame, Values};
pub use predictions::PredictionRow;
pub use published::PublishedRow;
pub use row::Row;
pub use rows::{CurveRow, ResultRow, ScoreRow, Status};
pub use statistics::{BackendRow, DeLongRow, DifferenceRow, IntervalRow};
pub use text::latex_escape;
