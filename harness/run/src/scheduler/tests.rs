//! The scheduler against an executor and a judge that compute nothing: order, choice, retries, and records that can't
//! be read.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fakes;

use std::collections::{BTreeSet, HashSet};

use harness_experiment::{Cell, Evaluation, Filter, Plan, Selection};
use harness_records::{Class, Entry, Journal, RecordId, RecordKind, journal, reads, state_file};
use itertools::Itertools;

use self::fakes::{Desk, plan};
use crate::choice;

/// Places in a list of jobs.
fn position(jobs: &[RecordId], record: impl Into<RecordId>) -> usize {
    let record = record.into();
    jobs.iter().position(|job| *job == record).unwrap()
}

fn training_of(plan: &Plan, evaluation: &Evaluation) -> RecordId {
    plan.trainings.iter().find(|training| training.id == evaluation.training).unwrap().id.into()
}

#[test]
fn folds_come_before_what_they_choose_and_backends_one_after_the_other() {
    let plan = plan("selection = [\"last\", \"best-on-support\"]\nbackends = [\"one\", \"other\"]");
    let desk = Desk::new(&plan);
    let finished = desk.run();
    assert_eq!((finished.done, finished.failed, finished.reused), (plan.cells.len(), 0, 0));
    let jobs = desk.jobs();
    assert_eq!(jobs.len(), plan.trainings.len() + plan.evaluations.len());
    for evaluation in &plan.evaluations {
        assert!(position(&jobs, training_of(&plan, evaluation)) < position(&jobs, evaluation.id));
        for chooser in &evaluation.chosen_by {
            assert!(position(&jobs, *chooser) < position(&jobs, evaluation.id));
        }
    }
    let backend = |job: &RecordId| {
        let of = |id| plan.trainings.iter().find(|training| training.id == id).unwrap().backend.name.clone();
        match job {
            RecordId::Training(id) => of(*id),
            RecordId::Evaluation(id) => of(plan.evaluations.iter().find(|e| e.id == *id).unwrap().training),
        }
    };
    let mut backends: Vec<String> = jobs.iter().map(backend).collect();
    backends.dedup();
    assert_eq!(backends, ["one", "other"]);
}

/// All orders of some words, as lists of TOML.
fn orders(words: &[&str]) -> Vec<String> {
    let orders = words.iter().permutations(words.len());
    orders.map(|order| format!("[{}]", order.iter().map(|word| format!("\"{word}\"")).join(", "))).collect()
}

#[test]
fn the_order_of_rules_datasets_and_targets_decides_nothing() {
    let mut known: Option<BTreeSet<String>> = None;
    let rules = orders(&["last", "best-on-test", "best-on-support"]);
    for ((rules, datasets), targets) in rules
        .iter()
        .cartesian_product(orders(&["Brain", "Lungs"]).iter().cartesian_product(orders(&["Brain", "Liver-CT"]).iter()))
        .map(|(rules, (datasets, targets))| ((rules, datasets), targets))
    {
        let axes = format!("selection = {rules}\ndatasets = {datasets}\ntargets = {targets}\nseeds = [0]");
        let plan = plan(&axes);
        let desk = Desk::new(&plan);
        let finished = desk.run();
        assert_eq!((finished.done, finished.failed), (plan.cells.len(), 0), "{axes}");
        let jobs = desk.jobs();
        for evaluation in &plan.evaluations {
            for chooser in &evaluation.chosen_by {
                assert!(position(&jobs, *chooser) < position(&jobs, evaluation.id), "{axes}");
            }
        }
        let cells: BTreeSet<String> = plan.cells.iter().map(|cell| cell.id.to_string()).collect();
        assert_eq!(*known.get_or_insert_with(|| cells.clone()), cells, "{axes}");
    }
}

