//! What each command does. Results go to standard output, everything else to standard error.

mod backends;
mod bench;
mod cache;
mod datasets;
mod doctor;
mod explain;
mod plan;
mod predict;
mod report;
mod run;
mod score;
mod weights;

use std::path::Path;

use harness_data::phantom::PhantomSpec;
use harness_experiment::{Plan, SMOKE_SIDE, Spec};
use harness_run::{World, WorldOptions};

use crate::arguments::{Arguments, Command, Places};
use crate::exit::{Exit, Failure};
use crate::{backends as found, paths};

/// Does what was asked for.
pub(crate) fn perform(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Plan(arguments) => plan::plan(arguments),
        Command::Explain(arguments) => explain::explain(arguments),
        Command::Report(arguments) => report::report(arguments),
        Command::Score(arguments) => score::score(arguments),
        Command::Predict(arguments) => predict::predict(arguments),
        Command::Datasets(arguments) => datasets::datasets(arguments),
        Command::Weights(arguments) => weights::weights(arguments),
        Command::Backends(arguments) => backends::backends(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Cache(arguments) => cache::cache(arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments),
        Command::Worker(folders) => {
            harness_worker::serve(&|name| found::open(name, folders), &harness_backend_flex::gemm_gflops)?;
            Ok(Exit::Done)
        }
    }
}

/// Test images of each class in a small experiment's generated sets.
const SMOKE_TEST_IMAGES: usize = 6;

/// An experiment, as typed or made small, with its world. The plan's hashes are remembered.
fn planned(experiment: &Path, smoke: bool, places: &Places) -> Result<(Plan, World), Failure> {
    let typed = Spec::read(experiment)?;
    let generated = smoke.then(|| PhantomSpec {
        side: SMOKE_SIDE,
        // Some more than the largest K, so that draws differ.
        valid: typed.most_shots() as usize + 4,
        test: SMOKE_TEST_IMAGES,
        seed: 0,
    });
    let world = world(experiment, generated, places)?;
    let spec = if smoke { typed.smoke() } else { typed };
    let plan = spec.plan(&world, &|name| std::env::var(name).ok())?;
    world.save_hashes()?;
    Ok((plan, world))
}

/// The world of an experiment.
fn world(experiment: &Path, generated: Option<PhantomSpec>, places: &Places) -> Result<World, Failure> {
    Ok(World::open(WorldOptions {
        registry: paths::registry(places.datasets.as_deref(), Some(experiment))?,
        generated,
        hashes: paths::hashes(&paths::cache(places.cache.as_deref())?),
        verify: places.verify,
        allow_overlap: places.allow_overlap,
        program: found::worker(&places.backends)?,
    })?)
}

/// Text on standard output. A reader that has gone, such as `head`, is no failure.
fn print(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = write!(std::io::stdout(), "{text}");
}

/// A line on standard error.
fn say(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes tables, figures and report below `folder`, `report.md` last. Returns the summary table in Markdown.
fn write_results(results: &harness_results::Results, folder: &Path) -> Result<String, Failure> {
    let parts = harness_report::write_parts(&results.report, folder)?;
    results.write_tables(folder)?;
    Ok(parts.write(folder)?)
}
