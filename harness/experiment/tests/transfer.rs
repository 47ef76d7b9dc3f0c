//! Models trained on one dataset and scored on others.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::HashSet;

use common::{World, file_with, says};
use harness_experiment::{Cell, Evaluation, ImageScore, Plan, Selection};

fn plan(top: &[(&str, &str)]) -> Plan {
    World::default().plan(&file_with(top, "")).unwrap()
}

fn cell<'a>(plan: &'a Plan, source: &str, target: &str, selection: Selection) -> &'a Cell {
    plan.cells.iter().find(|c| c.trained_on == source && c.dataset == target && c.selection == selection).unwrap()
}

fn evaluation<'a>(plan: &'a Plan, cell: &Cell) -> &'a Evaluation {
    plan.evaluations.iter().find(|e| e.id == cell.evaluation).unwrap()
}

const CROSS: &[(&str, &str)] = &[
    ("datasets", "[\"Brain\", \"Chest\"]"),
    ("targets", "[\"Brain\", \"RESC\", \"Chest\"]"),
    ("selection", "[\"last\", \"best-on-test\"]"),
];

#[test]
fn every_source_is_trained_once_and_scored_on_every_target() {
    let plan = plan(CROSS);
    assert_eq!((plan.cells.len(), plan.trainings.len()), (2 * 3 * 2, 2));
    let pairs: Vec<(&str, &str)> =
        plan.cells.iter().step_by(2).map(|c| (c.trained_on.as_str(), c.dataset.as_str())).collect();
    let expected = [
        ("Brain", "Brain"),
        ("Brain", "RESC"),
        ("Brain", "Chest"),
        ("Chest", "Brain"),
        ("Chest", "RESC"),
        ("Chest", "Chest"),
    ];
    assert_eq!(pairs, expected);
    let tests: HashSet<_> =
        plan.evaluations.iter().map(|e| (e.training, e.test, e.epochs, e.chosen_by.clone())).collect();
    assert_eq!(tests.len(), plan.evaluations.len());
}

#[test]
fn a_source_scored_on_itself_is_the_same_cell_as_without_targets() {
    let (cross, plain) = (plan(CROSS), plan(&[CROSS[0], CROSS[2]]));
    for cell in &plain.cells {
        assert!(cross.cells.contains(cell));
    }
}

#[test]
fn a_support_image_that_is_in_the_target_s_test_set_is_refused_at_the_target() {
    let world = World { shared: vec![("Brain".to_owned(), "RESC".to_owned())], ..World::default() };
    says(
        &world.problem(&file_with(CROSS, "")),
        &["8:21: ", "`Brain`, 4 shots, draw 0, scored on `RESC`: 1 image is in both"],
    );
}

#[test]
fn sentences_name_the_target_unless_asked_for_the_source() {
    let named = |top: &[(&str, &str)]| {
        let plan = plan(top);
        let cell = cell(&plan, "Brain", "Chest", Selection::Last);
        (evaluation(&plan, cell).object.clone(), plan.trainings[0].object.clone())
    };
    assert_eq!(named(CROSS), ("Chest X-ray film".to_owned(), "Brain".to_owned()));
    let source = [CROSS, &[("transfer_object", "\"source\"")]].concat();
    assert_eq!(named(&source), ("Brain".to_owned(), "Brain".to_owned()));
    let plan = |top| plan(top).cells.iter().map(|c| c.id).collect::<HashSet<_>>();
    assert_eq!(plan(CROSS).intersection(&plan(&source)).count(), 4, "what is trained and scored on one set alone");
}

