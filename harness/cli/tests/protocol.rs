//! The protocol's promises: what chooses an epoch, what a transfer shares, and that test labels reach nothing but
//! metrics.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Place, Row};
use harness_tables::{ScoreRow, read_scores};

/// Two datasets of files in the mvfa layout, `One` and `Two`.
fn two_datasets() -> Place {
    let place = Place::new();
    let mut registry = String::new();
    for (dataset, seed) in [("One", 1), ("Two", 200)] {
        files(&place, dataset, seed);
        registry += &format!(
            "[{dataset}]\nroot = \"{dataset}\"\nlayout = \"mvfa\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n\n"
        );
    }
    place.write("datasets.toml", &registry);
    place.edit("datasets = [\"Small\"]", "datasets = [\"One\"]");
    place
}

fn files(place: &Place, dataset: &str, seed: u32) {
    let write = |name: String, seed: u32, mask: bool, lesion: bool| {
        let path = place.file(dataset).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let inside = |x: u32, y: u32| (8..8 + seed % 9 + 6).contains(&x) && (10..20).contains(&y);
        let pixel = |x: u32, y: u32| match (mask, lesion && inside(x, y)) {
            (true, inside) => u8::from(inside) * 255,
            (false, true) => ((x * 13 + y * 7 + seed) % 120 + 120) as u8,
            (false, false) => ((x * 3 + y * 5 + seed * 31 + (x * y * (seed + 1)) % 17) % 110) as u8,
        };
        image::GrayImage::from_fn(32, 32, |x, y| image::Luma([pixel(x, y)])).save(path).unwrap();
    };
    for (split, offset, count) in [("valid", 0, 4), ("test", 50, 5)] {
        for i in 0..count {
            write(format!("{split}/good/img/n{i}.png"), seed + offset + i, false, false);
            write(format!("{split}/Ungood/img/a{i}.png"), seed + offset + 20 + i, false, true);
            write(format!("{split}/Ungood/anomaly_mask/a{i}.png"), seed + offset + 20 + i, true, true);
        }
    }
}

fn scores(place: &Place, row: &Row) -> Vec<ScoreRow> {
    read_scores(&place.file("out/evaluations").join(row.get("evaluation")).join("scores.parquet")).unwrap()
}

fn rows_of<'a>(rows: &'a [Row], selection: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.get("selection") == selection).collect()
}

#[test]
fn permuted_test_labels_change_metrics_and_nothing_that_comes_before_them() {
    let places = [two_datasets(), two_datasets()];
    // Two images of each class change sides in the second place; their names and contents stay.
    for i in 0..2 {
        let (normal, abnormal) = (format!("One/test/good/img/n{i}.png"), format!("One/test/Ungood/img/a{i}.png"));
        let moved = format!("One/test/Ungood/img/n{i}.png");
        std::fs::rename(places[1].file(&normal), places[1].file(&moved)).unwrap();
        std::fs::rename(places[1].file(&abnormal), places[1].file(&format!("One/test/good/img/a{i}.png"))).unwrap();
        let masks = "One/test/Ungood/anomaly_mask";
        std::fs::rename(places[1].file(&format!("{masks}/a{i}.png")), places[1].file(&format!("{masks}/n{i}.png")))
            .unwrap();
    }
    let mut found = Vec::new();
    for place in &places {
        place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\", \"best-on-support\"]");
        place.run(&[]).expect(0);
        let rows = place.results();
        let mut states = BTreeMap::new();
        let mut predictions = BTreeMap::new();
        let mut epochs = BTreeSet::new();
        for selection in ["last", "best-on-support"] {
            let rows = rows_of(&rows, selection);
            assert!(!rows.is_empty(), "{selection}");
            epochs.extend(
                rows.iter().map(|row| (selection, row.get("image_score").to_owned(), row.get("epoch").to_owned())),
            );
            let folder = place.file("out/trainings").join(rows[0].get("training"));
            for entry in std::fs::read_dir(folder.join("states")).unwrap() {
                let path = entry.unwrap().path();
                states.insert(path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap());
            }
            let grids = place.file("out/evaluations").join(rows[0].get("evaluation")).join("grids.f32");
            let grids = std::fs::read(grids).unwrap();
            let scores = scores(place, rows[0]);
            let length = grids.len() / scores.len();
            for (score, grids) in scores.iter().zip(grids.chunks_exact(length)) {
                let name = score.image.rsplit('/').next().unwrap().to_owned();
                let values = (score.map_max, score.detection, grids.to_vec());
                predictions.insert((selection, score.epoch, name), format!("{values:?}"));
            }
        }
        let metrics: Vec<String> = rows.iter().map(|row| row.get("value").to_owned()).collect();
        found.push((states, predictions, epochs, metrics));
    }
    let [one, other] = <[_; 2]>::try_from(found).unwrap_or_else(|_| panic!("two places"));
    assert_eq!(one.0, other.0, "states");
    assert_eq!(one.1, other.1, "grids and scores");
    assert_eq!(one.2, other.2, "chosen epochs");
    assert_ne!(one.3, other.3, "metrics");
}

#[test]
fn a_source_is_trained_once_and_scored_on_every_target() {
    let place = two_datasets();
    place.edit("datasets = [\"One\"]", "datasets = [\"One\", \"Two\"]\ntargets = [\"One\", \"Two\"]");
    place.run(&[]).expect(0);
    assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 2);
    let rows = place.results();
    let pairs: BTreeSet<(&str, &str)> = rows.iter().map(|row| (row.get("trained_on"), row.get("dataset"))).collect();
    assert_eq!(pairs, [("One", "One"), ("One", "Two"), ("Two", "One"), ("Two", "Two")].into());
    // best-on-test of a transfer chooses on the source's test set.
    let epoch = |target: &str, score: &str| {
        let wanted = |row: &&Row| {
            row.get("trained_on") == "One"
                && row.get("dataset") == target
                && row.get("selection") == "best-on-test"
                && row.get("image_score") == score
        };
        rows.iter().find(wanted).unwrap().get("epoch").to_owned()
    };
    for score in ["map-max", "detection"] {
        assert_eq!(epoch("One", score), epoch("Two", score));
    }
    assert_eq!(place.run(&["--json"]).expect(0).last_event()["reused"], 8);
}

#[test]
fn folds_choose_an_epoch_of_the_full_training() {
    let place = two_datasets();
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\", \"best-on-support\"]");
    place.edit("epochs = 2", "epochs = 3");
    place.run(&[]).expect(0);
    // Two folds of K = 2 and the full training.
    assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 3);
    let rows = place.results();
    let (last, chosen) = (rows_of(&rows, "last"), rows_of(&rows, "best-on-support"));
    assert_eq!(last[0].get("training"), chosen[0].get("training"), "one full training serves both rules");
    assert!(chosen.iter().all(|row| row.number("epoch") < 3.0 && row.get("status") == "done"));
}
