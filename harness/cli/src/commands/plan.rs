//! `harness plan`.

use clap::Args;
use harness_run::{Extent, Pace};

use crate::exit::{Exit, Failure};
use crate::flags::{ExperimentFile, Surroundings, Threads};
use crate::output::{print, say};
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
        say(format!("warning: {warning}"));
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
        Err(error) => say(format!("warning: the time can't be estimated: {error}")),
    }
    print(listing);
    Ok(Exit::Done)
}