#[test]
fn best_on_test_of_a_transfer_is_chosen_on_the_sources_test_set() {
    let plan = plan(CROSS);
    let (own, transfer) =
        (cell(&plan, "Brain", "Brain", Selection::BestOnTest), cell(&plan, "Brain", "RESC", Selection::BestOnTest));
    assert_eq!(own.chosen_by, [own.evaluation]);
    assert_eq!(transfer.chosen_by, [own.evaluation], "the source's evaluation");
    let (own, transfer) = (evaluation(&plan, own), evaluation(&plan, transfer));
    assert!(own.chosen_by.is_empty());
    assert_eq!(transfer.chosen_by, [own.id]);
    assert_eq!((own.scored_epochs(2), transfer.scored_epochs(2)), (60, 2), "the target at the chosen epochs alone");
    assert!(cell(&plan, "Brain", "RESC", Selection::Last).chosen_by.is_empty());
    // Also where no cell asks for the source on its own.
    let alone = World::default()
        .plan(&file_with(&[("targets", "[\"RESC\"]"), ("selection", "[\"best-on-test\"]")], ""))
        .unwrap();
    assert_eq!((alone.cells.len(), alone.evaluations.len()), (1, 2));
    assert_eq!(alone.cells[0].chosen_by, [own.id]);
}

#[test]
fn without_masks_in_the_source_there_are_no_maps_and_without_them_in_the_target_no_pixel_metrics() {
    let plan = plan(CROSS);
    let reports = |source, target| {
        let cell = cell(&plan, source, target, Selection::Last);
        (cell.image_scores.clone(), cell.pixel_metrics)
    };
    let (both, detection) = (ImageScore::ALL.to_vec(), vec![ImageScore::Detection]);
    assert_eq!(reports("Brain", "RESC"), (both.clone(), true));
    assert_eq!(reports("Brain", "Chest"), (both, false));
    assert_eq!(reports("Chest", "Brain"), (detection.clone(), false));
    assert_eq!(reports("Chest", "Chest"), (detection, false));
    says(&plan.listing(true).to_string(), &["trained on Chest (no masks): only detection scores", "Brain -> RESC"]);
}

#[test]
fn maps_asked_for_where_there_can_be_none_are_refused() {
    let text = file_with(&[CROSS, &[("image_scores", "[\"map-max\"]")]].concat(), "");
    says(
        &World::default().problem(&text),
        &["9:16: ", "`image_scores` map-max needs maps", "`Chest`", "add \"detection\""],
    );
    let alone = plan(&[CROSS, &[("image_scores", "[\"detection\"]")]].concat());
    assert!(alone.cells.iter().all(|c| c.image_scores == [ImageScore::Detection]));
    // What is reported does not decide what is computed.
    assert_eq!(alone.cells[0].id, plan(CROSS).cells[0].id);
}

#[test]
fn targets_are_checked_as_datasets_are() {
    let world = World::default();
    let with = |targets: &str| file_with(&[("targets", targets)], "");
    says(
        &world.problem(&with("[\"Lvier\"]")),
        &["8:12: ", "`targets`: no dataset is called `Lvier`", "did you mean `Liver`?"],
    );
    says(&world.problem(&with("[]")), &["`targets` is empty"]);
    says(&world.problem(&with("[\"Liver\", \"Liver\"]")), &["`targets` has `Liver` twice"]);
    says(&world.problem(&with("[\"Wordy\"]")), &["8:12: ", "sentences about `Wordy`", "takes 77"]);
    let text = file_with(&[("transfer_object", "\"source\"")], "");
    says(&world.problem(&text), &["`transfer_object` is for experiments with `targets`"]);
}

#[test]
fn a_frozen_transfer_comes_back_as_it_was() {
    let plan = plan(&[CROSS, &[("transfer_object", "\"source\""), ("image_scores", "[\"detection\"]")]].concat());
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
}

#[test]
fn costs_count_a_transfers_work_once() {
    let plan = plan(&[CROSS[0], CROSS[1]]);
    let costs = plan.costs();
    assert_eq!((costs.trainings, costs.evaluations), (2, 6));
    assert_eq!(costs.test_encodings, 3715 + 1805 + 17_194, "each test set once");
    assert_eq!(costs.scored, 2 * (3715 + 1805 + 17_194));
}
