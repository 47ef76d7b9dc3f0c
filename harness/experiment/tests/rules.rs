//! Include and exclude rules: which cells of the product take part.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::collections::HashSet;

use common::{World, file_with, says};
use harness_experiment::{Plan, Selection, Shots};
use proptest::prelude::*;

const AXES: &[(&str, &str)] = &[
    ("datasets", "[\"Brain\", \"Chest\"]"),
    ("shots", "[4, 16]"),
    ("draws", "[0, 1]"),
    ("seeds", "[0, 1]"),
    ("selection", "[\"last\", \"best-on-test\"]"),
];

const VARIANTS: &str = "\n[variants.single]\nbranches = \"single\"\n\n[variants.free]\nprompts = \"free\"\n";

fn plan(rules: &str) -> Plan {
    World::default().plan(&file_with(AXES, &format!("{VARIANTS}{rules}"))).unwrap()
}

fn problem(rules: &str) -> String {
    World::default().problem(&file_with(AXES, &format!("{VARIANTS}{rules}")))
}

#[test]
fn without_rules_the_whole_product_takes_part() {
    assert_eq!(plan("").cells.len() as u64, plan("").product());
    assert_eq!(plan("").product(), 3 * 2 * 2 * 2 * 2 * 2);
}

#[test]
fn a_cell_must_meet_one_include_rule_in_all_it_names() {
    // Every variant at K 4 with `last`, and base with everything.
    let plan = plan("\n[[include]]\nshots = [4]\nselection = [\"last\"]\n\n[[include]]\nvariants = [\"base\"]\n");
    let wanted = |c: &&harness_experiment::Cell| {
        c.variant == "base" || (c.shots == Shots::each(4) && c.selection == Selection::Last)
    };
    assert_eq!(plan.cells.iter().filter(wanted).count(), plan.cells.len());
    assert_eq!(plan.cells.len(), 32 + 2 * (2 * 2 * 2));
}

#[test]
fn a_cell_must_meet_no_exclude_rule() {
    let plan = plan(
        "\n[[exclude]]\ndatasets = [\"Chest\"]\nshots = [16]\n\n[[exclude]]\nvariants = [\"free\"]\nseeds = [1]\n",
    );
    assert_eq!(plan.cells.len(), 96 - 3 * 8 - 16 + 4);
    assert!(!plan.cells.iter().any(|c| c.dataset == "Chest" && c.shots == Shots::each(16)));
    assert!(!plan.cells.iter().any(|c| c.variant == "free" && c.seed == 1));
}

#[test]
fn only_records_that_a_cell_needs_are_made() {
    let plan = plan("\n[[include]]\nvariants = [\"free\"]\ndraws = [1]\nselection = [\"last\"]\n");
    let trainings: HashSet<_> = plan.cells.iter().map(|c| c.training).collect();
    let evaluations: HashSet<_> = plan.cells.iter().map(|c| c.evaluation).collect();
    assert_eq!((plan.trainings.len(), plan.evaluations.len()), (trainings.len(), evaluations.len()));
    assert!(plan.trainings.iter().all(|t| t.draw == 1.into()));
}

#[test]
fn what_rules_leave_out_is_not_asked_of_the_world() {
    // Chest has too few images for K 16 here; nothing needs them.
    let world = World { pool: 4, ..World::default() };
    let text = file_with(AXES, "\n[[exclude]]\nshots = [16]\n");
    assert!(world.plan(&text).is_ok());
    assert!(!world.asked.borrow().iter().any(|question| question.contains(" 16 ")));
}

#[test]
fn a_rule_that_names_what_no_axis_has_is_reported_with_the_nearest() {
    for (rules, parts) in [
        (
            "\n[[exclude]]\nvariants = [\"fre\"]\n",
            vec!["[[exclude]]", "`variants` of the experiment has no `fre`", "did you mean `free`?"],
        ),
        ("\n[[include]]\ndatasets = [\"Liver\"]\n", vec!["[[include]]", "no `Liver`", "it has `Brain`, `Chest`"]),
        ("\n[[include]]\nshots = [8]\n", vec!["`shots` of the experiment has no `8`", "it has `4`, `16`"]),
        ("\n[[include]]\nselection = [\"best-on-support\"]\n", vec!["no `best-on-support`", "`last`, `best-on-test`"]),
        (
            "\n[[exclude]]\ntargets = [\"Brain\"]\n",
            vec!["has `targets`, and the experiment has none", "use `datasets`"],
        ),
        ("\n[[exclude]]\nshots = []\n", vec!["`shots` is empty", "remove it to mean any"]),
        ("\n[[exclude]]\n", vec!["names no axis", "shots = [4]"]),
        (
            "\n[[exclude]]\nvariant = [\"free\"]\n",
            vec!["unknown key `variant` in [[exclude]]", "did you mean `variants`?"],
        ),
        ("\n[exclude]\nshots = [4]\n", vec!["`exclude` must be a list of tables", "[[exclude]]"]),
        ("\n[[include]]\nshots = [4]\n\n[[exclude]]\nshots = [4]\n", vec!["the rules leave no cell", "loosen"]),
    ] {
        says(&problem(rules), &parts);
    }
}

#[test]
fn the_listing_tells_how_many_cells_rules_leave_out() {
    let text = plan("\n[[exclude]]\nshots = [16]\n").listing(false).to_string();
    says(&text, &["cells        48 = ", "less 48 that rules leave out"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rules_choose_cells_and_change_none(
        shots in prop::option::of(prop::sample::select(vec!["[4]", "[16]", "[4, 16]"])),
        variants in prop::option::of(prop::sample::select(vec!["[\"base\"]", "[\"free\", \"single\"]"])),
        seeds in prop::option::of(prop::sample::select(vec!["[0]", "[1]"])),
        include in any::<bool>(),
    ) {
        let mut rule = String::from(if include { "\n[[include]]\ndraws = [0]\n" } else { "\n[[exclude]]\ndraws = [0]\n" });
        for (key, value) in [("shots", shots), ("variants", variants), ("seeds", seeds)] {
            if let Some(value) = value {
                rule += &format!("{key} = {value}\n");
            }
        }
        let (all, some) = (plan(""), plan(&rule));
        prop_assert!(some.cells.len() < all.cells.len());
        let mut left = all.cells.iter();
        prop_assert!(some.cells.iter().all(|cell| left.any(|other| other == cell)), "same cells, same order");
        prop_assert_eq!(Plan::from_toml(&some.to_toml().unwrap()).unwrap(), some);
    }
}