#[test]
fn a_bad_file_of_a_test_set_fails_the_cells_that_need_it_before_their_training() {
    let plan = plan("datasets = [\"Brain\", \"Liver-CT\"]");
    let desk = Desk::new(&plan);
    desk.spoil("Brain", true);
    let lost = plan.cells.iter().filter(|cell| cell.dataset == "Brain").count();
    for (done, reused) in [(plan.cells.len() - lost, 0), (0, plan.cells.len() - lost)] {
        let finished = desk.run();
        assert_eq!((finished.failed, finished.done, finished.reused), (lost, done, reused));
    }
    for training in plan.trainings.iter().filter(|training| training.dataset == "Brain") {
        assert!(!desk.jobs().contains(&training.id.into()));
    }
    desk.spoil("Brain", false);
    assert_eq!((desk.run().done, desk.run().reused), (lost, plan.cells.len()));
    // Numbers of masks that could be read are no numbers of those that can't.
    desk.spoil("Brain", true);
    desk.forget();
    let finished = desk.run();
    assert_eq!((finished.failed, finished.reused), (lost, plan.cells.len() - lost));
    assert_eq!(desk.jobs(), []);
    desk.spoil("Brain", false);
    assert_eq!((desk.run().done, desk.jobs()), (lost, Vec::new()));
}

#[test]
fn a_bad_file_of_the_set_that_chooses_fails_what_is_chosen_and_nothing_else() {
    let axes = "targets = [\"Brain\", \"Liver-CT\"]\nselection = [\"last\", \"best-on-test\"]";
    let plan = plan(axes);
    for (spoilt, fails) in [
        ("Brain", (|cell| cell.dataset == "Brain" || cell.selection == Selection::BestOnTest) as fn(&Cell) -> bool),
        ("Liver-CT", |cell| cell.dataset == "Liver-CT"),
    ] {
        let desk = Desk::new(&plan);
        desk.spoil(spoilt, true);
        let finished = desk.run();
        let lost = plan.cells.iter().filter(|cell| fails(cell)).count();
        assert_eq!((finished.failed, finished.done), (lost, plan.cells.len() - lost), "{spoilt}");
    }
}

#[test]
fn a_run_ends_before_its_trainings_where_as_many_cells_fail_as_may() {
    let plan = plan("datasets = [\"Brain\", \"Liver-CT\"]");
    let desk = Desk::new(&plan);
    desk.spoil("Brain", true);
    let finished = desk.run_with(None, Some(1));
    assert!(finished.given_up && finished.done == 0 && desk.jobs().is_empty(), "{finished:?}");
}

#[test]
fn a_run_of_what_is_complete_does_no_job_and_tells_no_cell() {
    let plan = plan("");
    let desk = Desk::new(&plan);
    desk.run();
    desk.forget();
    let finished = desk.run();
    assert_eq!((finished.done, finished.reused), (0, plan.cells.len()));
    assert_eq!(desk.jobs(), []);
    assert_eq!(desk.notices(), ["begun"]);
}

#[test]
fn a_crash_is_tried_again_by_a_new_worker_and_what_stays_the_same_is_not() {
    let plan = plan("");
    let desk = Desk::new(&plan);
    let first: RecordId = plan.trainings[0].id.into();
    desk.fail(first, Class::Crashed, 1);
    let finished = desk.run();
    assert_eq!((finished.done, finished.failed), (plan.cells.len(), 0));
    assert_eq!((desk.jobs().iter().filter(|job| **job == first).count(), desk.renewals()), (2, 1));
    assert!(desk.notices().contains(&"retrying training".to_owned()));

    let desk = Desk::new(&plan);
    desk.fail(first, Class::Numeric, 1);
    let finished = desk.run();
    assert_eq!((desk.jobs().iter().filter(|job| **job == first).count(), desk.renewals()), (1, 0));
    let lost = plan.cells.iter().filter(|cell| RecordId::from(cell.training) == first).count();
    assert_eq!((finished.failed, finished.done), (lost, plan.cells.len() - lost));
    // The journal says why, and the next run tries again.
    let failures = journal::failures(&desk.folder().journal()).unwrap();
    assert_eq!(failures[&first].class, Class::Numeric);
    assert_eq!(desk.run().done, lost);
    assert!(journal::failures(&desk.folder().journal()).unwrap().is_empty());
}

