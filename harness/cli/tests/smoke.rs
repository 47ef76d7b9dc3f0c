//! Every shipped experiment runs to its end when it is taken small.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{Ended, Place};
use harness_tables::{Status, read_results};

/// The files in `experiments/`.
fn shipped() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(harness_tests::root().join("experiments")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// Runs one small; each cell is done and tables are there.
#[track_caller]
fn runs_to_its_end(file: &Path) {
    let place = Place::new();
    let begun = std::time::Instant::now();
    let (path, registry) =
        (file.display().to_string(), harness_tests::root().join("datasets.toml").display().to_string());
    let mut command = place.command(&["run", &path, "--smoke", "--datasets", &registry]);
    command.args(["--cache", "cache", "--out", "out", "--threads", "1", "--json"]);
    let ended = Ended::of(command.output().unwrap()).expect(0);
    let last = ended.last_event();
    assert_eq!((&last["failed"], &last["reused"]), (&0.into(), &0.into()), "{path}");
    let rows = read_results(&place.file("out/results.parquet")).unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.status == Status::Done && row.value.is_some()), "{path}");
    for table in
        ["plan.toml", "results.csv", "report.md", "tables/summary.md", "tables/summary.tex", "tables/summary.csv"]
    {
        assert!(place.file("out").join(table).is_file(), "{path}: no {table}");
    }
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains("Smoke test: not a result"), "{path}");
    println!("{}: {} cells in {:?}", path, last["done"], begun.elapsed());
}

/// The files in two lots that take about as long, for two cores.
fn lot(which: usize) -> Vec<PathBuf> {
    let few_shot = |path: &PathBuf| path.ends_with("few_shot.toml");
    shipped().into_iter().filter(|path| few_shot(path) == (which == 0)).collect()
}

#[test]
fn the_few_shot_table_runs_small() {
    lot(0).iter().for_each(|file| runs_to_its_end(file));
}

#[test]
fn every_other_shipped_experiment_runs_small() {
    let files = lot(1);
    assert!(files.len() > 5);
    files.iter().for_each(|file| runs_to_its_end(file));
}

#[test]
fn a_backend_that_is_not_there_is_left_out_with_a_note_and_results_go_to_a_folder_of_their_own() {
    let place = Place::new();
    place.edit("backends = [\"flex\"]", "backends = [\"flex\", \"absent\"]");
    let told = place.harness(&["plan", "small.toml", "--smoke", "--cache", "cache"]).expect(0).out;
    assert!(told.contains("the backend `absent` is left out") && told.contains("smoke test"), "{told}");
    let mut command = place.command(&["run", "small.toml", "--smoke"]);
    Ended::of(command.env("XDG_CACHE_HOME", place.file("home")).output().unwrap()).expect(0).says(&["smoke test"]);
    assert!(place.file("reports/small-smoke/results.csv").is_file());
    assert!(place.file("reports/small-smoke/taps").is_dir(), "taps that say nothing stay with the results");
    // The report is written anew from generated images too.
    std::fs::remove_dir_all(place.file("reports/small-smoke/figures")).unwrap();
    place.harness(&["report", "reports/small-smoke"]).expect(0);
    assert!(place.file("reports/small-smoke/figures/panel-Small-k2-last.png").is_file());
    // The experiment itself does not go where its smoke test is.
    place.edit(", \"absent\"]", "]");
    let arguments = ["run", "small.toml", "--cache", "cache", "--out", "reports/small-smoke"];
    place.harness(&arguments).expect(2).says(&["the smoke test `small`", "--out"]);
}
