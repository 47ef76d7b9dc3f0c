//! From an experiment file to cells and the records they share.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::HashSet;

use common::{World, file, file_with};
use harness_experiment::{EpochRange, MethodOptions, Plan, Selection, Variant};
use harness_method::Preset;
use harness_method::options::{Branches, Loss, Prompts};

const MATRIX: &[(&str, &str)] = &[
    ("datasets", "[\"Liver\", \"Chest\"]"),
    ("shots", "[8, 2]"),
    ("draws", "[0, 5]"),
    ("seeds", "[1, 0]"),
    ("backends", "[\"libtorch\", \"flex\"]"),
    ("selection", "[\"best-on-test\", \"last\"]"),
];

fn matrix() -> Plan {
    World::default()
        .plan(&file_with(MATRIX, "\n[variants.b]\nloss = \"contrastive\"\n[variants.a]\nbranches = \"single\"\n"))
        .unwrap()
}

#[test]
fn cells_are_the_product_of_the_axes_in_the_files_order() {
    let plan = matrix();
    assert_eq!(plan.cells.len(), 3 * 2 * 2 * 2 * 2 * 2 * 2);
    let variants: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(variants, ["base", "b", "a"], "as they stand in the file, base first");
    let key = |i: usize| {
        let cell = &plan.cells[i];
        (
            cell.variant.as_str(),
            cell.dataset.as_str(),
            cell.shots.k().unwrap(),
            cell.draw.number().unwrap(),
            cell.seed,
            cell.backend.as_str(),
            cell.selection.name(),
        )
    };
    assert_eq!(key(0), ("base", "Liver", 8, 0, 1, "libtorch", "best-on-test"));
    assert_eq!(key(1), ("base", "Liver", 8, 0, 1, "libtorch", "last"));
    assert_eq!(key(2), ("base", "Liver", 8, 0, 1, "flex", "best-on-test"));
    assert_eq!(key(4), ("base", "Liver", 8, 0, 0, "libtorch", "best-on-test"));
    assert_eq!(key(8), ("base", "Liver", 8, 5, 1, "libtorch", "best-on-test"));
    assert_eq!(key(16), ("base", "Liver", 2, 0, 1, "libtorch", "best-on-test"));
    assert_eq!(key(32), ("base", "Chest", 8, 0, 1, "libtorch", "best-on-test"));
    assert_eq!(key(64), ("b", "Liver", 8, 0, 1, "libtorch", "best-on-test"));
}

#[test]
fn every_cell_names_records_of_the_plan_and_rules_share_a_training() {
    let plan = matrix();
    let trainings: HashSet<_> = plan.trainings.iter().map(|t| t.id).collect();
    let evaluations: HashSet<_> = plan.evaluations.iter().map(|e| e.id).collect();
    assert_eq!((trainings.len(), evaluations.len()), (96, 192));
    assert_eq!((plan.trainings.len(), plan.evaluations.len()), (96, 192), "each once");
    assert!(plan.cells.iter().all(|c| trainings.contains(&c.training) && evaluations.contains(&c.evaluation)));
    assert!(plan.evaluations.iter().all(|e| trainings.contains(&e.training)));
    let epochs = |selection| {
        let cell = plan.cells.iter().find(|c| c.selection == selection).unwrap();
        plan.evaluations.iter().find(|e| e.id == cell.evaluation).unwrap().epochs
    };
    assert_eq!(epochs(Selection::Last), EpochRange { first: 59, last: 59 });
    assert_eq!(epochs(Selection::BestOnTest), EpochRange { first: 0, last: 59 });
}

#[test]
fn the_world_is_asked_each_question_once() {
    let world = World::default();
    world.plan(&file_with(MATRIX, "\n[variants.b]\nloss = \"contrastive\"\n")).unwrap();
    let asked = world.asked.borrow();
    let distinct: HashSet<&String> = asked.iter().collect();
    assert_eq!(asked.len(), distinct.len(), "{asked:#?}");
}

#[test]
fn the_released_preset_is_the_default_and_what_the_published_code_does() {
    let plan = World::default().plan(&file("")).unwrap();
    let released = MethodOptions::from(Preset::Released.options());
    assert_eq!((plan.variants[0].preset.as_str(), &plan.variants[0].options), ("released", &released));
    assert_eq!((plan.train.epochs, plan.train.batch, plan.train.learning_rate), (60, 16, 1e-3));
    assert_eq!((Preset::Released.options().image_size, Preset::Released.options().taps), (240, vec![6, 12, 18, 24]));
}

