//! Every shipped experiment can be planned, and planned small.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod common;

use std::collections::HashSet;

use common::{World, file, file_with, says};
use harness_experiment::{EncoderSource, Plan, Spec};

fn shipped() -> Vec<(String, Spec)> {
    let folder = harness_tests::root().join("experiments");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), Spec::read(&path).unwrap()))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn plan(spec: &Spec, world: &World) -> Plan {
    spec.plan(world, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_shipped_experiment_is_a_plan_under_its_files_name() {
    let shipped = shipped();
    assert!(shipped.len() >= 2);
    for (name, spec) in &shipped {
        let plan = plan(spec, &World::default());
        assert_eq!(&plan.name, name);
        assert!(!plan.cells.is_empty());
    }
}

#[test]
fn every_shipped_experiment_is_also_a_small_one_of_the_same_structure() {
    for (name, spec) in shipped() {
        let (large, small) = (plan(&spec, &World::default()), plan(&spec.smoke(), &World::default()));
        assert!(small.smoke && matches!(small.encoder.source, EncoderSource::Synthetic { .. }), "{name}");
        let names = |plan: &Plan| plan.variants.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&large), names(&small), "{name}");
        assert_eq!((&large.datasets, &large.targets), (&small.datasets, &small.targets), "{name}");
        assert_eq!(large.selection, small.selection, "{name}");
        let ends = |plan: &Plan| (plan.shots.iter().min().copied(), plan.shots.iter().max().copied());
        assert!(ends(&large) == ends(&small) && small.shots.len() <= 4, "{name}: {:?}", small.shots);
        assert!(small.draws.len() <= 2 && small.seeds.len() <= 2 && small.train.epochs <= 2, "{name}");
        // Variants that differ stay different.
        let distinct =
            |plan: &Plan| plan.variants.iter().map(|v| format!("{:?}", v.options)).collect::<HashSet<_>>().len();
        assert_eq!(distinct(&large), distinct(&small), "{name}");
        let costs = small.costs();
        assert!(costs.tap_bytes < 4_000_000_000, "{name}: {}", costs.tap_bytes);
    }
}

#[test]
fn a_small_experiment_keeps_taps_and_tells_sizes_apart() {
    let text = file("image_size = 240\n\n[variants.large]\nimage_size = 336\n\n[variants.deep]\ntaps = [3, 24]\n");
    let spec = Spec::parse("a.toml".as_ref(), text).unwrap();
    let plan = plan(&spec.smoke(), &World::default());
    assert_eq!(plan.variants.iter().map(|v| v.options.image_size()).collect::<Vec<_>>(), [32, 36, 32]);
    assert_eq!(plan.variants[2].options.taps(), [3, 24]);
    assert_eq!(plan.encoder.arch.layers, 24);
    assert_eq!(plan.notes.len(), 1);
}

#[test]
fn a_small_experiment_leaves_out_backends_that_are_not_there_and_says_so() {
    let text = file_with(&[("backends", "[\"flex\", \"cuda\"]")], "");
    let world = World { backends: vec!["flex".to_owned()], ..World::default() };
    says(&world.problem(&text), &["no backend is called `cuda`"]);
    let plan = plan(&Spec::parse("a.toml".as_ref(), text.clone()).unwrap().smoke(), &world);
    assert_eq!(plan.backends.len(), 1);
    says(&plan.notes.join("\n"), &["the backend `cuda` is left out"]);
    let none = World { backends: Vec::new(), ..World::default() };
    assert!(Spec::parse("a.toml".as_ref(), text).unwrap().smoke().plan(&none, &|_| None).is_err());
}

#[test]
fn a_small_experiment_drops_rules_about_what_is_no_longer_there() {
    let text = file_with(
        &[("seeds", "[0, 1, 2, 3]"), ("shots", "[2, 4]")],
        "\n[[exclude]]\nseeds = [3]\n\n[[exclude]]\nseeds = [1, 3]\nshots = [4]\n",
    );
    let spec = Spec::parse("a.toml".as_ref(), text).unwrap();
    let plan = plan(&spec.smoke(), &World::default());
    assert_eq!((plan.rules.exclude.len(), plan.cells.len()), (1, 3));
}

#[test]
fn mistakes_are_reported_in_the_small_one_too() {
    let text = file_with(&[("datasets", "[\"Brian\"]")], "\n[variants.a]\nlos = \"siglip\"\n");
    let problems =
        Spec::parse("a.toml".as_ref(), text).unwrap().smoke().plan(&World::default(), &|_| None).unwrap_err();
    says(&problems.to_string(), &["did you mean `Brain`?", "did you mean `loss`?"]);
}

#[test]
fn ten_thousand_cells_are_planned_and_listed_in_no_time() {
    let list = |n: u32| format!("[{}]", (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(", "));
    let text = file_with(
        &[
            ("datasets", "[\"Brain\", \"Liver\", \"RESC\", \"OCT17\", \"Chest\"]"),
            ("shots", "[2, 4, 8, 16]"),
            ("draws", &list(10)),
            ("seeds", &list(5)),
            ("selection", "[\"last\", \"best-on-test\"]"),
        ],
        "\n[variants.a]\nloss = \"contrastive\"\n[variants.b]\nbranches = \"single\"\n[variants.c]\nprompts = \"free\"\n\
         [variants.d]\nprompts = \"fixed\"\n",
    );
    let start = std::time::Instant::now();
    let plan = World::default().plan(&text).unwrap();
    let planned = start.elapsed();
    let listing = plan.listing(true).to_string();
    let listed = start.elapsed();
    let frozen = plan.to_toml().unwrap();
    println!("planned {planned:?}, listed {listed:?}, frozen {:?}", start.elapsed());
    assert_eq!(plan.cells.len(), 10_000);
    assert!(listing.lines().count() > 10_000 && frozen.len() > 10_000);
    // A slow machine under load has ten times as long.
    assert!(listed.as_secs() < 20, "{listed:?}");
}
