//! All tables of a report, in its order.

use std::path::Path;

use harness_results::ReportInput;
use harness_tables::TablesError;

use crate::ReportError;
use crate::ablation::{Filled, ablation};
use crate::answer::evidence;
use crate::backends::backends;
use crate::controls::controls;
use crate::cross_dataset::cross_dataset;
use crate::few_shot::{self, few_shot};
use crate::material::Material;
use crate::methods::methods;
use crate::optimism::{delong, optimism};
use crate::published::{Ours, published, published_table};
use crate::sheet::Table;

/// Names of all tables but the summary.
const NAMES: [&str; 9] =
    ["few-shot", "methods", "controls", "published", "ablation", "optimism", "cross-dataset", "backends", "delong"];

/// Removes files of tables that an earlier report had and this one does not have.
pub(crate) fn remove_others(folder: &Path, tables: &[Table]) -> Result<(), ReportError> {
    for name in NAMES.iter().filter(|name| tables.iter().all(|table| table.name != **name)) {
        for extension in ["md", "tex", "caption.tex", "csv", "parquet"] {
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
///
/// # Errors
/// Polars' own.
pub(crate) fn tables(from: &Material<'_>, compared: &[Filled<'_>]) -> Result<Vec<Table>, ReportError> {
    let (input, rows, datasets, print) = (from.input, &from.rows, &from.datasets, &from.print);
    // The numbers of a smoke test are compared with nothing.
    let known = if input.smoke { Vec::new() } else { published()? };
    let ours = Ours { rows, datasets, methods: &input.methods, base: from.base() };
    let of_few_shots = few_shot::Material {
        rows,
        datasets,
        variants: &input.variants,
        published: &known,
        differences: &input.differences,
        print,
    };
    let limit = compared.iter().filter_map(|filled| evidence(input, &filled.block).limit()).min();
    let found = [
        few_shot(&of_few_shots)?,
        methods(&input.of_methods, datasets, rows, &input.differences, print)?,
        controls(&input.controls, print)?,
        published_table(&ours, &known, print)?,
        ablation(&from.ablation(), compared, limit, print)?,
        optimism(&input.optimism, datasets, &input.variants, &from.no_choice, print)?,
        cross_dataset(&from.matrices, print)?,
        backends(&input.backends, print)?,
        delong(&input.delong, &from.no_choice, print)?,
    ];
    Ok(found.into_iter().flatten().collect())
}

/// Notes on the statistics of the tables, and why there are none where that is known.
pub(crate) fn statistics(input: &ReportInput) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(level) =
        input.intervals.iter().map(|row| row.level).chain(input.differences.iter().map(|row| row.level)).next()
    else {
        return input.notes.clone();
    };
    notes.push(format!(
        "Intervals are {:.0} % intervals of a stratified bootstrap: bias-corrected and accelerated for values, percentile for \
         differences. The unit is the test image within its class (the patient, where the dataset names one), drawn alike for \
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
