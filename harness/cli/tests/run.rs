//! A run from its file to its tables, and again.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::Place;
use harness_tables::read_scores;

#[test]
fn an_experiment_leaves_tables_figures_and_every_raw_result() {
    let place = Place::new();
    let ended = place.run(&[]).expect(0);
    assert!(ended.out.contains("base"), "{}", ended.out);
    for file in [
        "plan.toml",
        "run.toml",
        "journal.jsonl",
        "results.csv",
        "results.parquet",
        "report.md",
        "tables/summary.csv",
        "tables/summary.parquet",
        "tables/summary.md",
        "tables/summary.tex",
        "figures/roc-Small-k2-last.svg",
        "figures/roc-Small-k2-last.png",
        "figures/curve-Small-k2.svg",
        "figures/panel-Small-k2-last.png",
        "figures/panel-Small-k2-best-on-test.png",
    ] {
        assert!(place.file("out").join(file).is_file(), "{file}");
    }
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    for part in [
        "- command: `harness run small.toml --cache cache --out out`\n",
        "- computed: 20",
        "- test images: Small 12\n",
        "- support images: K = 2: 2 normal and 2 abnormal; 1 draw, 1 seed\n",
        "## Variants\n\n- `base`: preset `released`",
    ] {
        assert!(report.contains(part), "`{part}` is not in: {report}");
    }
    let rows = place.results();
    let metrics: BTreeSet<(&str, &str, &str)> =
        rows.iter().map(|row| (row.get("selection"), row.get("image_score"), row.get("metric"))).collect();
    assert_eq!(metrics.len(), rows.len());
    for expected in [
        ("last", "map-max", "image_auroc"),
        ("last", "detection", "image_f1_max"),
        ("last", "", "pixel_auroc"),
        ("last", "", "pro_0_3"),
        ("best-on-test", "map-max", "pixel_ap"),
        ("best-on-test", "detection", "pixel_ap"),
    ] {
        assert!(metrics.contains(&expected), "{expected:?}");
    }
    for row in &rows {
        assert_eq!((row.get("status"), row.get("variant"), row.get("trained_on")), ("done", "base", "Small"));
        assert_eq!((row.get("n_images"), row.get("shots"), row.get("allow_overlap")), ("12", "2", "false"));
        assert!((0.0..=1.0).contains(&row.number("value")));
        assert!(row.number("train_secs") > 0.0 && row.number("peak_memory_bytes") > 1e6);
        assert_eq!((row.get("support_hash").len(), row.get("weights_hash").len()), (64, 64));
        assert!(row.get("selection") != "last" || row.get("epoch") == "1", "epochs count from 0");
    }
    let training = place.file("out/trainings").join(rows[0].get("training"));
    for file in ["training.toml", "curve.parquet", "log.txt", "states/0001.safetensors"] {
        assert!(training.join(file).is_file(), "{file}");
    }
    let evaluation = place.file("out/evaluations").join(rows[0].get("evaluation"));
    for file in ["evaluation.toml", "scores.parquet", "grids.f32", "metrics.json"] {
        assert!(evaluation.join(file).is_file(), "{file}");
    }
    assert_eq!(std::fs::metadata(evaluation.join("grids.f32")).unwrap().len(), 12 * 2 * 4 * 4 * 4);
}

#[test]
fn running_again_reuses_every_cell_and_gives_the_same_files() {
    let place = Place::new();
    let first = place.run(&["--json"]).expect(0).last_event();
    assert_eq!((&first["event"], &first["done"], &first["failed"]), (&"finished".into(), &2.into(), &0.into()));
    let before = snapshot(&place.file("out"));
    let again = place.run(&["--json"]).expect(0).last_event();
    assert_eq!((&again["done"], &again["reused"], &again["failed"]), (&0.into(), &2.into(), &0.into()));
    assert_eq!(snapshot(&place.file("out")), before);
}

