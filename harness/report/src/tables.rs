//! All tables of a report in the order in which it has them. What is in a table is in the module of its name.

use std::path::Path;

use harness_results::ReportDataset;
use harness_tables::TablesError;

use crate::ablation::ablation;
use crate::backends::backends;
use crate::comparisons::Ablation;
use crate::cross_dataset::{Matrix, cross_dataset};
use crate::few_shot::few_shot;
use crate::optimism::{delong, optimism};
use crate::published::{Ours, published, published_table};
use crate::sheet::Table;
use crate::{ReportError, ReportInput, SummaryRow};

/// What tables are made of, put in order once.
pub(crate) struct Material<'a> {
    pub(crate) input: &'a ReportInput,
    pub(crate) rows: &'a [SummaryRow],
    pub(crate) datasets: &'a [ReportDataset],
    pub(crate) matrices: &'a [Matrix],
}

impl<'a> Material<'a> {
    /// What the ablation's table and figure are made of.
    pub(crate) fn ablation(&self) -> Ablation<'a> {
        Ablation {
            rows: self.rows,
            datasets: self.datasets,
            variants: &self.input.variants,
            base: &self.input.base,
            intervals: &self.input.intervals,
            differences: &self.input.differences,
        }
    }
}

/// Names of all tables but the summary.
const NAMES: [&str; 7] = ["few-shot", "published", "ablation", "optimism", "cross-dataset", "backends", "delong"];

/// Removes files of tables that an earlier report had and this one has not.
pub(crate) fn remove_others(folder: &Path, tables: &[Table]) -> Result<(), ReportError> {
    for name in NAMES.iter().filter(|name| tables.iter().all(|table| table.name != **name)) {
        for extension in ["md", "tex", "csv", "parquet"] {
            let path = folder.join("tables").join(format!("{name}.{extension}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(TablesError::Io { path, source }.into());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The tables that the results can fill.
pub(crate) fn tables(from: &Material<'_>) -> Result<Vec<Table>, ReportError> {
    let (input, rows) = (from.input, from.rows);
    // A smoke test's numbers are beside nothing.
    let known = if input.smoke { Vec::new() } else { published()? };
    let base = if input.base.is_empty() { input.variants.first().map_or("", String::as_str) } else { &input.base };
    let ours = Ours { rows, datasets: from.datasets, methods: &input.methods, base };
    let found = [
        few_shot(rows, from.datasets, &input.variants, &known, &input.differences)?,
        published_table(&ours, &known)?,
        ablation(&from.ablation())?,
        optimism(&input.optimism, from.datasets, &input.variants)?,
        cross_dataset(from.matrices)?,
        backends(&input.backends)?,
        delong(&input.delong)?,
    ];
    Ok(found.into_iter().flatten().collect())
}

/// Notes on the statistics of the tables that there are; empty where there are none.
pub(crate) fn statistics(input: &ReportInput) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(level) =
        input.intervals.iter().map(|row| row.level).chain(input.differences.iter().map(|row| row.level)).next()
    else {
        return notes;
    };
    notes.push(format!(
        "Intervals are {:.0} % intervals of a stratified bootstrap: bias-corrected and accelerated for values, percentile for \
         differences. The unit is the test image within its class (the patient, where the data set names one), drawn alike for \
         what is compared; where there are several draws, draws are drawn too, of a single draw its seeds.",
        level * 100.0
    ));
    if !input.differences.is_empty() {
        notes.push(
            "Families for Holm's correction: all variants compared with the base on one metric and image score, on one data \
             set (or their mean), at one K, by one selection rule, on one backend; where another variant is the best, all that \
             are compared with that best are a second family."
                .to_owned(),
        );
    }
    notes.extend(input.notes.iter().cloned());
    notes
}
