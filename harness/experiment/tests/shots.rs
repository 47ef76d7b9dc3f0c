//! Support sets with other than K and K images: who can do with them, what they are called, and what they leave as it
//! was.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{World, file_with, says};
use harness_experiment::{Cell, CellStatus, Filter, Method, Plan, Selection, Shots};

const NORMALS: Shots = Shots { normal: 4, abnormal: 0 };

/// Methods by what they see; `base` is MadCLIP.
const VARIANTS: &str = "\n[variants.bank]\nmethod = \"memory-bank\"\n\n\
                        [variants.bank-both]\nmethod = \"memory-bank\"\nbanks = \"both\"\n\n\
                        [variants.probe]\nmethod = \"linear-probe\"\n\n\
                        [variants.prototypes]\nmethod = \"text-prototypes\"\n\n\
                        [variants.zero-shot]\nmethod = \"zero-shot\"\n";

fn shots(list: &str) -> [(&str, &str); 1] {
    [("shots", list)]
}

fn with_rule(rule: &str) -> String {
    format!("{VARIANTS}\n[[exclude]]\n{rule}\n")
}

/// Those that need both classes are left out of normal images alone.
const RULE: &str =
    "variants = [\"base\", \"bank-both\", \"probe\", \"prototypes\"]\nshots = [{ normal = 4, abnormal = 0 }]";

fn of<'a>(plan: &'a Plan, variant: &str) -> Vec<&'a Cell> {
    plan.cells.iter().filter(|cell| cell.variant == variant).collect()
}

#[test]
fn a_pair_is_an_element_of_the_axis() {
    let axis = shots("[2, { normal = 16, abnormal = 0 }, { abnormal = 2, normal = 8 }]");
    let text = file_with(
        &axis,
        &format!(
            "{VARIANTS}\n[[exclude]]\nvariants = [\"base\", \"bank-both\", \"probe\", \
                                          \"prototypes\"]\nshots = [{{ normal = 16, abnormal = 0 }}]\n"
        ),
    );
    let plan = World::default().plan(&text).unwrap();
    let words = |cells: &[&Cell]| cells.iter().map(|cell| cell.shots.to_string()).collect::<Vec<_>>();
    assert_eq!(words(&of(&plan, "bank")), ["2", "16+0", "8+2"]);
    assert_eq!(words(&of(&plan, "probe")), ["2", "8+2"]);
    let training = plan.trainings.iter().find(|t| t.method == Method::Madclip && t.shots.k().is_none()).unwrap();
    assert_eq!((training.supports(), training.images()), (10, 160));
    let sizes = training.support_sizes();
    assert_eq!((sizes.normal, sizes.abnormal), (8, 2));
    // A frozen plan has numbers as before, and pairs as text.
    let frozen = plan.to_toml().unwrap();
    assert!(frozen.contains("\nshots = [2, \"16+0\", \"8+2\"]\n") && frozen.contains("shots = \"8+2\""), "{frozen}");
    assert_eq!(Plan::from_toml(&frozen).unwrap(), plan);
    let listing = plan.listing(true).to_string();
    says(&listing, &["shots       2, 16+0, 8+2 (normal+abnormal where they differ)", "   8+2     0     0  flex"]);
    // The augmented images of 2 + 2 and 8 + 2 for MadCLIP, plain ones for the others: 15 are shared by seeds.
    assert_eq!(plan.costs().support_encodings, 16 * (4 + 10) + 16);
}

#[test]
fn a_pair_of_equal_numbers_is_k_and_changes_nothing() {
    let world = World::default();
    let (typed, pair) = (shots("[4]"), shots("[{ normal = 4, abnormal = 4 }]"));
    assert_eq!(
        world.plan(&file_with(&typed, VARIANTS)).unwrap().to_toml().unwrap(),
        world.plan(&file_with(&pair, VARIANTS)).unwrap().to_toml().unwrap()
    );
    let twice = shots("[4, { normal = 4, abnormal = 4 }]");
    says(&world.problem(&file_with(&twice, "")), &["3:13: `shots` has `4` twice, first as element 1"]);
    // Beside pairs, the ids of K and K are those that they have by themselves.
    let alone = world.plan(&file_with(&typed, VARIANTS)).unwrap();
    let beside = world.plan(&file_with(&shots("[4, { normal = 4, abnormal = 0 }]"), &with_rule(RULE))).unwrap();
    assert!(alone.cells.iter().all(|cell| beside.cells.contains(cell)));
    assert!(alone.trainings.iter().all(|training| beside.trainings.contains(training)));
}

#[test]
fn who_can_not_do_with_normal_images_alone_is_named_with_the_reason() {
    let world = World::default();
    let axis = shots("[4, { normal = 4, abnormal = 0 }]");
    let problem = world.problem(&file_with(&axis, VARIANTS));
    says(
        &problem,
        &[
            "3:13: `shots` 4+0 (normal+abnormal) has no abnormal image",
            "`base` (method madclip), `bank-both` (method memory-bank), `probe` (method linear-probe) and \
             `prototypes` (method text-prototypes) learn from images of both classes",
            "[[exclude]] with variants = [\"base\", \"bank-both\", \"probe\", \"prototypes\"], \
             shots = [{ normal = 4, abnormal = 0 }]",
        ],
    );
    // What the message says to write is accepted.
    let plan = world.plan(&file_with(&axis, &with_rule(RULE))).unwrap();
    assert_eq!([of(&plan, "bank").len(), of(&plan, "zero-shot").len(), of(&plan, "base").len()], [2, 2, 1]);
    assert_eq!(of(&plan, "bank")[1].shots, NORMALS);
    // Abnormal images alone are for what sees no normal one.
    let axis = shots("[{ normal = 0, abnormal = 4 }]");
    let problems = world.problems(&file_with(&axis, VARIANTS));
    assert_eq!(problems.len(), 1);
    says(&problems[0].message, &["has no normal image", "`bank` (method memory-bank)", "`prototypes`"]);
    assert!(!problems[0].message.contains("zero-shot"));
    let only = "\n[variants.zero-shot]\nmethod = \"zero-shot\"\n";
    let edits = [axis[0], ("include_base", "false")];
    assert_eq!(world.plan(&file_with(&edits, only)).unwrap().cells.len(), 1);
}

