//! Tables with columns that are only known at run time.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use polars::prelude::{Column, DataFrame, DataType};

use crate::files::{csv_bytes, parquet_bytes};
use crate::latex::{Layout, latex};
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
    stub: usize,
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
        Self { data, right, bold: BTreeSet::new(), rules: BTreeSet::new(), spans: Vec::new(), stub: 1 }
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

    /// The table whose first columns say what a row is of, so that each part of a table that is too wide has them.
    #[must_use]
    pub fn with_stub(self, stub: usize) -> Self {
        Self { stub, ..self }
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

    /// The table in LaTeX with rules of the package `booktabs`, no wider than a line: in smaller type, in several
    /// `tabular`s, or as a `longtable` where it is longer than a page. Ends with a line break.
    ///
    /// # Errors
    /// Polars' own.
    pub fn to_latex(&self, layout: &Layout<'_>) -> Result<String, TablesError> {
        Ok(latex(&self.grid()?, layout))
    }

    /// The table without columns of these names, whole or below their heading, or below such a heading.
    ///
    /// # Errors
    /// Polars' own.
    pub fn without(mut self, names: &[String]) -> Result<Self, TablesError> {
        let is_out = |frame: &Self, at: usize, name: &str| {
            let above = frame.spans.iter().find(|(span, _)| span.contains(&at)).map_or("", |(_, above)| above.as_str());
            let below = name.strip_prefix(above).unwrap_or(name).trim_start();
            names.iter().any(|out| out == name || out == below || (!above.is_empty() && out == above))
        };
        for at in (0..self.data.width()).rev() {
            let name = self.data.get_column_names()[at].to_string();
            if is_out(&self, at, &name) {
                self.data = self.data.drop(&name)?;
                self.right.remove(at);
                self.stub -= usize::from(at < self.stub);
                let shift = |column: usize| if column > at { column - 1 } else { column };
                self.bold = self.bold.into_iter().filter(|(_, c)| *c != at).map(|(row, c)| (row, shift(c))).collect();
                self.spans.iter_mut().for_each(|(span, _)| *span = shift(span.start)..shift(span.end));
                self.spans.retain(|(span, _)| !span.is_empty());
            }
        }
        Ok(self)
    }

    /// The table with a further column that has one value.
    ///
    /// # Errors
    /// A name that it has already.
    pub fn with_flag(mut self, name: &str, value: bool) -> Result<Self, TablesError> {
        self.data.with_column(Column::new(name.into(), vec![value; self.data.height()]))?;
        self.right.push(false);
        Ok(self)
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
        Ok(Grid { header, rows, right, bold, rules, spans: self.spans.clone(), stub: self.stub })
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
