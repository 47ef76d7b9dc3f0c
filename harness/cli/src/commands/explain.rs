//! `harness explain`.

use std::path::PathBuf;

use harness_data::FileHashes;
use harness_experiment::{CellId, Plan};
use harness_records::Folder;
use harness_run::explain;

use super::{print, say};
use crate::arguments::Explain;
use crate::exit::{Exit, Failure};
use crate::paths;

pub(super) fn explain(arguments: &Explain) -> Result<Exit, Failure> {
    let (folder, plan, id) = find(arguments)?;
    let hashes = FileHashes::open(&paths::hashes(&paths::cache(arguments.cache.as_deref())?), false)?;
    let registry = folder.read_provenance()?.registry(arguments.datasets.as_deref());
    if let Err(error) = &registry {
        say(format!("note: files are not listed: {error}"));
    }
    let known = registry.as_ref().ok().map(|registry| (registry, &hashes));
    let sections = explain::explain(&plan, &folder, id, known, arguments.files)?;
    hashes.save()?;
    let mut text = format!("results in {}\n", folder.path().display());
    for section in sections {
        text += &format!("\n{}\n", section.title);
        for (name, value) in section.lines {
            text += format!("  {name:<26} {value}").trim_end();
            text.push('\n');
        }
    }
    print(text);
    Ok(Exit::Done)
}

/// The cell in the folder asked for, or in the one below `reports` that has it.
fn find(arguments: &Explain) -> Result<(Folder, Plan, CellId), Failure> {
    if let Some(path) = &arguments.folder {
        let folder = Folder::new(path);
        let plan = folder.read_plan()?;
        let id = explain::find(&plan, &arguments.cell)?;
        return Ok((folder, plan, id));
    }
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir("reports").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.join("plan.toml").is_file());
    folders.sort();
    let mut found = Vec::new();
    for path in &folders {
        let folder = Folder::new(path);
        let Ok(plan) = folder.read_plan() else { continue };
        if plan.cells.iter().any(|cell| cell.id.to_string().starts_with(&arguments.cell)) {
            found.push((folder, plan));
        }
    }
    let cell = &arguments.cell;
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|(folder, _)| folder.path().display().to_string()).collect();
        let names = names.join(", ");
        return Err(Failure::input(format!("several results folders have a cell `{cell}`: {names}; name one of them")));
    }
    let (folder, plan) = found.pop().ok_or_else(|| {
        let count = folders.len();
        let message = format!("none of the {count} results folders in reports/ has a cell `{cell}`; name a folder");
        Failure::input(message)
    })?;
    let id = explain::find(&plan, cell)?;
    Ok((folder, plan, id))
}
