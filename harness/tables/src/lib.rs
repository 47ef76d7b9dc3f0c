//! Typed rows, lazy queries over them, and tables as CSV, Parquet, Markdown and LaTeX. The only crate that knows
//! Polars, and no type of Polars leaves it.
//!
//! Every file appears under its name complete or not at all. A Parquet file names its table and [`FORMAT`] in its
//! key-value metadata (`harness.table`, `harness.format`); a CSV file is recognised by its header line.

mod cell;
mod draw;
mod error;
mod files;
mod frame;
mod latex;
mod names;
mod predictions;
mod published;
mod query;
mod row;
mod rows;
mod shots;
mod statistics;
mod text;

pub use error::TablesError;
pub use files::{
    FORMAT, parse_csv, read_csv, read_curve, read_parquet, read_results, read_scores, write_csv, write_curve,
    write_parquet, write_results, write_scores,
};
pub use frame::{Frame, Values};
pub use latex::Layout;
pub use names::{Smoke, Stated, Status};
pub use predictions::PredictionRow;
pub use published::PublishedRow;
pub use query::{Aggregate, Query, count, distinct, values};
pub use row::Row;
pub use rows::{CurveRow, ImageScoreRow, ResultRow, ScoreRow};
pub use statistics::{BackendRow, ControlRow, DeLongRow, DifferenceRow, IntervalRow, MethodRow};
pub use text::latex_escape;

/// What [`row!`] expands to.
#[doc(hidden)]
pub mod macros {
    pub use crate::row::{Filled, Found, Kind, all_filled, filled, kind, kinds};
}
