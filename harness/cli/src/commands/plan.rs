//! `harness plan`.

use std::path::PathBuf;

use clap::Args;
use harness_records::Folder;
use harness_run::{Extent, Pace, Standing, standing};
use harness_text::count;

use crate::commands::status::words;
use crate::exit::{Exit, Failure};
use crate::flags::{ExperimentFile, Surroundings, Threads};
use crate::output::{print, say, warn};
use crate::paths;
use crate::world::planned;

/// Show what an experiment will do: options, cells and costs
///
/// Checks the experiment, its datasets, weights and backends as `run` does, and estimates disk space and time on this
/// machine. It writes only to the cache folder: hashes of files, and the speed of this machine.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  harness plan experiments/example.toml\n  harness plan experiments/example.toml --cells"
)]
pub(crate) struct Plan {
    #[command(flatten)]
    file: ExperimentFile,
    #[command(flatten)]
    surroundings: Surroundings,
    #[command(flatten)]
    threads: Threads,
    /// Results folder in which to look for what is done [default: as of `run`]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// List every cell with its id
    #[arg(long)]
    cells: bool,
    /// Print the complete plan as TOML
    #[arg(long, conflicts_with = "cells")]
    toml: bool,
}

pub(super) fn plan(arguments: &Plan) -> Result<Exit, Failure> {
    let (plan, world) = planned(&arguments.file, &arguments.surroundings)?;
    world.look(&plan, Extent::Sample, &|| true, &mut |_, _| {})?;
    world.save_hashes()?;
    for warning in plan.warnings.iter().cloned().chain(world.warnings()) {
        warn(warning);
    }
    for note in world.notes() {
        say(format!("note: {note}"));
    }
    if arguments.toml {
        print(plan.to_toml()?);
        return Ok(Exit::Done);
    }
    let mut listing = plan.listing(arguments.cells);
    let mut pace = Pace::open(&paths::pace(&paths::cache(&arguments.surroundings.cache)?));
    match pace.estimate(&plan, arguments.threads.number(), world.program()) {
        Ok(time) => listing = listing.with_time(time),
        Err(error) => warn(format!("the time can't be estimated: {error}")),
    }
    print(listing);
    let out = paths::out(arguments.out.as_deref(), &plan.name, arguments.file.smoke);
    let standing = standing(&plan, &Folder::new(&out))?;
    if standing.cells.all() > standing.cells.not_run {
        let time = pace.estimate(&standing.left, arguments.threads.number(), world.program()).ok();
        print(format!("\nin {}: {}\n{}", out.display(), words(standing.cells), left(&standing, time.as_deref())));
    }
    Ok(Exit::Done)
}

/// What a run would do now.
fn left(standing: &Standing<'_>, time: Option<&str>) -> String {
    if standing.left.evaluations.is_empty() {
        return String::new();
    }
    let models = count(standing.trainings as u64, "model");
    let sets = count(standing.left.evaluations.len() as u64, "test set");
    let time = time.map(|time| format!(", {time}")).unwrap_or_default();
    format!("  left         {models} to train, {sets} to score{time}\n")
}
