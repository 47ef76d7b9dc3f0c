//! `harness score`: metrics from stored predictions, with labels and masks as they are now and without a backend.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::files::{lesion, on_files, save};

/// Files below a folder that a run leaves, by name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn the_same_truth_gives_the_same_bytes_whatever_was_measured_before() {
    let place = on_files();
    place.run(&[]).expect(0);
    let before = files(&place.file("out"));
    for (i, entry) in std::fs::read_dir(place.file("out/evaluations")).unwrap().enumerate() {
        let metrics = entry.unwrap().path().join("metrics.json");
        match i % 2 {
            0 => std::fs::remove_file(&metrics).unwrap(),
            // Believed, it would show.
            _ => {
                let text = std::fs::read_to_string(&metrics).unwrap();
                std::fs::write(&metrics, text.replace("\"image_auroc\": 0.", "\"image_auroc\": 0.0")).unwrap();
            }
        }
    }
    std::fs::remove_dir_all(place.file("out/tables")).unwrap();
    let ended = place.harness(&["score", "out", "--cache", "cache"]).expect(0);
    ended.says(&["4 evaluations measured, 0 failed, 0 without predictions"]);
    assert!(ended.out.contains("base"), "{}", ended.out);
    let after = files(&place.file("out"));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    // Who has the folder, or had it last, is another process.
    for (name, bytes) in before.iter().filter(|(name, _)| name.as_path() != Path::new("lock")) {
        assert!(after[name] == *bytes, "{}", name.display());
    }
}

#[test]
fn a_corrected_mask_changes_pixel_metrics_and_calls_no_backend() {
    let place = on_files();
    place.run(&[]).expect(0);
    let before = files(&place.file("out"));
    save(&place, "test/Ungood/anomaly_mask/a2.png", &|x, y| 255 * u8::from(lesion(2, x, y) || (x > 20 && y > 20)));
    place.harness(&["score", "out", "--cache", "cache", "--datasets", "datasets.toml"]).expect(0);
    let after = files(&place.file("out"));
    for (name, bytes) in &before {
        let told = name.to_string_lossy();
        let predictions = ["grids.f32", "scores.parquet", "evaluation.toml", "journal.jsonl", "log.txt"];
        if told.starts_with("trainings") || predictions.iter().any(|kept| told.ends_with(kept)) {
            assert!(after[name] == *bytes, "{told}");
        }
        if told.ends_with("replicates.bin") || told.ends_with("intervals.csv") {
            assert!(after[name] != *bytes, "{told}");
        }
    }
    let values = |files: &BTreeMap<PathBuf, Vec<u8>>, metric: &str| -> Vec<String> {
        let text = String::from_utf8(files[Path::new("results.csv")].clone()).unwrap();
        let rows = text.lines().filter(|line| line.contains(&format!(",{metric},")));
        rows.map(|line| line.split(&format!(",{metric},")).nth(1).unwrap().split(',').next().unwrap().to_owned())
            .collect()
    };
    assert_ne!(values(&before, "pixel_auroc"), values(&after, "pixel_auroc"));
    // Under `last` no mask has a say in image metrics.
    assert_eq!(values(&before, "image_auroc")[..1], values(&after, "image_auroc")[..1]);
    // The next run finds all of it current.
    assert_eq!(place.run(&["--json"]).expect(0).last_event()["reused"], 4);
}

/// Image AUROC by its definition: of all pairs of an abnormal and a normal image, the share in which the abnormal one
/// has the higher score, ties by half.
fn auroc(of: &[(f64, bool)]) -> f64 {
    let (abnormal, normal): (Vec<_>, Vec<_>) = of.iter().partition(|(_, label)| *label);
    let wins = |a: f64, n: f64| {
        if a > n {
            1.0
        } else if a == n {
            0.5
        } else {
            0.0
        }
    };
    let pairs = abnormal.iter().flat_map(|(a, _)| normal.iter().map(|(n, _)| wins(*a, *n)));
    pairs.sum::<f64>() / (abnormal.len() * normal.len()) as f64
}

