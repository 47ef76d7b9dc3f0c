//! A CSV file with named columns, and the line of each row.

use std::path::Path;

use harness_config::suggest::nearest;

use crate::error::{DataError, Result};

/// One row.
pub(crate) struct Row {
    /// Line in the file, from 1.
    pub(crate) line: u64,
    /// Fields of the required columns, in the order asked for.
    pub(crate) required: Vec<String>,
    /// Fields of the optional columns; `None` where the column is missing or the field empty.
    pub(crate) optional: Vec<Option<String>>,
}

impl Row {
    /// Required field `column` as a label: 0 is normal, 1 abnormal.
    ///
    /// # Errors
    /// [`DataError::List`].
    pub(crate) fn label(&self, path: &Path, column: usize) -> Result<bool> {
        match self.required[column].as_str() {
            "0" => Ok(false),
            "1" => Ok(true),
            other => Err(DataError::List {
                path: path.to_owned(),
                line: self.line,
                message: format!("label `{other}`: must be 0 (normal) or 1 (abnormal)"),
            }),
        }
    }
}

/// All rows.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Reads a table with a header; columns may stand in any order, unknown ones are refused.
    ///
    /// # Errors
    /// [`DataError::List`].
    pub(crate) fn parse(path: &Path, text: &str, required: &[&str], optional: &[&str]) -> Result<Self> {
        let wrong = |line: u64, message: String| DataError::List { path: path.to_owned(), line, message };
        let invalid = |e: csv::Error| wrong(e.position().map_or(1, csv::Position::line), format!("not valid CSV: {e}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(invalid)?.clone();
        let known = || required.iter().chain(optional).copied();
        for name in &header {
            if !known().any(|column| column == name) {
                let near = nearest(name, known()).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
                let all = known().collect::<Vec<_>>().join(", ");
                return Err(wrong(1, format!("unknown column `{name}`{near}; columns are {all}")));
            }
        }
        let position = |name: &str| header.iter().position(|column| column == name);
        let required: Vec<usize> = required
            .iter()
            .map(|name| position(name).ok_or_else(|| wrong(1, format!("there is no column `{name}`; add it"))))
            .collect::<Result<_>>()?;
        let optional: Vec<Option<usize>> = optional.iter().map(|name| position(name)).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(invalid)?;
            let field = |i: usize| record.get(i).unwrap_or_default().to_owned();
            rows.push(Row {
                line: record.position().map_or(0, csv::Position::line),
                required: required.iter().map(|&i| field(i)).collect(),
                optional: optional.iter().map(|i| i.map(field).filter(|text| !text.is_empty())).collect(),
            });
        }
        Ok(Self { rows })
    }
}
