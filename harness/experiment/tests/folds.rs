//! Choosing an epoch inside the support set: fold trainings as records of their own.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::HashSet;

use common::{World, file_with, says};
use harness_experiment::{EpochRange, Plan, Selection};

const BOTH: &[(&str, &str)] = &[("selection", "[\"last\", \"best-on-support\"]"), ("shots", "[6]")];

fn plan() -> Plan {
    World::default().plan(&file_with(BOTH, "")).unwrap()
}

#[test]
fn every_fold_is_a_training_with_an_evaluation_on_what_it_holds_out() {
    let plan = plan();
    let folds: Vec<_> = plan.trainings.iter().filter_map(|t| Some((t, t.fold.as_ref()?))).collect();
    assert_eq!((plan.trainings.len(), folds.len()), (5, 4));
    let held_out: Vec<&[u32]> = folds.iter().map(|(_, fold)| fold.held_out.as_slice()).collect();
    assert_eq!(held_out, [&[0, 4, 6, 10][..], &[1, 5, 7, 11], &[2, 8], &[3, 9]]);
    let ids: HashSet<_> = plan.trainings.iter().map(|t| t.id).collect();
    assert_eq!(ids.len(), 5, "a fold is another training");
    for (training, fold) in folds {
        assert_eq!(training.images(), 16 * (12 - fold.held_out.len() as u64));
        assert_eq!(training.shuffle_stream(3), format!("shuffle.fold{}.3", fold.number));
        let evaluation = plan.evaluations.iter().find(|e| e.training == training.id).unwrap();
        assert!(evaluation.on_fold && evaluation.chosen_by.is_empty());
        assert_eq!(evaluation.test_images, fold.held_out.len() as u64);
        assert_eq!(
            (evaluation.test, evaluation.epochs),
            (training.support.unwrap(), EpochRange { first: 0, last: 59 })
        );
    }
    let full = plan.trainings.iter().find(|t| t.fold.is_none()).unwrap();
    assert_eq!((full.images(), full.shuffle_stream(3)), (16 * 12, "shuffle.3".to_owned()));
}

#[test]
fn the_folds_choose_the_epoch_and_the_test_set_is_scored_at_that_one_alone() {
    let plan = plan();
    let [last, chosen] =
        [Selection::Last, Selection::BestOnSupport].map(|s| plan.cells.iter().find(|c| c.selection == s).unwrap());
    assert_eq!(last.training, chosen.training, "one full training for every rule");
    assert_eq!((last.chosen_by.len(), chosen.chosen_by.len()), (0, 4));
    let evaluation = plan.evaluations.iter().find(|e| e.id == chosen.evaluation).unwrap();
    assert_eq!(evaluation.chosen_by, chosen.chosen_by);
    assert!(!evaluation.on_fold);
    assert_eq!(evaluation.scored_epochs(2), 2, "one for each image score at most");
    let choosers = chosen.chosen_by.iter().map(|id| plan.evaluations.iter().find(|e| e.id == *id).unwrap());
    assert!(choosers.into_iter().all(|e| e.on_fold));
}

#[test]
fn folds_do_not_change_what_others_rules_compute() {
    let without = World::default().plan(&file_with(&[BOTH[1]], "")).unwrap();
    assert!(plan().cells.contains(&without.cells[0]));
    assert!(without.trainings.iter().all(|t| t.fold.is_none()));
}

#[test]
fn patients_are_not_split_and_decide_the_ids() {
    let name = |text: &str| (text != "-").then(|| text.to_owned());
    let patients = ["a", "b", "c", "d", "a", "-", "-", "-"].map(name).to_vec();
    let text = file_with(&[BOTH[0]], "");
    let grouped = World { patients, ..World::default() }.plan(&text).unwrap();
    let fold = |plan: &Plan, n: usize| plan.trainings.iter().filter_map(|t| t.fold.clone()).nth(n).unwrap();
    assert_eq!(fold(&grouped, 0).held_out, [0, 4]);
    let patients = ["a", "b", "c", "d", "-", "a", "b", "-"].map(name).to_vec();
    let fewer = World { patients, ..World::default() }.plan(&text).unwrap();
    assert!(fold(&fewer, 0).of < 4 && fold(&fewer, 0).held_out.contains(&5));
    assert_ne!(grouped.cells[1].id, fewer.cells[1].id);
    assert_eq!(grouped.cells[0].id, fewer.cells[0].id, "`last` has no folds");
}

#[test]
fn a_support_set_that_can_not_be_split_is_refused() {
    let text = |shots| file_with(&[BOTH[0], ("shots", shots)], "");
    says(&World::default().problem(&text("[1]")), &["3:10: ", "nothing to cross-validate"]);
    let one = World { patients: vec![Some("a".to_owned()); 8], ..World::default() };
    says(
        &one.problem(&text("[4]")),
        &["support set of `Brain`, 4 shots, draw 0", "can't be split into folds with both classes"],
    );
}

#[test]
fn a_frozen_plan_with_folds_comes_back_as_it_was() {
    let plan = plan();
    let frozen = plan.to_toml().unwrap();
    assert_eq!(Plan::from_toml(&frozen).unwrap(), plan);
    let edited = frozen.replacen("held_out = [0, 4, 6, 10]", "held_out = [0, 6]", 1);
    assert_ne!(edited, frozen);
    says(&Plan::from_toml(&edited).unwrap_err().to_string(), &["it was edited"]);
}

#[test]
fn costs_and_listing_count_the_folds() {
    let plan = plan();
    let costs = plan.costs();
    let steps = |images: u64| images.div_ceil(16) * 60;
    assert_eq!(costs.steps, steps(192) + 2 * steps(16 * 8) + 2 * steps(16 * 10));
    assert_eq!(costs.support_encodings, 12 * 16, "folds take the taps of the whole support set");
    assert_eq!(costs.scored, 3715 + 2 * 3715 + 12 * 60);
    says(&plan.listing(false).to_string(), &["trainings    5 (4 of folds, "]);
}

#[test]
fn a_transfer_chooses_on_the_sources_support_set() {
    let plan = World::default().plan(&file_with(&[BOTH[0], ("targets", "[\"Brain\", \"Chest\"]")], "")).unwrap();
    let chosen: Vec<_> = plan.cells.iter().filter(|c| c.selection == Selection::BestOnSupport).collect();
    assert_eq!(chosen.len(), 2);
    assert_eq!(chosen[0].chosen_by, chosen[1].chosen_by, "the same folds");
    assert_ne!(chosen[0].evaluation, chosen[1].evaluation);
}
