//! `harness report`.

use clap::Args;
use harness_experiment::{FigureKind, Line, Numbers, Printing};
use harness_results::collect;

use crate::exit::{Exit, Failure};
use crate::flags::{ResultsFolder, RunRegistry, one_of};
use crate::output::say;
use crate::paths::results_folder;
use crate::summary;
use crate::world::write_report;

/// Write the tables, figures and report of a results folder again
///
/// Reads the records of the folder and computes nothing that they hold. Pictures need the datasets; without them the
/// report is written and says what is missing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  harness report reports/example\n  harness report reports/example --figures ablation,shots --figure-width page"
)]
pub(crate) struct Report {
    #[command(flatten)]
    results: ResultsFolder,
    #[command(flatten)]
    registry: RunRegistry,
    #[command(flatten)]
    printing: Asked,
}

/// How it is printed, in place of what `[report]` of the experiment says.
#[derive(Debug, Args)]
struct Asked {
    /// Kinds of figures to draw
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = one_of(FigureKind::ALL, FigureKind::name))]
    figures: Option<Vec<FigureKind>>,
    /// Width of figures
    #[arg(long, value_name = "LINE", value_parser = one_of(Line::ALL, Line::name))]
    figure_width: Option<Line>,
    /// What LaTeX tables are no wider than
    #[arg(long, value_name = "LINE", value_parser = one_of(Line::ALL, Line::name))]
    table_width: Option<Line>,
    /// How tables for people write fractions
    #[arg(long, value_name = "FORM", value_parser = one_of(Numbers::ALL, Numbers::name))]
    numbers: Option<Numbers>,
    /// Columns or metrics that tables for people leave out, such as AS,n
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    hide: Option<Vec<String>>,
}

impl Asked {
    fn printing(&self, planned: Printing) -> Printing {
        Printing {
            figures: self.figures.clone().or(planned.figures),
            figure_width: self.figure_width.unwrap_or(planned.figure_width),
            table_width: self.table_width.unwrap_or(planned.table_width),
            numbers: self.numbers.unwrap_or(planned.numbers),
            hide: self.hide.clone().unwrap_or(planned.hide),
        }
    }
}

pub(super) fn report(arguments: &Report) -> Result<Exit, Failure> {
    let folder = results_folder(&arguments.results.folder)?;
    let mut plan = folder.read_plan()?;
    plan.report = arguments.printing.printing(plan.report);
    let asked = arguments.registry.datasets.as_deref();
    let registry = folder.read_provenance()?.registry(asked);
    // Numbers don't need it, and the report notes what is missing without it.
    let registry = if asked.is_some() { Some(registry?) } else { registry.ok() };
    let results = collect(&plan, &folder, registry.as_ref())?;
    for note in &results.notes {
        say(format!("note: {note}"));
    }
    summary::show(&write_report(&results, folder.path())?);
    say(format!("report written to {}", folder.path().join("report.md").display()));
    Ok(Exit::Done)
}
