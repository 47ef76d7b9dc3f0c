//! `harness score`.

use clap::Args;
use harness_records::Provenance;
use harness_results::collect;
use harness_run::{Extent, Scored, WILL_FAIL, World, WorldOptions};
use harness_text::count;

use crate::exit::{Exit, Failure};
use crate::flags::{BackendFolders, CacheFolder, Hashing, ResultsFolder, RunRegistry};
use crate::output::{say, warn};
use crate::progress::Progress;
use crate::world::write_report;
use crate::{backends, paths, summary};

/// Compute the metrics of a results folder again from stored predictions
///
/// Reads labels and masks from the datasets, so use it after correcting a mask or a label; no backend is
/// needed. A test set with a file that can't be used fails its cells. Then writes tables, figures and report again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness score reports/example")]
pub(crate) struct Score {
    #[command(flatten)]
    results: ResultsFolder,
    #[command(flatten)]
    registry: RunRegistry,
    #[command(flatten)]
    cache: CacheFolder,
    #[command(flatten)]
    hashing: Hashing,
}

pub(super) fn score(arguments: &Score) -> Result<Exit, Failure> {
    let folder = paths::results_folder(&arguments.results.folder)?;
    let (plan, provenance) = (folder.read_plan()?, folder.read_provenance()?);
    let world = World::open(WorldOptions {
        registry: arguments.registry.datasets.clone().unwrap_or_else(|| provenance.registry.clone()),
        generated: provenance.generated,
        hashes: paths::hashes(&paths::cache(&arguments.cache)?),
        verify: arguments.hashing.verify,
        allow_overlap: provenance.allow_overlap,
        // A world has one, though nothing is run with it here.
        program: backends::worker(&BackendFolders::default())?,
    })?;
    let mut progress = Progress::new();
    let lock = harness_run::lock(&folder, &mut progress, &|| true)?;
    let scored = harness_run::score(&plan, &folder, &lock, &world, &|| true, &mut progress)?;
    progress.clear();
    // What was doubtful before may be corrected.
    match world.look(&plan, Extent::All, &|| true, &mut |_, _| {}) {
        Ok(()) => folder.freeze(&plan, &Provenance { data_notes: world.data_notes(), ..provenance })?,
        Err(error) => say(format!("note: the notes on the data are those of the last run: {error}")),
    }
    world.save_hashes()?;
    // Where a file can't be used, the cells that failed have named it.
    for warning in world.warnings().iter().filter(|warning| scored.failed == 0 || !warning.contains(WILL_FAIL)) {
        warn(warning);
    }
    let results = collect(&plan, &folder, Some(world.registry()))?;
    for note in &results.notes {
        say(format!("note: {note}"));
    }
    summary::show(&write_report(&results, folder.path())?);
    let Scored { measured, failed, missing } = scored;
    say(format!(
        "{} measured, {failed} failed, {missing} without predictions; report written to {}",
        count(measured as u64, "evaluation"),
        folder.path().join("report.md").display()
    ));
    Ok(if failed > 0 { Exit::CellsFailed } else { Exit::Done })
}
