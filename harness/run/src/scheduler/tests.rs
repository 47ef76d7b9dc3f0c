//! The scheduler against an executor and a judge that compute nothing: order, choice, retries, and records that can't be read.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fakes;

use harness_experiment::{Evaluation, Plan};
use harness_records::{Class, Entry, RecordId, RecordKind, journal};

use self::fakes::{Desk, plan};

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
    let trained = |job: &RecordId| matches!(job, RecordId::Training(id) if plan.cells[chosen[0]].training == *id);
    let jobs = desk.jobs();
    assert!(jobs.iter().filter(|job| job.kind() == RecordKind::Training).all(trained), "{jobs:?}");
}

#[test]
fn records_that_cannot_be_read_are_made_again_with_a_line_that_says_so() {
    let plan = plan("");
    let desk = Desk::new(&plan);
    desk.run();
    let cell = &plan.cells[0];
    let (training, evaluation) = (desk.folder().training(cell.training), desk.folder().evaluation(cell.evaluation));
    for (path, text, again) in [
        (training.join("training.toml"), "format = 1\nharn", vec![cell.training.into()]),
        (training.join("training.toml"), "format = 99\n", vec![cell.training.into()]),
        (evaluation.join("evaluation.toml"), "", vec![cell.evaluation.into()]),
        (evaluation.join("metrics.json"), "{", Vec::<RecordId>::new()),
        (evaluation.join("replicates.bin"), "harness replicates\n", Vec::new()),
    ] {
        desk.forget();
        std::fs::write(&path, text).unwrap();
        let finished = desk.run();
        assert_eq!((finished.failed, finished.reused + finished.done), (0, plan.cells.len()), "{}", path.display());
        assert!(finished.done > 0);
        assert_eq!(desk.jobs(), again, "{}", path.display());
        let said = desk.notices().into_iter().find(|notice| notice.contains("can't be read")).unwrap();
        assert!(said.contains(&path.file_name().unwrap().to_string_lossy().into_owned()), "{said}");
        let entries = journal::entries(&desk.folder().journal()).unwrap().known;
        assert!(entries.iter().any(|entry| matches!(entry, Entry::Removed { why: Some(_), .. })));
        assert_eq!(desk.run().reused, plan.cells.len());
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