/// The image AUROC by detection that results tell of each cell's last epoch equals that of the stored scores under
/// these labels.
fn holds(place: &common::Place, label: &dyn Fn(&str) -> bool) -> Vec<f64> {
    let mut values = Vec::new();
    for row in place.results() {
        if (row.get("metric"), row.get("image_score"), row.get("selection")) != ("image_auroc", "detection", "last") {
            continue;
        }
        let path = place.file("out/evaluations").join(row.get("evaluation")).join("scores.parquet");
        let scores = harness_tables::read_scores(&path).unwrap();
        let scores = scores.iter().filter(|score| score.epoch.to_string() == row.get("epoch"));
        let scores: Vec<(f64, bool)> = scores
            .inspect(|score| assert_eq!(score.label, label(&score.image), "{}", score.image))
            .map(|score| (score.detection.unwrap(), label(&score.image)))
            .collect();
        assert_eq!(scores.len(), 10);
        assert!((auroc(&scores) - row.number("value")).abs() < 1e-12, "{} {}", auroc(&scores), row.get("value"));
        values.push(row.number("value"));
    }
    assert_eq!(values.len(), 2);
    values
}

#[test]
fn corrected_labels_that_move_images_in_the_test_set_give_the_metrics_of_those_labels() {
    let place = on_files();
    let table = |normal: &[&str]| {
        let mut table = String::from("image,label,split,mask\n");
        for (split, count) in [("valid", 4), ("test", 5)] {
            for i in 0..count {
                table += &format!("{split}/good/img/n{i}.png,0,{split},\n");
                let name = format!("{split}/Ungood/img/a{i}.png");
                match normal.contains(&name.as_str()) {
                    true => table += &format!("{name},0,{split},\n"),
                    false => table += &format!("{name},1,{split},{split}/Ungood/anomaly_mask/a{i}.png\n"),
                }
            }
        }
        place.write("files/images.csv", &table);
    };
    let entry = "[Files]\nroot = \"files\"\nlayout = \"csv\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = true\n";
    place.write("datasets.toml", entry);
    table(&[]);
    place.run(&[]).expect(0);
    let maps = files(&place.file("out")).into_iter().filter(|(name, _)| name.ends_with("grids.f32"));
    let maps: BTreeMap<PathBuf, Vec<u8>> = maps.collect();
    let before = holds(&place, &|name| name.contains("Ungood"));
    for normal in [&["test/Ungood/img/a2.png"][..], &["test/Ungood/img/a1.png", "test/Ungood/img/a3.png"], &[]] {
        table(normal);
        let ended = place.harness(&["score", "out", "--cache", "cache"]).expect(0);
        ended.says(&["4 evaluations measured, 0 failed"]);
        assert!(!ended.err.contains("no panels"), "{}", ended.err);
        let after = holds(&place, &|name| name.contains("Ungood") && !normal.contains(&name));
        assert_eq!(after == before, normal.is_empty(), "{before:?} {after:?}");
    }
    let after = files(&place.file("out"));
    assert!(maps.iter().all(|(name, bytes)| after[name] == *bytes), "no map is scored again");
}

#[test]
fn a_file_that_was_moved_to_the_other_class_is_the_image_that_was_scored() {
    let place = on_files();
    place.run(&[]).expect(0);
    for (from, to) in [("a1", "a1"), ("a3", "moved")] {
        std::fs::rename(
            place.file(&format!("files/test/Ungood/img/{from}.png")),
            place.file(&format!("files/test/good/img/{to}.png")),
        )
        .unwrap();
        std::fs::remove_file(place.file(&format!("files/test/Ungood/anomaly_mask/{from}.png"))).unwrap();
        place.harness(&["score", "out", "--cache", "cache"]).expect(0);
        holds(&place, &|name| name.contains("Ungood"));
    }
}