#[test]
fn a_fold_that_fails_takes_the_cells_with_it_that_it_chooses_for_and_no_others() {
    let plan = plan("selection = [\"last\", \"best-on-support\"]");
    let desk = Desk::new(&plan);
    let fold = plan.trainings.iter().find(|training| training.fold.is_some()).unwrap();
    desk.fail(fold.id.into(), Class::Input, 1);
    let finished = desk.run();
    let chosen = plan.evaluations.iter().find(|evaluation| evaluation.training == fold.id).unwrap();
    let lost = plan.cells.iter().filter(|cell| cell.chosen_by.contains(&chosen.id)).count();
    assert_eq!((finished.failed, finished.done), (lost, plan.cells.len() - lost));
}

#[test]
fn a_run_ends_when_as_many_cells_failed_as_may() {
    let plan = plan("seeds = [0, 1, 2, 3]");
    let desk = Desk::new(&plan);
    for training in &plan.trainings {
        desk.fail(training.id.into(), Class::Input, 1);
    }
    let finished = desk.run_with(None, Some(2));
    assert!(finished.given_up && finished.failed >= 2 && desk.jobs().len() < plan.trainings.len(), "{finished:?}");
}

#[test]
fn only_the_chosen_cells_are_run() {
    let plan = plan("seeds = [0, 1]");
    let desk = Desk::new(&plan);
    let chosen: Vec<usize> = (0..plan.cells.len()).filter(|index| plan.cells[*index].seed == 1).collect();
    let finished = desk.run_with(Some(&chosen), None);
    assert_eq!((finished.done, finished.failed), (chosen.len(), 0));
    let wanted: BTreeSet<RecordId> = chosen.iter().map(|index| plan.cells[*index].training.into()).collect();
    let jobs = desk.jobs();
    let trained = jobs.iter().filter(|job| job.kind() == RecordKind::Training).copied().collect::<BTreeSet<_>>();
    assert_eq!(trained, wanted);
}

#[test]
fn damaged_records_are_made_again_and_no_others_with_a_line_that_says_so() {
    let plan = plan("");
    let desk = Desk::new(&plan);
    desk.run();
    let cell = &plan.cells[0];
    let (training, evaluation) = (desk.folder().training(cell.training), desk.folder().evaluation(cell.evaluation));
    let last = plan.trainings.iter().find(|training| training.id == cell.training).unwrap().epochs - 1;
    let (again, scored) = (vec![cell.training.into()], vec![cell.evaluation.into()]);
    for (path, text, again) in [
        (training.join("training.toml"), Some("format = 1\nharn"), &again),
        (training.join("training.toml"), Some("format = 99\n"), &again),
        (state_file(&training, last), Some("torn"), &again),
        (state_file(&training, last), None, &again),
        (evaluation.join("evaluation.toml"), Some(""), &scored),
        (evaluation.join("metrics.json"), Some(""), &Vec::<RecordId>::new()),
        (evaluation.join("metrics.json"), None, &Vec::new()),
        (evaluation.join("replicates.bin"), Some("harness replicates\n"), &Vec::new()),
    ] {
        desk.forget();
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let finished = desk.run();
        assert_eq!((finished.failed, finished.reused + finished.done), (0, plan.cells.len()), "{}", path.display());
        assert!(finished.done > 0);
        assert_eq!(desk.jobs(), *again, "{}", path.display());
        let said = desk.notices().into_iter().find(|notice| notice.contains("can't be used; ")).unwrap();
        assert!(
            said.contains(" removed and ") && said.contains(&path.file_name().unwrap().to_string_lossy().into_owned()),
            "{said}"
        );
        let entries = journal::entries(&desk.folder().journal()).unwrap().known;
        assert!(entries.iter().any(|entry| matches!(entry, Entry::Removed { why: Some(_), .. })));
        assert_eq!(desk.run().reused, plan.cells.len());
    }
}

#[test]
fn states_that_are_made_again_are_those_that_cells_report() {
    let plan = plan("selection = [\"last\", \"best-on-test\"]");
    let desk = Desk::new(&plan);
    desk.run();
    let training = &plan.trainings[0];
    let folder = desk.folder().training(training.id);
    // The fake's best epoch is the first.
    let (first, last) = (state_file(&folder, 0), state_file(&folder, training.epochs - 1));
    // Also in records of versions that listed no files.
    for listed in [true, false] {
        for gone in [&first, &last] {
            std::fs::remove_file(gone).unwrap();
            if !listed {
                std::fs::remove_file(folder.join("files.json")).unwrap();
            }
            desk.forget();
            assert_eq!(desk.run().failed, 0);
            assert_eq!(desk.jobs(), [training.id.into()]);
            assert!(first.is_file() && last.is_file() && desk.folder().count_states(training.id).unwrap() == 2);
        }
    }
}

