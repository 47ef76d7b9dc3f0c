//! `harness report`.

use clap::Args;
use harness_results::collect;

use crate::exit::{Exit, Failure};
use crate::flags::{ResultsFolder, RunRegistry};
use crate::output::say;
use crate::paths::results_folder;
use crate::summary;
use crate::world::write_report;

/// Write the tables, figures and report of a results folder again
///
/// Reads the records of the folder and computes nothing that they hold. Pictures need the datasets; without them the
/// report is written and says what is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness report reports/example")]
pub(crate) struct Report {
    #[command(flatten)]
    results: ResultsFolder,
    #[command(flatten)]
    registry: RunRegistry,
}

pub(super) fn report(arguments: &Report) -> Result<Exit, Failure> {
    let folder = results_folder(&arguments.results.folder)?;
    let plan = folder.read_plan()?;
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
