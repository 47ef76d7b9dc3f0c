//! Typed rows to and from CSV and Parquet files.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    CsvReadOptions, CsvWriter, DataFrame, KeyValueMetadata, ParallelStrategy, ParquetReader, ParquetWriter,
    PolarsResult, Schema, SerReader, SerWriter,
};

use harness_disk::write_durable;

use crate::row::{Found, frame};
use crate::rows::ImageScoreRow;
use crate::{CurveRow, ResultRow, Row, ScoreRow, TablesError};

/// Format of the Parquet files written here but `scores.parquet`, as in their metadata. Readers take every format up to
/// it.
pub const FORMAT: u32 = 1;

const TABLE_KEY: &str = "harness.table";
const FORMAT_KEY: &str = "harness.format";

/// Writes `results.csv` and `results.parquet` into `folder`.
///
/// # Errors
/// The system's.
pub fn write_results(rows: &[ResultRow], folder: &Path) -> Result<(), TablesError> {
    let rows = frame(rows)?;
    write_durable(&folder.join("results.csv"), &csv_bytes(rows.clone())?)?;
    Ok(write_durable(&folder.join("results.parquet"), &parquet_bytes(rows, ResultRow::TABLE)?)?)
}

/// Reads results from a `.csv` or `.parquet` file.
///
/// # Errors
/// A file that can't be read or does not hold results, naming the column at fault.
pub fn read_results(path: &Path) -> Result<Vec<ResultRow>, TablesError> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => read_csv(path),
        Some("parquet") => read_parquet(path),
        _ => Err(TablesError::Extension { path: path.to_owned() }),
    }
}

/// Writes a training's curve as Parquet.
///
/// # Errors
/// The system's.
pub fn write_curve(rows: &[CurveRow], path: &Path) -> Result<(), TablesError> {
    write_parquet(rows, path)
}

/// Reads a training's curve from Parquet.
///
/// # Errors
/// As [`read_results`].
pub fn read_curve(path: &Path) -> Result<Vec<CurveRow>, TablesError> {
    read_parquet(path)
}

/// Format of `scores.parquet`, a row for each image and image score. Format 1 had a column for each score.
const SCORES_FORMAT: u32 = 2;

/// Writes image scores as Parquet, a row for each score of an image.
///
/// # Errors
/// The system's.
pub fn write_scores(rows: &[ScoreRow], path: &Path) -> Result<(), TablesError> {
    let rows = frame(&ImageScoreRow::of(rows))?;
    Ok(write_durable(path, &marked_bytes(rows, ScoreRow::TABLE, SCORES_FORMAT)?)?)
}

/// Reads image scores from Parquet, of either format. Image scores that this version does not know are left out.
///
/// # Errors
/// As [`read_results`].
pub fn read_scores(path: &Path) -> Result<Vec<ScoreRow>, TablesError> {
    let (format, frame) = read_marked(path, ScoreRow::TABLE, SCORES_FORMAT)?;
    let found = Found::new(&frame, path);
    match format {
        1 => ScoreRow::rows(&found),
        _ => Ok(ImageScoreRow::together(ImageScoreRow::rows(&found)?)),
    }
}

/// Writes rows as Parquet, the same rows always as the same bytes.
///
/// # Errors
/// The system's.
pub fn write_parquet<R: Row>(rows: &[R], path: &Path) -> Result<(), TablesError> {
    Ok(write_durable(path, &parquet_bytes(frame(rows)?, R::TABLE)?)?)
}

/// Writes rows as CSV with a header line. An absent value is an empty field, an empty text is `""`.
///
/// # Errors
/// The system's.
pub fn write_csv<R: Row>(rows: &[R], path: &Path) -> Result<(), TablesError> {
    Ok(write_durable(path, &csv_bytes(frame(rows)?)?)?)
}

/// Reads rows from Parquet.
///
/// # Errors
/// A file that can't be read, holds another table or a newer format, or whose columns don't fit.
pub fn read_parquet<R: Row>(path: &Path) -> Result<Vec<R>, TablesError> {
    let (_, frame) = read_marked(path, R::TABLE, FORMAT)?;
    R::rows(&Found::new(&frame, path))
}