#[test]
fn the_same_experiment_elsewhere_gives_the_same_numbers_with_one_thread_or_two_and_with_taps_streamed() {
    let places = [Place::new(), Place::new(), Place::new()];
    places[0].run(&["--threads", "2"]).expect(0);
    places[1].run(&["--threads", "1"]).expect(0);
    places[2].run(&["--cache-budget", "0.00001"]).expect(0);
    let numbers = |place: &Place| -> Vec<String> {
        let columns = ["cell", "selection", "epoch", "image_score", "metric", "value", "training", "evaluation"];
        place.results().iter().map(|row| columns.map(|column| row.get(column)).join(" ")).collect()
    };
    assert_eq!(numbers(&places[0]), numbers(&places[1]));
    assert_eq!(numbers(&places[0]), numbers(&places[2]));
    let evaluation = |place: &Place| place.file("out/evaluations").join(place.results()[0].get("evaluation"));
    let grids = |place: &Place| std::fs::read(evaluation(place).join("grids.f32")).unwrap();
    assert_eq!(grids(&places[0]), grids(&places[1]));
    assert_eq!(grids(&places[0]), grids(&places[2]));
}

#[test]
fn a_lost_record_is_made_again_and_nothing_else() {
    let place = Place::new();
    place.run(&[]).expect(0);
    let rows = place.results();
    let last = rows.iter().find(|row| row.get("selection") == "last").unwrap();
    std::fs::remove_dir_all(place.file("out/evaluations").join(last.get("evaluation"))).unwrap();
    let ended = place.run(&["--json"]).expect(0);
    assert_eq!(ended.last_event()["done"], 1);
    assert_eq!(ended.last_event()["reused"], 1);
    // Its state was kept, so there was no training.
    assert!(!ended.out.contains("\"event\":\"epoch\""), "{}", ended.out);
}

#[test]
fn variants_that_come_to_the_same_options_share_their_work() {
    let place = Place::new();
    place.edit("[train]", "[variants.same]\nloss = \"siglip\"\n\n[variants.other]\nloss = \"contrastive\"\n\n[train]");
    let ended = place.run(&["--json"]).expect(0);
    assert_eq!(ended.last_event()["done"], 6);
    assert_eq!(std::fs::read_dir(place.file("out/trainings")).unwrap().count(), 2);
    let value = |variant: &str| {
        let rows = place.results();
        let row = rows.iter().find(|r| r.get("variant") == variant && r.get("metric") == "pixel_auroc").unwrap();
        row.get("value").to_owned()
    };
    assert_eq!(value("base"), value("same"));
    assert_ne!(value("base"), value("other"));
}

#[test]
fn a_report_is_written_anew_from_records_alone() {
    let place = Place::new();
    place.run(&[]).expect(0);
    let before = snapshot(&place.file("out"));
    for lost in ["tables", "figures"] {
        std::fs::remove_dir_all(place.file("out").join(lost)).unwrap();
    }
    place.harness(&["report", "out"]).expect(0);
    assert_eq!(snapshot(&place.file("out")), before);
    // Without the dataset pictures stay as they were drawn, and that is said.
    std::fs::remove_file(place.file("datasets.toml")).unwrap();
    place.harness(&["report", "out"]).expect(0).says(&["no panels of Small"]);
    assert!(place.file("out/figures/panel-Small-k2-last.png").is_file());
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(
        report.contains("Drawn before; its images can't be read now. ([SVG](figures/panel-Small-k2-last.svg), [PNG]"),
        "{report}"
    );
    std::fs::remove_dir_all(place.file("out/figures")).unwrap();
    place.harness(&["report", "out"]).expect(0).says(&["no panels of Small"]);
    assert!(place.file("out/figures/roc-Small-k2-last.svg").is_file());
}

/// Every file that does not say how long something took or when.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !matches!(name.as_str(), "journal.jsonl" | "lock" | "run.toml") && !name.starts_with("logs") {
                files.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn taps_kept_in_half_give_the_same_numbers_whether_they_were_encoded_now_or_before() {
    let place = Place::new();
    place.edit("taps = [1, 2]", "taps = [1, 2]\nstore = \"f16\"");
    let scores = || {
        place.run(&[]).expect(0);
        let evaluation = place.results()[0].get("evaluation").to_owned();
        let rows = read_scores(&place.file("out/evaluations").join(evaluation).join("scores.parquet")).unwrap();
        std::fs::remove_dir_all(place.file("out")).unwrap();
        rows
    };
    assert_eq!(scores(), scores());
}