#[test]
fn what_can_not_be_read_as_a_pair_is_told() {
    let world = World::default();
    for (list, parts) in [
        ("[{ normal = 4 }]", vec!["3:10: an element of `shots` lacks `abnormal`", "{ normal = 16, abnormal = 0 }"]),
        ("[{ normal = 4, abnormall = 0, abnormal = 1 }]", vec!["unknown key `abnormall`", "did you mean `abnormal`?"]),
        ("[{ normal = 4, abnormal = -1 }]", vec!["`abnormal` is -1; write a whole number from 0"]),
        ("[\"4+0\"]", vec!["`shots` must be a whole number, not a string"]),
        ("[{ normal = 0, abnormal = 0 }]", vec!["`shots` is 0; choose 1 or more"]),
        ("[0]", vec!["`shots` is 0; choose 1 or more"]),
    ] {
        says(&world.problem(&file_with(&shots(list), "")), &parts);
    }
    let rule = "\n[[exclude]]\nshots = [{ normal = 9, abnormal = 0 }]\n";
    let axis = shots("[4, { normal = 8, abnormal = 2 }]");
    says(&world.problem(&file_with(&axis, rule)), &["has no `9+0`; it has `4`, `8+2`"]);
}

#[test]
fn an_epoch_is_chosen_by_images_of_both_classes_or_not_at_all() {
    let world = World::default();
    let rules = [("selection", "[\"last\", \"best-on-support\"]")];
    let only = "\n[variants.bank]\nmethod = \"memory-bank\"\n";
    let axis = [shots("[4, { normal = 4, abnormal = 1 }]")[0], rules[0]];
    let problem = world.problem(&file_with(&axis, only));
    says(&problem, &["`shots` 4+1", "best-on-support", "at least 2 of each", "selection = [\"best-on-support\"]"]);
    let exclude = "\n[[exclude]]\nselection = [\"best-on-support\"]\nshots = [{ normal = 4, abnormal = 1 }]\n";
    let plan = world.plan(&file_with(&axis, &format!("{only}{exclude}"))).unwrap();
    assert_eq!(plan.cells.len(), 2 * 3);
    // What has nothing to choose holds out nothing.
    let axis = [shots("[1, { normal = 4, abnormal = 0 }]")[0], rules[0], ("include_base", "false")];
    assert!(world.plan(&file_with(&axis, only)).unwrap().supports.iter().all(|support| support.folds.is_empty()));
    // Each fold holds out one image of the smaller class at least, and learns from the rest.
    let axis = [shots("[{ normal = 5, abnormal = 2 }]")[0], rules[0]];
    let plan = world.plan(&file_with(&axis, "")).unwrap();
    let folds: Vec<_> = plan.trainings.iter().filter(|training| training.fold.is_some()).collect();
    let held_out: Vec<_> = folds.iter().map(|training| training.fold.clone().unwrap().held_out).collect();
    assert_eq!(held_out, [vec![0, 2, 4, 6], vec![1, 3, 5]]);
    let sizes: Vec<_> =
        folds.iter().map(|t| (t.support_sizes().normal, t.support_sizes().abnormal, t.supports())).collect();
    assert_eq!(sizes, [(2, 1, 3), (3, 1, 4)]);
    assert_eq!(Plan::from_toml(&plan.to_toml().unwrap()).unwrap(), plan);
}

#[test]
fn a_filter_names_a_pair_as_tables_do() {
    let axis = shots("[4, { normal = 4, abnormal = 0 }]");
    let plan = World::default().plan(&file_with(&axis, &with_rule(RULE))).unwrap();
    let chosen = |text: &str| -> Vec<String> {
        let filter = Filter::parse(text, &plan).unwrap();
        let cells = plan.cells.iter().filter(|cell| filter.meets(cell, CellStatus::Done));
        cells.map(|cell| format!("{} {}", cell.variant, cell.shots)).collect()
    };
    assert_eq!(chosen("shots=4+0"), ["bank 4+0", "zero-shot 4+0"]);
    assert_eq!(chosen("shots=4,4+0 variant=bank"), ["bank 4", "bank 4+0"]);
    let error = Filter::parse("shots=8+0", &plan).unwrap_err().to_string();
    assert!(error.contains("it has `4`, `4+0`"), "{error}");
}

#[test]
fn a_rule_that_looks_at_tests_is_no_matter_of_the_support_set() {
    let axis = [shots("[{ normal = 8, abnormal = 1 }]")[0], ("selection", "[\"last\", \"best-on-test\"]")];
    let plan = World::default().plan(&file_with(&axis, VARIANTS)).unwrap();
    assert!(plan.cells.iter().any(|cell| cell.selection == Selection::BestOnTest && cell.variant == "base"));
}
