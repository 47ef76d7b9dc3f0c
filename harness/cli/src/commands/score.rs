//! `harness score`.

use harness_records::Folder;
use harness_results::collect;
use harness_run::{Scored, World, WorldOptions};

use super::{print, say, write_results};
use crate::arguments::{BackendFolders, Score};
use crate::exit::{Exit, Failure};
use crate::terminal::Terminal;
use crate::{backends, paths};

pub(super) fn score(arguments: &Score) -> Result<Exit, Failure> {
    let folder = Folder::new(&arguments.folder);
    let (plan, provenance) = (folder.read_plan()?, folder.read_provenance()?);
    let world = World::open(WorldOptions {
        registry: arguments.datasets.clone().unwrap_or(provenance.registry),
        generated: provenance.generated,
        hashes: paths::hashes(&paths::cache(arguments.cache.as_deref())?),
        verify: arguments.verify,
        allow_overlap: provenance.allow_overlap,
        // Asked for by a world; nothing is run with it.
        program: backends::worker(&BackendFolders::default())?,
    })?;
    let mut terminal = Terminal::new();
    let lock = harness_run::lock(&folder, &mut terminal, &|| true)?;
    let scored = harness_run::score(&plan, &folder, &lock, &world, &|| true, &mut terminal)?;
    terminal.clear();
    world.save_hashes()?;
    let results = collect(&plan, &folder, Some(world.registry()))?;
    for note in &results.notes {
        say(format!("note: {note}"));
    }
    print(write_results(&results, folder.path())?);
    let Scored { measured, failed, missing } = scored;
    say(format!(
        "{measured} evaluations measured, {failed} failed, {missing} without predictions; written to {}",
        folder.path().display()
    ));
    Ok(if failed > 0 { Exit::CellsFailed } else { Exit::Done })
}
