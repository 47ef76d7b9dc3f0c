//! Results folders of earlier versions, and of this one, which every later version must open.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::Place;

fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(harness_tests::root().join("tests/results")).unwrap();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The folder of a version as its user has it.
fn place(version: &Path) -> Place {
    let place = Place::new();
    copy(version, place.path());
    copy(&version.join("results"), &place.file("out"));
    place
}

#[test]
fn results_of_every_earlier_version_are_reported_explained_and_predicted_with() {
    for version in versions() {
        let place = place(&version);
        let registry = ["--datasets", "datasets.toml"];
        place.harness(&[&["report", "out"][..], &registry].concat()).expect(0);
        let rows = place.results();
        assert!(!rows.is_empty() && rows.iter().all(|row| row.get("status") == "done"), "{rows:?}");
        let auroc = rows.iter().find(|row| row.get("metric") == "pixel_auroc").unwrap().number("value");
        assert!((0.0..=1.0).contains(&auroc), "{auroc}");
        assert!(place.file("out/tables/intervals.csv").is_file());

        let cell = rows[0].get("cell");
        let explained = [&["explain", cell, "out", "--cache", "cache"][..], &registry].concat();
        let explained = place.harness(&explained).expect(0).out;
        assert!(explained.contains(rows[0].get("training")) && explained.contains("completed"), "{explained}");

        let gradient = image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(4 * x + 3 * y) as u8]));
        gradient.save(place.file("image.png")).unwrap();
        let predict = ["predict", "--cell", cell, "--results", "out", "--cache", "cache", "--out", "predicted"];
        place.harness(&[&predict[..], &registry, &["image.png"]].concat()).expect(0);
        assert!(place.file("predicted/scores.csv").is_file());
    }
}

#[test]
fn a_run_goes_on_with_the_results_of_every_earlier_version() {
    for version in versions() {
        let place = place(&version);
        let cells = place.harness(&["plan", "small.toml", "--cache", "cache", "--cells"]).expect(0).out;
        let finished = place.run(&["--json"]).expect(0).last_event();
        // Where the built-in backend is of another version, cells have other ids and are made beside the old ones.
        let same = std::fs::read_dir(place.file("out/trainings")).unwrap().count()
            == std::fs::read_dir(version.join("results/trainings")).unwrap().count();
        let (done, reused) = (finished["done"].as_u64().unwrap(), finished["reused"].as_u64().unwrap());
        assert!(done + reused > 0 && finished["failed"] == 0, "{finished}\n{cells}");
        assert!(!same || done == 0, "records that are there were made again: {finished}");
    }
}