#[test]
fn a_variant_wins_over_base_and_base_over_encoder_and_encoder_over_preset() {
    let text = file(
        "image_size = 224\ntaps = [3, 6]\n\n[base]\npreset = \"clip\"\ntaps = [12]\nloss = \"contrastive\"\n\n\
         [variants.own]\ntaps = [24]\nprompts = \"free\"\n\n[variants.other]\npreset = \"released\"\n",
    );
    let plan = World::default().plan(&text).unwrap();
    let [base, own, other] = [0, 1, 2].map(|i| &plan.variants[i]);
    let of = |variant: &Variant| variant.options.madclip().unwrap().clone();
    let (base_of, own_of, other_of) = (of(base), of(own), of(other));
    assert_eq!((base_of.image_size, &base_of.taps, base_of.loss), (224, &vec![12], Loss::Contrastive));
    assert_eq!((base.preset.as_str(), base_of.activation), ("clip", Preset::Clip.options().activation));
    assert_eq!((&own_of.taps, own_of.prompts, own_of.loss), (&vec![24], Prompts::Free, Loss::Contrastive));
    assert_eq!((other.preset.as_str(), other_of.activation), ("released", Preset::Released.options().activation));
    assert_eq!((&other_of.taps, other_of.loss), (&vec![12], Loss::Contrastive), "the same [base]");
}

#[test]
fn base_can_be_left_out() {
    let plan = World::default()
        .plan(&file_with(&[("include_base", "false")], "\n[variants.one]\nbranches = \"normal\"\n"))
        .unwrap();
    assert_eq!(plan.variants.len(), 1);
    let branches = plan.variants[0].options.madclip().unwrap().branches;
    assert_eq!((plan.cells[0].variant.as_str(), branches), ("one", Branches::Normal));
}

#[test]
fn variants_that_come_to_the_same_share_their_records_and_ids() {
    let plan = World::default()
        .plan(&file("\n[variants.same]\nloss = \"siglip\"\n\n[variants.other]\nloss = \"contrastive\"\n"))
        .unwrap();
    assert_eq!((plan.cells.len(), plan.trainings.len(), plan.evaluations.len()), (3, 2, 2));
    assert_eq!(plan.cells[0].id, plan.cells[1].id);
    assert_ne!(plan.cells[0].id, plan.cells[2].id);
    assert!(plan.listing(false).to_string().contains("same (preset released): the same as base"));
}

#[test]
fn a_set_without_masks_has_image_metrics_alone() {
    let plan = World::default().plan(&file_with(&[("datasets", "[\"Chest\"]")], "")).unwrap();
    assert!(!plan.trainings[0].has_masks);
    assert!(plan.listing(false).to_string().contains("no masks: only image metrics"));
}

#[test]
fn costs_count_every_piece_of_work_once() {
    let plan = World::default()
        .plan(&file_with(
            &[("seeds", "[0, 1]"), ("selection", "[\"last\", \"best-on-test\"]")],
            "\n[train]\nepochs = 10\n",
        ))
        .unwrap();
    let costs = plan.costs();
    assert_eq!((costs.cells, costs.trainings, costs.evaluations), (4, 2, 4));
    // 32 x 4 images in batches of 16, ten times, for two seeds.
    assert_eq!(costs.steps, 2 * 8 * 10);
    assert_eq!(costs.scored, 2 * 3715 * (1 + 10));
    assert_eq!(costs.test_encodings, 3715, "taps don't depend on the seed");
    // Fifteen shared views and the jittered one of each seed.
    assert_eq!(costs.support_encodings, 8 * (15 + 2));
    assert_eq!(costs.tap_bytes, (3715 + 8 * 17) * 4 * 290 * 1024 * 4);
}

#[test]
fn the_listing_shows_what_differs_from_the_preset_and_every_cell() {
    let plan = World::default().plan(&file("\n[variants.free]\nprompts = \"free\"\n")).unwrap();
    let text = plan.listing(true).to_string();
    common::says(
        &text,
        &["  * prompts           free", "    prompts           learned", "cells        2 = 2 variants x 1 dataset"],
    );
    for cell in &plan.cells {
        common::says(&text, &[&cell.id.to_string()]);
    }
    assert!(!plan.listing(false).to_string().contains(&plan.cells[0].id.to_string()));
}
