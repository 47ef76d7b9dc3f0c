//! `harness report`.

use harness_records::Folder;
use harness_results::collect;

use super::{print, say, write_results};
use crate::arguments::Report;
use crate::exit::{Exit, Failure};

pub(super) fn report(arguments: &Report) -> Result<Exit, Failure> {
    let folder = Folder::new(&arguments.folder);
    let plan = folder.read_plan()?;
    let registry = folder.read_provenance()?.registry(arguments.datasets.as_deref());
    let registry = match arguments.datasets {
        Some(_) => Some(registry?),
        // Numbers don't need it; what is missing without it is noted.
        None => registry.ok(),
    };
    let results = collect(&plan, &folder, registry.as_ref())?;
    for note in &results.notes {
        say(format!("note: {note}"));
    }
    print(write_results(&results, folder.path())?);
    say(format!("written to {}", folder.path().display()));
    Ok(Exit::Done)
}
