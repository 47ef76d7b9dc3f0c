//! A CSV file with named columns, and the line of each row.

use std::path::Path;

use harness_config::suggest::nearest;
use harness_config::without_mark;

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
            // As pandas and spreadsheets write the two numbers, and truth values.
            "0" | "0.0" | "False" | "false" | "FALSE" => Ok(false),
            "1" | "1.0" | "True" | "true" | "TRUE" => Ok(true),
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
    /// Columns that are not read.
    pub(crate) unread: Vec<String>,
}

impl Table {
    /// Reads a table with a header; columns may stand in any order. Unknown ones are not read, but one that may be
    /// a known one misspelt is refused.
    ///
    /// # Errors
    /// [`DataError::List`].
    pub(crate) fn parse(path: &Path, text: &str, required: &[&str], optional: &[&str]) -> Result<Self> {
        let wrong = |line: u64, message: String| DataError::List { path: path.to_owned(), line, message };
        let invalid = |e: csv::Error| wrong(e.position().map_or(1, csv::Position::line), format!("not valid CSV: {e}"));
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(without_mark(text).as_bytes());
        let header = reader.headers().map_err(invalid)?.clone();
        let known = || required.iter().chain(optional).copied();
        if header.iter().all(str::is_empty) {
            let columns = required.iter().chain(optional).copied().collect::<Vec<_>>().join(", ");
            return Err(wrong(1, format!("the table is empty; its first line names the columns: {columns}")));
        }
        let only = header.get(0).filter(|_| header.len() == 1).unwrap_or_default();
        if let Some(separator) = SEPARATORS.iter().find(|(c, _)| only.contains(*c)) {
            let message = format!("the columns are separated by {}; separate them by commas", separator.1);
            return Err(wrong(1, message));
        }
        let mut unread = Vec::new();
        for (i, name) in header.iter().enumerate() {
            if known().any(|column| column == name) {
                if header.iter().take(i).any(|earlier| earlier == name) {
                    return Err(wrong(1, format!("two columns are called `{name}`; remove or rename one")));
                }
                continue;
            }
            let absent = || known().filter(|column| !header.iter().any(|name| name == *column));
            if let Some(near) = meant(name, absent()) {
                let all = known().collect::<Vec<_>>().join(", ");
                let message = format!("unknown column `{name}` (did you mean `{near}`?); columns are {all}");
                return Err(wrong(1, message));
            }
            unread.push(name.to_owned());
        }
        let position = |name: &str| header.iter().position(|column| column == name);
        let required: Vec<usize> = required
            .iter()
            .map(|name| {
                let has = header.iter().collect::<Vec<_>>().join(", ");
                position(name)
                    .ok_or_else(|| wrong(1, format!("there is no column `{name}`; add it (columns here: {has})")))
            })
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
        Ok(Self { rows, unread })
    }
}

/// Separators that are not read, in words.
const SEPARATORS: [(char, &str); 3] = [(';', "`;`"), ('\t', "tabs"), ('|', "`|`")];

/// The column that was probably meant: one whose name is near, or a word of the typed one.
fn meant<'a>(typed: &str, columns: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    let near = if typed.is_empty() { None } else { nearest(typed, columns.clone()) };
    near.or_else(|| words.find_map(|word| columns.clone().find(|column| *column == word)))
}
