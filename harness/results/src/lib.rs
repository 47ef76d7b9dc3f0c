//! Typed results from the records of a plan: rows of the results table, statistics, and the data of figures. No score
//! is computed here, and nothing is drawn.

mod about;
mod averages;
mod backends;
mod comparisons;
mod controls;
mod costs;
mod delong;
mod error;
mod families;
pub mod figure_data;
mod figures;
mod input;
mod methods;
mod published;
mod ranks;
mod rows;
mod shown;
mod side_by_side;
mod statistics;
mod together;

use std::path::Path;

use harness_data::Registry;
use harness_experiment::Plan;
use harness_records::{CellRecords, Detail, Folder};
use harness_tables::{ResultRow, Row, write_csv, write_parquet, write_results};

pub use crate::error::Error;
pub use crate::figure_data::{
    CostFigure, CostPlot, CostPoint, CurveFigure, CurveSeries, MethodPanelFigure, PanelFigure, PanelImage, PanelMaps,
    PanelRow, Pixels, RankFigure, RankPlot, RankedVariant, RocFigure, RocSeries, Role,
};
pub use crate::input::{ReportDataset, ReportInput};
pub use crate::ranks::PairRow;
pub use crate::shown::{Candidate, choose};
pub use crate::side_by_side::{Compared, SideBySide, Uncompared, compare_cells, compare_variants};

/// What a results folder holds of a plan.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// All that a report is made of.
    pub report: ReportInput,
    /// Remarks on missing parts.
    pub notes: Vec<String>,
}

/// Reads the records of a plan. Pictures of test images need the registry; without one, or where a dataset is not
/// there, the panels are left out and a note says so.
///
/// # Errors
/// The system's; predictions or tables of records that can't be read. A record that can't be read leaves its cells
/// without numbers.
pub fn collect(plan: &Plan, folder: &Folder, registry: Option<&Registry>) -> Result<Results, Error> {
    let mut notes = Vec::new();
    let provenance = match folder.read_provenance() {
        Ok(provenance) => Some(provenance),
        Err(error) => {
            notes.push(format!("how the experiment was last run is not known: {error}"));
            None
        }
    };
    let allow_overlap = provenance.as_ref().is_some_and(|provenance| provenance.allow_overlap);
    let records = CellRecords::read(folder, plan.cells.iter(), Detail::Replicates);
    let ((rows, statistics), (figures, backends)) = rayon::join(
        || rayon::join(|| rows::rows(plan, folder, &records, allow_overlap), || statistics::statistics(plan, &records)),
        || {
            rayon::join(
                || figures::figures(plan, folder, &records, registry),
                || backends::backends(plan, folder, &records),
            )
        },
    );
    let (rows, statistics, figures, backends) = (rows?, statistics?, figures?, backends?);
    let noted = provenance.iter().flat_map(|provenance| &provenance.data_notes);
    let data_notes = plan.warnings.iter().chain(noted).cloned().collect();
    let of_methods = methods::methods(plan, &records);
    let report = ReportInput {
        data_notes,
        costs: costs::figures(plan, &of_methods, &statistics.intervals, provenance.as_ref()),
        method_panels: figures.method_panels,
        experiment: plan.name.clone(),
        smoke: plan.smoke,
        provenance: provenance.map(|provenance| about::provenance(plan, folder, &provenance)).unwrap_or_default(),
        variant_options: about::variants(plan),
        variants: plan.variants.iter().map(|variant| variant.name.clone()).collect(),
        labels: plan.variants.iter().filter_map(|v| Some((v.name.clone(), v.label.clone()?))).collect(),
        backend_names: plan.backends.iter().map(|backend| backend.name.clone()).collect(),
        printing: plan.report.clone(),
        variant_methods: plan.variants.iter().map(|variant| variant.options.method().to_string()).collect(),
        controls: controls::controls(plan, &rows),
        results: rows,
        roc: figures.roc,
        curves: figures.curves,
        panels: figures.panels,
        panels_missing: !figures.notes.is_empty(),
        base: families::base(plan).map(|index| plan.variants[index].name.clone()).unwrap_or_default(),
        intervals: statistics.intervals,
        differences: statistics.differences,
        delong: statistics.delong,
        optimism: statistics.optimism,
        pairs: statistics.pairs,
        ranks: statistics.ranks,
        notes: statistics.notes,
        datasets: published::datasets(plan, registry),
        methods: published::methods(plan),
        of_methods,
        backends,
    };
    notes.extend(figures.notes);
    Ok(Results { report, notes })
}

impl Results {
    /// The rows of the results table.
    pub fn rows(&self) -> &[ResultRow] {
        &self.report.results
    }

    /// Writes the tables for programs that the report has no section for.
    ///
    /// # Errors
    /// The system's.
    pub fn write_tables(&self, folder: &Path) -> Result<(), Error> {
        write_results(&rows::once(&self.report.results), folder)?;
        table(&self.report.intervals, folder, "intervals")?;
        table(&self.report.differences, folder, "differences")?;
        table(&self.report.pairs, folder, "pairs")
    }
}

/// Writes rows as CSV and Parquet. A table without rows is removed, so that none of an earlier experiment is left.
fn table<R: Row>(rows: &[R], folder: &Path, name: &str) -> Result<(), Error> {
    let path = |extension: &str| folder.join("tables").join(format!("{name}.{extension}"));
    if !rows.is_empty() {
        write_csv(rows, &path("csv"))?;
        return Ok(write_parquet(rows, &path("parquet"))?);
    }
    for path in ["csv", "parquet"].map(path) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
