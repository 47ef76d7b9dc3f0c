//! Planning is linear in cells, whichever axis they come from. Measures; run it with
//! `cargo test --release -p harness-experiment --test scale -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod common;

use std::fmt::Write;
use std::time::Instant;

use common::{World, file_with, hash};
use harness_experiment::{CellStatus, DatasetFacts, Filter, Plan};

const RULES: &str = "\n[[exclude]]\nseeds = [0]\ndraws = [1]\n";

/// Seeds times draws, two variants and two selection rules.
fn by_seeds(cells: usize) -> (World, String) {
    let (draws, seeds) = (10, cells / 40);
    let list = |n: usize| format!("{:?}", (0..n).collect::<Vec<_>>());
    let (draws, seeds) = (list(draws), list(seeds));
    let top = [("draws", draws.as_str()), ("seeds", &seeds), ("selection", "[\"last\", \"best-on-test\"]")];
    (World::default(), file_with(&top, &format!("\n[variants.b]\nloss = \"contrastive\"\n{RULES}")))
}

/// One cell for each variant.
fn by_variants(cells: usize) -> (World, String) {
    let mut more = String::new();
    for i in 1..cells {
        write!(more, "\n[variants.v{i}]\ncontext_tokens = {}\ndual_objective = {}\n", 1 + i / 2 % 32, i % 2 == 0)
            .unwrap();
    }
    (World::default(), file_with(&[], &more))
}

/// Datasets times targets.
fn by_targets(cells: usize) -> (World, String) {
    let side = (cells as f64).sqrt() as usize;
    let mut world = World::default();
    let mut names = Vec::new();
    for i in 0..side {
        let name = format!("set{i}");
        let facts =
            DatasetFacts { object: format!("object {i}"), has_masks: true, test_images: 10, test_hash: hash(&name) };
        world.datasets.insert(name.clone(), facts);
        names.push(name);
    }
    let names = format!("{names:?}");
    let top = [("datasets", names.as_str()), ("targets", &names), ("selection", "[\"best-on-test\"]")];
    (world, file_with(&top, ""))
}

/// Folds: five trainings for each cell.
fn by_folds(cells: usize) -> (World, String) {
    let seeds = format!("{:?}", (0..cells).collect::<Vec<_>>());
    (World::default(), file_with(&[("seeds", seeds.as_str()), ("selection", "[\"best-on-support\"]")], ""))
}

/// Seconds of each step.
fn measure(name: &str, (world, text): (World, String)) -> f64 {
    let mut steps = Vec::new();
    let mut timed = |step: &'static str, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        steps.push((step, start.elapsed().as_secs_f64()));
    };
    let (mut plan, mut frozen, mut back) = (None, String::new(), None);
    timed("plan", &mut || plan = Some(world.plan(&text).unwrap()));
    let plan = plan.unwrap();
    timed("to_toml", &mut || frozen = plan.to_toml().unwrap());
    timed("from_toml", &mut || back = Some(Plan::from_toml(&frozen).unwrap()));
    timed("listing", &mut || assert!(!plan.listing(true).to_string().is_empty()));
    timed("filter", &mut || {
        let filter = Filter::parse("variant=base not-run", &plan).unwrap();
        assert!(plan.cells.iter().any(|cell| filter.meets(cell, CellStatus::NotRun)));
    });
    assert!(back.is_some_and(|back| back == plan));
    let shown: Vec<String> = steps.iter().map(|(step, seconds)| format!("{step} {seconds:.3} s")).collect();
    let (cells, trainings, size) = (plan.cells.len(), plan.trainings.len(), frozen.len() as f64 / 1e6);
    println!("{name:<9} {cells:>7} cells {trainings:>7} trainings {size:>6.1} MB: {}", shown.join(", "));
    steps.iter().map(|(_, seconds)| seconds).sum()
}

#[test]
#[ignore = "takes a minute; measures"]
fn planning_and_freezing_are_linear_in_cells() {
    for (name, make) in [
        ("seeds", by_seeds as fn(usize) -> (World, String)),
        ("variants", by_variants),
        ("targets", by_targets),
        ("folds", by_folds),
    ] {
        let [_, ten, hundred] = [1_000, 10_000, 100_000].map(|cells| measure(name, make(cells)));
        assert!(hundred < 25.0 * ten.max(0.05), "{name}: {ten:.2} s for 10,000 cells and {hundred:.2} s for 100,000");
    }
}
