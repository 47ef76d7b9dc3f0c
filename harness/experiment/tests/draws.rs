//! Draws that hold the same images: counted once, and told.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::{World, file_with, hash};
use harness_experiment::{CellStatus, Draw, Filter, Plan, Spec};

fn world(repeats: &[(u64, u64)]) -> World {
    World { repeats: repeats.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(), ..World::default() }
}

fn draws(plan: &Plan) -> BTreeSet<u64> {
    plan.cells.iter().map(|cell| cell.draw.number().unwrap()).collect()
}

#[test]
fn draws_of_the_same_images_count_once_and_the_others_are_named() {
    let text = file_with(&[("draws", "[0, 1, 2, 3, 4]")], "");
    let plan = world(&[(1, 0), (2, 0), (3, 0), (4, 0)]).plan(&text).unwrap();
    assert_eq!((draws(&plan), plan.supports.len()), ([0].into(), 1));
    let text_of_warning =
        "[Brain], K 4: draws 1, 2, 3 and 4 hold the same images as draw 0 and are left out; n counts them once";
    assert_eq!(plan.warnings, [text_of_warning]);
    // What is kept has the ids that it has by itself.
    let alone = world(&[]).plan(&file_with(&[("draws", "[0]")], "")).unwrap();
    assert_eq!((&plan.trainings, &plan.cells), (&alone.trainings, &alone.cells));
    assert!(alone.warnings.is_empty());
    let listing = plan.listing(false).to_string();
    assert!(listing.contains("of draws that repeat others"), "{listing}");
}

#[test]
fn the_first_draw_of_the_files_order_is_kept() {
    let text = file_with(&[("draws", "[3, 0, 5, 1]")], "");
    let plan = world(&[(3, 0), (1, 5)]).plan(&text).unwrap();
    assert_eq!(draws(&plan), [3, 5].into());
    assert_eq!(
        plan.warnings,
        [
            "[Brain], K 4: draw 0 holds the same images as draw 3 and is left out; n counts them once",
            "[Brain], K 4: draw 1 holds the same images as draw 5 and is left out; n counts them once"
        ]
    );
}

#[test]
fn a_cell_whose_other_draw_is_left_out_by_rules_is_kept() {
    // `free` takes part in draw 1 alone, `base` in both.
    let rules = "\n[base]\n[variants.free]\nprompts = \"free\"\n[[exclude]]\nvariants = [\"free\"]\ndraws = [0]\n";
    let text = file_with(&[("draws", "[0, 1]")], rules);
    let plan = world(&[(1, 0)]).plan(&text).unwrap();
    let seeds = plan.seeds.len();
    let of = |variant: &str| {
        plan.cells.iter().filter(|cell| cell.variant == variant).map(|c| c.draw.number().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((of("base"), of("free")), (vec![0; seeds], vec![1; seeds]));
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].contains("draw 1 holds the same images as draw 0"), "{:?}", plan.warnings);
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
}

#[test]
fn a_frozen_plan_is_what_it_was() {
    let text = file_with(&[("draws", "[0, 1, 2]")], "");
    let plan = world(&[(2, 1)]).plan(&text).unwrap();
    assert_eq!(draws(&plan), [0, 1].into());
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
    // Written before draws were compared: it has them all.
    let before = world(&[]).plan(&text).unwrap().to_toml().unwrap();
    assert!(!before.contains("repeats") && !before.contains("warnings"));
    assert_eq!(draws(&Plan::from_toml(&before).unwrap()), [0, 1, 2].into());
}

#[test]
fn datasets_of_one_folder_with_drawn_supports_are_told_apart() {
    let mut world = World::default();
    world.datasets.get_mut("RESC").unwrap().test_hash = hash("Brain");
    let text = file_with(&[("datasets", "[\"Brain\", \"RESC\", \"OCT17\"]"), ("draws", "[0, 1]")], "");
    let warnings = world.plan(&text).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("[Brain] and [RESC] have the same test images but other support images"));
    world.drawn = false;
    assert!(world.plan(&text).unwrap().warnings.is_empty(), "lists name the same images in both");
}

#[test]
fn a_published_list_is_a_draw_by_its_name() {
    let lists = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let named = |name: &str| name.parse::<Draw>().unwrap();
    let text = file_with(&[("draws", "[\"mvfa\", 0, \"madclip\"]")], "");
    let world = World { lists: lists(&["mvfa", "madclip"]), ..World::default() };
    let plan = world.plan(&text).unwrap();
    assert_eq!(plan.draws, [named("mvfa"), 0.into(), named("madclip")]);
    assert_eq!(plan.supports.iter().map(|support| support.draw).collect::<Vec<_>>(), plan.draws);
    let frozen = plan.to_toml().unwrap();
    assert!(frozen.contains("draws = [\"mvfa\", 0, \"madclip\"]") && frozen.contains("draw = \"mvfa\""), "{frozen}");
    assert_eq!(Plan::from_toml(&frozen).unwrap(), plan);
    // The images decide, not their name: the id is that of a number with these images.
    let same = World { lists: lists(&["mvfa"]), repeats: [(named("mvfa"), 0.into())].into(), ..World::default() };
    let plan = same.plan(&file_with(&[("draws", "[0, \"mvfa\"]")], "")).unwrap();
    let left_out = "[Brain], K 4: draw mvfa holds the same images as draw 0 and is left out; n counts them once";
    assert_eq!((plan.warnings.as_slice(), plan.supports.len()), (&[left_out.to_owned()][..], 1));
    // Filters and rules take names.
    let plan = world.plan(&text).unwrap();
    let only = |filter: &str| {
        let filter = Filter::parse(filter, &plan).unwrap();
        plan.cells.iter().filter(|cell| filter.meets(cell, CellStatus::NotRun)).count()
    };
    assert_eq!((only("draw=mvfa"), only("draw=mvfa,0"), plan.cells.len()), (1, 2, 3));
    let message = Filter::parse("draw=other", &plan).unwrap_err().to_string();
    common::says(&message, &["draw `other`", "mvfa"]);
    let rule = world.plan(&file_with(&[("draws", "[\"mvfa\", 0]")], "[[exclude]]\ndraws = [\"mvfa\"]\n")).unwrap();
    assert_eq!(draws(&rule), [0].into());
}

#[test]
fn a_list_that_a_dataset_does_not_have_is_refused() {
    let world = World { lists: vec!["mvfa".to_owned()], ..World::default() };
    let problem = world.problem(&file_with(&[("draws", "[\"mvfe\"]")], ""));
    common::says(&problem, &["support set of `Brain`, 4 shots, draw mvfe", "did you mean `mvfa`?"]);
    let problem = world.problem(&file_with(&[("draws", "[\"1st\"]")], ""));
    common::says(&problem, &["`draws`", "`1st` can't name a draw: a name is a letter, then letters"]);
}

#[test]
fn a_small_experiment_has_numbers_in_place_of_names() {
    let rule = "\n[[exclude]]\ndraws = [\"mvfa\"]\n";
    let text = file_with(&[("draws", "[\"mvfa\", 0]")], rule);
    let small = Spec::parse("a.toml".as_ref(), text).unwrap().smoke();
    let plan = small.plan(&World::default(), &|_| None).unwrap();
    assert_eq!((plan.draws.as_slice(), draws(&plan)), (&[Draw::Number(1), Draw::Number(0)][..], [0].into()));
}