#[test]
fn a_mask_that_cannot_be_used_fails_its_evaluations_and_the_others_are_scored() {
    let place = on_files();
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &format!("{registry}{}", common::REGISTRY));
    place.edit("datasets = [\"Files\"]", "datasets = [\"Files\", \"Small\"]");
    place.run(&[]).expect(0);
    let mask = place.file("files/test/Ungood/anomaly_mask/a2.png");
    let right = std::fs::read(&mask).unwrap();
    let before = std::fs::read(place.file("out/results.csv")).unwrap();
    image::GrayImage::new(5, 5).save(&mask).unwrap();
    let ended = place.harness(&["score", "out", "--cache", "cache"]).expect(3);
    ended.says(&["cells on [Files] fail", "a2.png: 5 x 5 pixels", "4 evaluations measured, 4 failed"]);
    for row in place.results() {
        assert_eq!(row.get("status"), if row.get("dataset") == "Files" { "failed" } else { "done" });
    }
    std::fs::write(&mask, right).unwrap();
    place.harness(&["score", "out", "--cache", "cache"]).expect(0);
    assert_eq!(std::fs::read(place.file("out/results.csv")).unwrap(), before);
}

#[test]
fn where_corrected_labels_choose_another_epoch_a_transfer_is_scored_anew() {
    let place = on_files();
    let labels = |of_test: [u8; 2]| {
        let mut table = String::from("image,label,split\n");
        for (split, count, [good, bad]) in [("valid", 4, [0, 1]), ("test", 5, of_test)] {
            for i in 0..count {
                table +=
                    &format!("{split}/good/img/n{i}.png,{good},{split}\n{split}/Ungood/img/a{i}.png,{bad},{split}\n");
            }
        }
        place.write("files/images.csv", &table);
    };
    let listed =
        "[Listed]\nroot = \"files\"\nlayout = \"csv\"\nobject = \"Liver\"\nmodality = \"none\"\nmasks = false\n";
    place.write("datasets.toml", &format!("{listed}{}", common::REGISTRY));
    place.edit("datasets = [\"Files\"]", "datasets = [\"Listed\"]\ntargets = [\"Listed\", \"Small\"]");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"best-on-test\"]");
    place.edit("epochs = 2", "epochs = 4");
    let transferred = || -> Vec<String> {
        let rows = place.results();
        let of_small = rows.iter().filter(|row| row.get("dataset") == "Small");
        let told = |row: &common::Row| {
            ["variant", "image_score", "metric", "epoch", "value"].map(|name| row.get(name)).join(" ")
        };
        of_small.map(told).collect()
    };
    labels([0, 1]);
    place.run(&[]).expect(0);
    let before = transferred();
    // The other way round, what was best is worst.
    labels([1, 0]);
    place.run(&[]).expect(0);
    let after = transferred();
    assert_eq!(before.len(), after.len());
    assert_ne!(before, after);
    std::fs::remove_dir_all(place.file("out")).unwrap();
    place.run(&[]).expect(0);
    assert_eq!(transferred(), after);
}

#[test]
fn other_images_than_those_that_were_scored_are_refused() {
    let place = on_files();
    place.run(&[]).expect(0);
    save(&place, "test/good/img/n1.png", &|x, y| (x * y % 251) as u8);
    let ended = place.harness(&["score", "out", "--cache", "cache"]).expect(2);
    ended.says(&[
        "[Files]: 1 test image changed after it was scored (test/good/img/n1.png)",
        "run the experiment again",
    ]);
    std::fs::remove_file(place.file("files/test/good/img/n1.png")).unwrap();
    let ended = place.harness(&["score", "out", "--cache", "cache"]).expect(2);
    ended.says(&["1 test image that was scored is no longer there (test/good/img/n1.png)"]);
    // A run goes on with the images as they are now, and says that it was the data that changed, not the settings.
    place.run(&[]).expect(0).says(&["[Files]: the test images changed since the last run", "made of other data now"]);
    place.harness(&["score", "nowhere", "--cache", "cache"]).expect(2).says(&["nowhere: there is no such folder"]);
}