#[test]
fn predictions_that_cannot_be_measured_are_scored_again_once() {
    let plan = plan("");
    let desk = Desk::new(&plan);
    let evaluation = plan.cells[0].evaluation;
    desk.damage(evaluation, 1);
    let finished = desk.run();
    assert_eq!((finished.failed, finished.done), (0, plan.cells.len()));
    assert_eq!(desk.jobs().iter().filter(|job| **job == evaluation.into()).count(), 2);

    let desk = Desk::new(&plan);
    desk.damage(evaluation, 2);
    let finished = desk.run();
    assert!(finished.failed > 0 && !finished.interrupted, "{finished:?}");
    assert_eq!(desk.jobs().iter().filter(|job| **job == evaluation.into()).count(), 2);
}

#[test]
fn states_that_no_cell_reports_are_removed_when_all_is_measured() {
    let plan = plan("selection = [\"last\", \"best-on-test\"]");
    let desk = Desk::new(&plan);
    desk.run();
    for training in &plan.trainings {
        // The fake's best epoch is the first.
        assert_eq!(desk.folder().count_states(training.id).unwrap(), 2);
    }
}

#[test]
fn choosing_again_removes_what_no_other_cell_needs_and_nothing_else() {
    let plan = plan("selection = [\"last\", \"best-on-test\"]\nseeds = [0, 1]");
    let desk = Desk::new(&plan);
    desk.run();
    let journal = Journal::open(&desk.folder().journal()).unwrap();
    let cells = |meets: &dyn Fn(&Cell) -> bool| -> HashSet<usize> {
        (0..plan.cells.len()).filter(|index| meets(&plan.cells[*index])).collect()
    };
    // The other rule reads the same training.
    let of_rule = cells(&|cell| cell.selection == Selection::Last);
    let removed = choice::remove(&plan, desk.folder(), &journal, &of_rule).unwrap();
    assert!(plan.trainings.iter().all(|training| desk.folder().read_training(training.id).is_whole()));
    let shared = |cell: &Cell| {
        plan.cells.iter().any(|other| other.selection != cell.selection && reads(other).any(|id| id == cell.evaluation))
    };
    assert_eq!(removed.kept, of_rule.iter().filter(|index| shared(&plan.cells[**index])).count());
    let of_seed = cells(&|cell| cell.seed == 0);
    choice::remove(&plan, desk.folder(), &journal, &of_seed).unwrap();
    for cell in &plan.cells {
        assert_eq!(desk.folder().read_training(cell.training).is_whole(), cell.seed == 1, "{cell:?}");
    }
}

#[test]
fn filters_see_what_became_of_each_cell() {
    let plan = plan("seeds = [0, 1, 2]");
    let desk = Desk::new(&plan);
    let failing = plan.trainings.iter().find(|training| training.seed == 1).unwrap();
    desk.fail(failing.id.into(), Class::Input, 1);
    let chosen: Vec<usize> = (0..plan.cells.len()).filter(|index| plan.cells[*index].seed < 2).collect();
    desk.run_with(Some(&chosen), None);
    let with = |status: &str| {
        let filter = Filter::parse(&format!("status={status}"), &plan).unwrap();
        let mut found: Vec<usize> = choice::chosen(&plan, desk.folder(), &[&filter]).unwrap().into_iter().collect();
        found.sort_unstable();
        found
    };
    let failed: Vec<usize> = (0..plan.cells.len()).filter(|i| plan.cells[*i].training == failing.id).collect();
    assert_eq!(with("failed"), failed);
    assert_eq!(with("not-run"), (0..plan.cells.len()).filter(|i| plan.cells[*i].seed == 2).collect::<Vec<_>>());
    // A record that can't be read is one that failed: `--rerun failed` makes it again.
    let done = with("done")[0];
    let path = desk.folder().evaluation(plan.cells[done].evaluation).join("metrics.json");
    std::fs::write(path, "torn").unwrap();
    assert!(with("failed").contains(&done));
}
