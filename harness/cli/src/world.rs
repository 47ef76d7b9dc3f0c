//! An experiment's plan, the world it is planned in, and the report of its results: what several commands do alike.

use std::path::Path;

use harness_data::phantom::PhantomSpec;
use harness_experiment::{Plan, SMOKE_SIDE, Spec};
use harness_report::Overview;
use harness_results::Results;
use harness_run::{World, WorldOptions};

use crate::exit::Failure;
use crate::flags::{ExperimentFile, Surroundings};
use crate::{backends, paths};

/// Test images of each class in a small experiment's generated sets.
const SMOKE_TEST_IMAGES: usize = 6;

/// The plan of an experiment, as it is or small, and its world. Hashes of the files it read are saved.
pub(crate) fn planned(file: &ExperimentFile, surroundings: &Surroundings) -> Result<(Plan, World), Failure> {
    let typed = Spec::read(paths::experiment(&file.experiment)?)?;
    let generated = file.smoke.then(|| PhantomSpec {
        side: SMOKE_SIDE,
        // Some more than the largest K, so that draws differ.
        valid: typed.most_shots() as usize + 4,
        test: SMOKE_TEST_IMAGES,
        seed: 0,
    });
    let world = world(&file.experiment, generated, surroundings)?;
    let spec = if file.smoke { typed.smoke() } else { typed };
    let plan = spec.plan(&world, &|name| std::env::var(name).ok())?;
    world.save_hashes()?;
    Ok((plan, world))
}

/// The world of an experiment; with `generated`, images of that kind stand for all of its datasets.
pub(crate) fn world(
    experiment: &Path,
    generated: Option<PhantomSpec>,
    surroundings: &Surroundings,
) -> Result<World, Failure> {
    let Surroundings { registry, cache, hashing, allow_overlap, backends } = surroundings;
    Ok(World::open(WorldOptions {
        registry: paths::registry(registry.datasets.as_deref(), Some(experiment))?,
        generated,
        hashes: paths::hashes(&paths::cache(cache)?),
        verify: hashing.verify,
        allow_overlap: *allow_overlap,
        program: backends::worker(backends)?,
    })?)
}

/// Writes tables, figures and report below `folder`, `report.md` last. Returns the main numbers.
pub(crate) fn write_report(results: &Results, folder: &Path) -> Result<Overview, Failure> {
    let parts = harness_report::write_parts(&results.report, folder)?;
    results.write_tables(folder)?;
    let overview = parts.overview().clone();
    parts.write(folder)?;
    Ok(overview)
}
