//! `harness explain`.

use std::path::PathBuf;

use clap::Args;
use harness_data::FileHashes;
use harness_records::Folder;
use harness_run::cell_by_id::{CellChoice, find_among};
use harness_run::explain;
use harness_text::one_of;

use crate::exit::{Exit, Failure};
use crate::flags::{CacheFolder, RunRegistry};
use crate::output::{print, say};
use crate::paths;

/// Show where a cell's numbers come from
///
/// Prints what decided the cell's id, the files it read and their hashes, what it cost, where its records are and what
/// happened to it. Ids are in results.csv, in the lines of a run and in `harness plan FILE --cells`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  harness explain 3f2a\n  harness explain 3f2a reports/example --files")]
pub(crate) struct Explain {
    /// Id of a cell, or the beginning of one
    #[arg(value_name = "ID")]
    cell: String,
    /// Results folder [default: the one in reports/ that has the cell]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// List every test image too
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    registry: RunRegistry,
    #[command(flatten)]
    cache: CacheFolder,
}

pub(super) fn explain(arguments: &Explain) -> Result<Exit, Failure> {
    let choice = find(arguments)?;
    let (folder, plan, id) = (&choice.folder, &choice.plan, choice.id());
    let hashes = FileHashes::open(&paths::hashes(&paths::cache(&arguments.cache)?), false);
    let registry = folder.read_provenance()?.registry(arguments.registry.datasets.as_deref());
    if let Err(error) = &registry {
        say(format!("note: files are not listed: {error}"));
    }
    let known = registry.as_ref().ok().map(|registry| (registry, &hashes));
    let sections = explain::explain(plan, folder, id, known, arguments.files)?;
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
fn find(arguments: &Explain) -> Result<CellChoice, Failure> {
    let cell = &arguments.cell;
    if let Some(path) = &arguments.folder {
        let folder = paths::results_folder(path)?;
        return Ok(find_among(vec![(folder.read_plan()?, folder)], cell)?);
    }
    let folders = paths::results();
    let mut found = Vec::new();
    for path in &folders {
        let folder = Folder::new(path);
        let Ok(plan) = folder.read_plan() else { continue };
        if plan.cells.iter().any(|known| known.id.to_string().starts_with(cell)) {
            found.push((plan, folder));
        }
    }
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|(_, folder)| folder.path().display().to_string()).collect();
        return Err(Failure::input(format!(
            "several results folders have a cell `{cell}`; name one of them: harness explain {cell} {}",
            one_of(&names)
        )));
    }
    if found.is_empty() {
        return Err(Failure::input(if folders.is_empty() {
            format!("there are no results in reports/; name a results folder: harness explain {cell} DIR")
        } else {
            let count = folders.len();
            format!(
                "no cell `{cell}` in the {count} results folders of reports/; name another folder: harness explain \
                 {cell} DIR"
            )
        }));
    }
    Ok(find_among(found, cell)?)
}
