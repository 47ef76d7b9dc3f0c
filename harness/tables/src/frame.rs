//! Tables with columns that are only known at run time.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType};

use crate::files::{csv_bytes, parquet_bytes};
use crate::row::frame;
use crate::text::{self, Grid};
use harness_disk::write_durable;

use crate::{Row, TablesError};

/// The values of one column of a [`Frame`].
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Words, left-aligned in text.
    Text(Vec<String>),
    /// Numbers that are already words (`0.934 ± 0.009, n = 3`), right-aligned in text.
    Measure(Vec<String>),
    /// Fractions, with three decimals in text; absent ones are a dash.
    Number(Vec<Option<f64>>),
    /// Counts.
    Count(Vec<u64>),
}

/// A table of named columns.
#[derive(Clone, Debug)]
pub struct Frame {
    data: DataFrame,
    right: Vec<bool>,
    bold: BTreeSet<(usize, usize)>,
    rules: BTreeSet<usize>,
    spans: Vec<(Range<usize>, String)>,
}

impl Frame {
    /// A table of columns, left to right.
    ///
    /// # Errors
    /// Columns of unequal length, or a name given twice.
    pub fn new(columns: Vec<(String, Values)>) -> Result<Self, TablesError> {
        let right = columns.iter().map(|(_, values)| !matches!(values, Values::Text(_))).collect();
        let columns: Vec<Column> = columns
            .into_iter()
            .map(|(name, values)| match values {
                Values::Text(values) | Values::Measure(values) => Column::new(name.into(), values),
                Values::Number(values) => Column::new(name.into(), values),
                Values::Count(values) => Column::new(name.into(), values),
            })
            .collect();
        Ok(Self::plain(DataFrame::new_infer_height(columns)?, right))
    }

    /// The table of typed rows.
    ///
    /// # Errors
    /// Polars' own.
    pub fn of<R: Row>(rows: &[R]) -> Result<Self, TablesError> {
        let data = frame(rows)?;
        let right = R::kinds().iter().map(|(_, kind)| kind.0.is_primitive_numeric()).collect();
        Ok(Self::plain(data, right))
    }

    fn plain(data: DataFrame, right: Vec<bool>) -> Self {
        Self { data, right, bold: BTreeSet::new(), rules: BTreeSet::new(), spans: Vec::new() }
    }

    /// The table with cells (row, column) in bold, in Markdown and LaTeX.
    #[must_use]
    pub fn with_bold(self, cells: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self { bold: cells.into_iter().collect(), ..self }
    }

    /// The table with a rule above each of these rows in LaTeX.
    #[must_use]
    pub fn with_rules(self, rows: impl IntoIterator<Item = usize>) -> Self {
        Self { rules: rows.into_iter().collect(), ..self }
    }

    /// The table with columns under common headings in LaTeX. A column's name starts with its heading and a space,
    /// which LaTeX leaves out below the heading.
    #[must_use]
    pub fn with_headings(self, spans: Vec<(Range<usize>, String)>) -> Self {
        Self { spans, ..self }
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.data.height()
    }

    /// The table in Markdown with pipes, columns filled to equal width, numbers to the right. Ends with a line break.
    ///
    /// # Errors
    /// Polars' own.
    pub fn to_markdown(&self) -> Result<String, TablesError> {
        Ok(text::markdown(&self.grid()?))
    }

    /// The table as a LaTeX `tabular` with rules of the package `booktabs`. Ends with a line break.
    ///
    /// # Errors
    /// Polars' own.
    pub fn to_latex(&self) -> Result<String, TablesError> {
        Ok(text::latex(&self.grid()?))
    }

    /// Writes the table as CSV.
    ///
    /// # Errors
    /// The system's.
    pub fn write_csv(&self, path: &Path) -> Result<(), TablesError> {
        Ok(write_durable(path, &csv_bytes(self.data.clone())?)?)
    }

    /// Writes the table as Parquet, marked as `table`.
    ///
    /// # Errors
    /// The system's.
    pub fn write_parquet(&self, path: &Path, table: &str) -> Result<(), TablesError> {
        Ok(write_durable(path, &parquet_bytes(self.data.clone(), table)?)?)
    }

    fn grid(&self) -> Result<Grid, TablesError> {
        let header = self.data.get_column_names().into_iter().map(|name| name.to_string()).collect();
        let columns: Vec<Vec<String>> = self.data.columns().iter().map(words).collect::<Result<_, _>>()?;
        let rows = (0..self.data.height())
            .map(|row| columns.iter().map(|column| column.get(row).cloned().unwrap_or_default()).collect())
            .collect();
        let (right, bold, rules) = (self.right.clone(), self.bold.clone(), self.rules.clone());
        Ok(Grid { header, rows, right, bold, rules, spans: self.spans.clone() })
    }
}

/// A column's cells as a reader should see them.
fn words(column: &Column) -> Result<Vec<String>, TablesError> {
    let dash = || "–".to_owned();
    Ok(match column.dtype() {
        DataType::String => column.str()?.iter().map(|v| v.unwrap_or_default().to_owned()).collect(),
        DataType::Float64 => column.f64()?.iter().map(|v| v.map_or_else(dash, |v| format!("{v:.3}"))).collect(),
        DataType::UInt32 => column.u32()?.iter().map(|v| v.map_or_else(dash, |v| v.to_string())).collect(),
        DataType::UInt64 => column.u64()?.iter().map(|v| v.map_or_else(dash, |v| v.to_string())).collect(),
        _ => column.bool()?.iter().map(|v| v.map_or_else(dash, |v| v.to_string())).collect(),
    })
}
