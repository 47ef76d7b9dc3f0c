//! From a plan and its records to what a report is made of: rows of the results table, what follows from many of them, and the
//! data of figures. No score is computed here, and nothing is drawn.

mod averages;
mod backends;
mod delong;
mod families;
mod figures;
mod published;
mod records;
mod rows;
mod statistics;

use std::path::Path;

use harness_data::Registry;
use harness_experiment::Plan;
use harness_report::{ReportInput, write_report};
use harness_tables::{ResultRow, write_csv, write_parquet, write_results};

use self::records::Records;
use crate::error::Error;
use crate::folder::{Folder, Provenance};

/// What a results folder holds of a plan.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// All that a report is made of.
    pub report: ReportInput,
    /// What is missing from it, and why.
    pub notes: Vec<String>,
}

/// Reads the records of a plan. Pictures of test images need the registry; without one, or where a dataset is not there, the
/// panels are left out and a note says so.
///
/// # Errors
/// Records that can't be read.
pub fn collect(plan: &Plan, folder: &Folder, registry: Option<&Registry>) -> Result<Results, Error> {
    let provenance = folder.read_provenance()?;
    let records = Records::read(plan, folder)?;
    let rows = rows::rows(plan, folder, &records, provenance.allow_overlap)?;
    let statistics = statistics::statistics(plan, &records)?;
    let figures = figures::figures(plan, folder, registry)?;
    let report = ReportInput {
        experiment: plan.name.clone(),
        smoke: plan.smoke,
        provenance: told(plan, &provenance),
        variants: plan.variants.iter().map(|variant| variant.name.clone()).collect(),
        results: rows,
        roc: figures.roc,
        curves: figures.curves,
        panels: figures.panels,
        base: families::base(plan).map(|place| plan.variants[place].name.clone()).unwrap_or_default(),
        intervals: statistics.intervals,
        differences: statistics.differences,
        delong: statistics.delong,
        optimism: statistics.optimism,
        notes: statistics.notes,
        datasets: published::datasets(plan, registry),
        methods: published::methods(plan),
        backends: backends::backends(plan, folder)?,
        ..ReportInput::default()
    };
    Ok(Results { report, notes: figures.notes })
}

impl Results {
    /// The rows of the results table.
    pub fn rows(&self) -> &[ResultRow] {
        &self.report.results
    }

    /// Writes tables, figures and report below `folder`. Returns the summary table in Markdown.
    ///
    /// # Errors
    /// The system's; data that make no figure.
    pub fn write(&self, folder: &Path) -> Result<String, Error> {
        write_results(&self.report.results, folder)?;
        let report = &self.report;
        if !report.intervals.is_empty() {
            write_csv(&report.intervals, &folder.join("tables/intervals.csv"))?;
            write_parquet(&report.intervals, &folder.join("tables/intervals.parquet"))?;
        }
        if !report.differences.is_empty() {
            write_csv(&report.differences, &folder.join("tables/differences.csv"))?;
            write_parquet(&report.differences, &folder.join("tables/differences.parquet"))?;
        }
        let empty = [
            ("intervals", report.intervals.is_empty()),
            ("differences", report.differences.is_empty()),
            ("optimism", report.optimism.is_empty()),
            ("delong", report.delong.is_empty()),
        ];
        for (name, _) in empty.into_iter().filter(|(_, empty)| *empty) {
            remove_table(folder, name)?;
        }
        Ok(write_report(report, folder)?)
    }
}

/// Removes the files of a table that an earlier experiment left in the folder.
fn remove_table(folder: &Path, name: &str) -> Result<(), Error> {
    for extension in ["csv", "parquet", "md", "tex"] {
        let path = folder.join("tables").join(format!("{name}.{extension}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a reader should know of how numbers came about.
fn told(plan: &Plan, provenance: &Provenance) -> Vec<(String, String)> {
    let encoder = match &plan.encoder.source {
        harness_experiment::EncoderSource::File { path, .. } => {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
        harness_experiment::EncoderSource::Synthetic { seed, .. } => format!("synthetic, seed {seed}"),
    };
    let backends = plan.backends.iter().map(|b| format!("{} {} on {}", b.name, b.version, b.device));
    let mut lines = vec![
        ("harness".to_owned(), provenance.harness.clone()),
        ("encoder".to_owned(), format!("{encoder} (BLAKE3 {})", plan.encoder.weights)),
        ("backends".to_owned(), backends.collect::<Vec<_>>().join(", ")),
        ("processor".to_owned(), provenance.cpu_level.clone()),
        (
            "training".to_owned(),
            format!(
                "{} epochs, batches of {}, learning rate {}; epochs count from 0",
                plan.train.epochs, plan.train.batch, plan.train.learning_rate
            ),
        ),
    ];
    if provenance.allow_overlap {
        lines.push(("overlap".to_owned(), "support and test images were allowed to overlap".to_owned()));
    }
    lines
}