/// The frame of a Parquet file that holds a table in a format up to `supported`, and its format.
fn read_marked(path: &Path, expected: &str, supported: u32) -> Result<(u32, DataFrame), TablesError> {
    let bytes = read(path)?;
    let (table, format, frame) = decode(path, || {
        let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
        let metadata = reader.get_metadata()?.clone();
        let value = |key: &str| {
            let pairs = metadata.key_value_metadata().iter().flatten();
            pairs.filter(|pair| pair.key == key).find_map(|pair| pair.value.clone())
        };
        let (table, format) = (value(TABLE_KEY), value(FORMAT_KEY).and_then(|text| text.parse::<u32>().ok()));
        // A newer format may use what this reader can't decode: the number comes first.
        let frame = match format {
            Some(format) if (1..=supported).contains(&format) => Some((format, reader.finish()?)),
            _ => None,
        };
        Ok((table, format, frame))
    })?;
    if let Some(found) = format.filter(|format| *format > supported) {
        return Err(TablesError::Newer { path: path.to_owned(), found, supported });
    }
    match frame {
        Some(frame) if table.as_deref() == Some(expected) => Ok(frame),
        _ => {
            let found = table.map_or_else(|| "a table of another program".to_owned(), |name| format!("`{name}`"));
            Err(TablesError::Table { path: path.to_owned(), found, expected: format!("`{expected}`") })
        }
    }
}

/// Reads rows from CSV whose header is exactly the table's columns.
///
/// # Errors
/// A file that can't be read, has another header, or whose values don't fit.
pub fn read_csv<R: Row>(path: &Path) -> Result<Vec<R>, TablesError> {
    parse_csv(read(path)?, path)
}

/// Reads rows from the bytes of a CSV file; `path` names them in messages.
///
/// # Errors
/// As [`read_csv`].
pub fn parse_csv<R: Row>(bytes: Vec<u8>, path: &Path) -> Result<Vec<R>, TablesError> {
    let header = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(header.strip_suffix(b"\r").unwrap_or(header)).into_owned();
    let columns = R::kinds();
    // Polars takes the schema by position, so a header in another order must not pass.
    let expected = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    if header != expected {
        let found = format!("columns `{}`", header.chars().take(400).collect::<String>());
        return Err(TablesError::Table { path: path.to_owned(), found, expected: format!("columns `{expected}`") });
    }
    let schema: Schema = columns.into_iter().map(|(name, kind)| (name.into(), kind.0)).collect();
    let frame = decode(path, || {
        CsvReadOptions::default()
            .with_has_header(true)
            .with_schema(Some(Arc::new(schema)))
            .with_raise_if_empty(false)
            .with_n_threads(Some(1))
            .into_reader_with_file_handle(Cursor::new(bytes))
            .finish()
    })?;
    R::rows(&Found::new(&frame, path))
}

/// A frame as Parquet, marked with table and format.
pub(crate) fn parquet_bytes(frame: DataFrame, table: &str) -> Result<Vec<u8>, TablesError> {
    marked_bytes(frame, table, FORMAT)
}

/// The same in a format of the table's own.
fn marked_bytes(mut frame: DataFrame, table: &str, format: u32) -> Result<Vec<u8>, TablesError> {
    let mut bytes = Vec::new();
    let marks = vec![(TABLE_KEY.to_owned(), table.to_owned()), (FORMAT_KEY.to_owned(), format.to_string())];
    ParquetWriter::new(&mut bytes)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(marks)))
        .finish(&mut frame)?;
    Ok(bytes)
}

/// A frame as CSV.
pub(crate) fn csv_bytes(mut frame: DataFrame) -> Result<Vec<u8>, TablesError> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, TablesError> {
    std::fs::read(path).map_err(|source| TablesError::Io { path: path.to_owned(), source })
}

/// Runs a decoder. Polars panics on some damaged files; a file must not bring the program down.
fn decode<T>(path: &Path, decoder: impl FnOnce() -> PolarsResult<T>) -> Result<T, TablesError> {
    match catch_unwind(AssertUnwindSafe(decoder)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(TablesError::Unreadable { path: path.to_owned(), source }),
        Err(_) => Err(TablesError::Damaged { path: path.to_owned() }),
    }
}
