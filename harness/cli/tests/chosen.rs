//! Running chosen cells alone, making them again, and telling where their numbers come from.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::outcome::{outcome, same};
use common::{Place, Row};

/// Four cells: two seeds under two rules.
fn place() -> Place {
    let place = Place::new();
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place
}

fn counts(event: &serde_json::Value) -> [u64; 3] {
    ["done", "reused", "failed"].map(|count| event[count].as_u64().unwrap())
}

/// When each folder of records was made.
fn times(place: &Place, part: &str) -> Vec<(String, std::time::SystemTime)> {
    let entries = std::fs::read_dir(place.file("out").join(part)).unwrap().map(Result::unwrap);
    let mut times: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().created().unwrap()))
        .collect();
    times.sort();
    times
}

#[test]
fn only_chosen_cells_are_run_and_the_others_say_so() {
    let place = place();
    assert_eq!(counts(&place.run(&["--json", "--only", "seed=1 selection=last"]).expect(0).last_event()), [1, 0, 0]);
    let not_run = |row: &&Row| row.get("status") == "not run";
    assert_eq!(place.results().iter().filter(not_run).count(), 3);
    assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 1);
    assert_eq!(counts(&place.run(&["--json", "--only", "not-run"]).expect(0).last_event()), [3, 0, 0]);
    assert_eq!(counts(&place.run(&["--json"]).expect(0).last_event()), [0, 4, 0]);
}

#[test]
fn chosen_cells_are_made_again_and_what_others_need_is_kept() {
    let place = place();
    place.run(&[]).expect(0);
    let before = outcome(&place.file("out"));
    let (trainings, evaluations) = (times(&place, "trainings"), times(&place, "evaluations"));
    assert_eq!(counts(&place.run(&["--json", "--rerun", "seeds=1"]).expect(0).last_event()), [2, 0, 0]);
    let made = |before: &[(String, _)], part| {
        let after = times(&place, part);
        assert_eq!(before.len(), after.len());
        before.iter().zip(&after).filter(|(old, new)| old != new).count()
    };
    assert_eq!((made(&trainings, "trainings"), made(&evaluations, "evaluations")), (1, 2));
    same(&before, &outcome(&place.file("out")), "after making cells again");
    // One rule's evaluation alone: the training is the other rule's too.
    let trainings = times(&place, "trainings");
    assert_eq!(counts(&place.run(&["--json", "--rerun", "seed=0 selection=last"]).expect(0).last_event()), [1, 0, 0]);
    assert_eq!(made(&trainings, "trainings"), 0);
    same(&before, &outcome(&place.file("out")), "after making one rule's cell again");
}

#[test]
fn records_that_a_cell_shares_with_one_that_is_not_chosen_stay_and_that_is_told() {
    let place = Place::new();
    place.edit("[train]", "[variants.same]\nloss = \"siglip\"\n\n[train]");
    place.run(&[]).expect(0);
    let ended = place.run(&["--rerun", "variant=same"]).expect(0);
    ended.says(&["warning: 2 of the chosen cells keep their records"]);
    assert_eq!(counts(&place.run(&["--json", "--rerun", "variant=same,base"]).expect(0).last_event()), [4, 0, 0]);
}

#[test]
fn a_filter_that_names_what_is_not_there_is_refused_with_what_is() {
    let place = place();
    for (filter, says) in [
        ("sede=1", "did you mean `seed`?"),
        ("seed=7", "it has `0`, `1`"),
        ("variant=bas", "did you mean `base`?"),
        ("selection=best-on-tset", "did you mean `best-on-test`?"),
        ("faild", "did you mean `failed`?"),
        ("shots=2 shots=2", "is given twice"),
        ("shots=", "has no value"),
        ("cell=zz", "no cell's id begins with `zz`"),
        (" ", "it is empty"),
    ] {
        for option in ["--only", "--rerun"] {
            place.run(&[option, filter]).expect(2).says(&["filter `", says]);
        }
    }
    assert!(!place.file("out").exists());
}

#[test]
fn failed_cells_alone_are_made_again_and_a_run_ends_at_its_most_failures() {
    let place = place();
    place.edit("epochs = 2", "epochs = 2\nlearning_rate = 1e30");
    let ended = place.run(&["--json", "--max-failures", "1"]).expect(3);
    assert_eq!(counts(&ended.last_event()), [0, 0, 2]);
    let of = |status: &str| place.results().iter().filter(|row| row.get("status") == status).count();
    assert_eq!((of("failed"), of("not run")), (2, 2));
    assert_eq!(counts(&place.run(&["--json", "--rerun", "failed"]).expect(3).last_event()), [0, 0, 2]);
    assert_eq!(of("not run"), 2);
    place.run(&["--max-failures", "1"]).expect(3).says(&["Stopped because 2 cells failed (--max-failures)"]);
}

#[test]
fn an_explained_cell_tells_what_decided_its_id_what_it_read_and_what_happened() {
    let place = place();
    place.run(&[]).expect(0);
    let rows = place.results();
    let row = &rows[0];
    let explain = |cell: &str, further: &[&str]| {
        let mut arguments = vec!["explain", cell, "out", "--cache", "cache"];
        arguments.extend(further);
        place.harness(&arguments)
    };
    let told = explain(&row.get("cell")[..6], &[]).expect(0).out;
    for part in [
        row.get("cell"),
        row.get("training"),
        row.get("evaluation"),
        row.get("support_hash"),
        "status                     done",
        "learning_rate            0.001",
        "options.dual_objective   true",
        "attempt 1 completed",
        "valid/abnormal/img/phantom_",
        "valid/abnormal/mask/phantom_",
        "12 test images of [Small]",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let every = explain(row.get("cell"), &["--files"]).expect(0).out;
    assert!(every.matches("test/normal/img/").count() == 6, "{every}");
    explain("", &[]).expect(2).says(&["4 cells have ids that begin"]);
    explain("zzzz", &[]).expect(2).says(&["none of the", "begins with `zzzz`"]);
    place.harness(&["explain", row.get("cell"), "--cache", "cache"]).expect(2).says(&["reports/"]);
}

#[test]
fn an_experiment_that_changed_goes_on_with_a_warning_and_another_one_is_refused() {
    let place = place();
    place.run(&[]).expect(0);
    place.edit("seeds = [0, 1]", "seeds = [1, 2]");
    let ended = place.run(&["--json"]).expect(0);
    assert_eq!(counts(&ended.last_event()), [2, 2, 0]);
    assert!(ended.out.contains("2 of the 4 cells of the last run are no longer in it"), "{}", ended.out);
    place.edit("name = \"small\"", "name = \"another\"");
    let before = std::fs::read(place.file("out/results.csv")).unwrap();
    place.run(&[]).expect(2).says(&["the experiment `small`", "--out"]);
    assert_eq!(std::fs::read(place.file("out/results.csv")).unwrap(), before);
}

#[test]
fn what_a_disk_cannot_hold_is_refused_before_anything_is_computed() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 4000000000");
    let ended = place.run(&["--json"]).expect(4);
    ended.says(&["results (grids and states) need", "are free", "--out"]);
    assert!(!ended.out.contains("begun"), "{}", ended.out);
}
