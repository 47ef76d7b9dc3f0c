//! Support sets of normal images alone beside those of both classes, from the file to tables, figures and predictions.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::files::on_files;
use common::{Place, Row};

const VARIANTS: &str = r#"
[variants.bank]
method = "memory-bank"
[variants.probe]
method = "linear-probe"
[variants.similarity]
method = "zero-shot"

[[exclude]]
variants = ["base", "probe"]
shots = [{ normal = 4, abnormal = 0 }]

[train]"#;

fn place() -> Place {
    let place = Place::new();
    place.edit("[train]", VARIANTS);
    place.edit("patch = 8", "patch = 4");
    place.edit("shots = [2]", "shots = [4, { normal = 4, abnormal = 0 }]");
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &registry.replace("valid = 4, test = 6", "valid = 8, test = 8"));
    place.edit("draws = [0]", "draws = [0, 1]");
    place
}

fn of<'a>(rows: &'a [Row], variant: &str, abnormal: &str) -> Vec<&'a Row> {
    let wanted = |row: &&Row| row.get("variant") == variant && row.get("abnormal_shots") == abnormal;
    rows.iter().filter(wanted).collect()
}

/// Values by draw, metric and image score.
fn values(rows: &[&Row]) -> BTreeMap<[String; 3], String> {
    let key = |row: &Row| ["draw", "metric", "image_score"].map(|column| row.get(column).to_owned());
    rows.iter().map(|row| (key(row), row.get("value").to_owned())).collect()
}

#[test]
fn what_sees_normal_images_alone_has_the_same_numbers_with_abnormal_ones_and_without() {
    let place = place();
    let planned = place.harness(&["plan", "small.toml", "--cells", "--cache", "cache"]).expect(0).out;
    assert!(planned.contains("shots       4, 4+0 (normal+abnormal where they differ)"), "{planned}");
    place.run(&[]).expect(0);
    let rows = place.results();
    assert!(rows.iter().all(|row| row.get("status") == "done"), "{rows:?}");
    let (both, normals) = (of(&rows, "bank", "4"), of(&rows, "bank", "0"));
    assert!(!both.is_empty() && values(&both) == values(&normals));
    assert!(both.iter().all(|row| row.get("shots") == "4" && row.get("normal_shots") == "4"));
    assert!(normals.iter().all(|row| row.get("shots").is_empty() && row.get("normal_shots") == "4"));
    // Abnormal images were not seen, so they decide no id.
    for id in ["support_hash", "training", "evaluation"] {
        assert_eq!(both[0].get(id), normals[0].get(id));
    }
    // What sees nothing is one record, which stands once.
    let similarity: Vec<&Row> = rows.iter().filter(|row| row.get("variant") == "similarity").collect();
    let same = |column: &str, value: &str| similarity.iter().all(|row| row.get(column) == value);
    assert!(!similarity.is_empty() && values(&similarity).len() == similarity.len());
    assert!(same("no_support", "true") && same("draw", "0") && same("shots", "4") && same("support_hash", ""));
    assert!(rows.iter().all(|row| (row.get("no_support") == "true") == (row.get("variant") == "similarity")));
    let intervals = place.rows("out/tables/intervals.csv");
    let counted = |variant: &str| -> Vec<[f64; 2]> {
        let of_variant = intervals.iter().filter(|row| row.get("variant") == variant);
        of_variant.map(|row| ["draws", "count"].map(|column| row.number(column))).collect()
    };
    assert!(counted("similarity").iter().all(|counts| *counts == [1.0, 1.0]), "{:?}", counted("similarity"));
    assert!(counted("bank").iter().all(|counts| *counts == [2.0, 2.0]), "{:?}", counted("bank"));
    assert!(of(&rows, "base", "0").is_empty() && of(&rows, "probe", "0").is_empty());

    let cell = of(&rows, "bank", "0")[0].get("cell");
    let explained = place.harness(&["explain", cell, "out", "--cache", "cache"]).expect(0).out;
    assert!(explained.contains("4, 4+0 (normal+abnormal)"), "{explained}");
    let explained = place.harness(&["explain", similarity[0].get("cell"), "out", "--cache", "cache"]).expect(0).out;
    assert!(explained.contains("decides nothing: no support set is seen"), "{explained}");
    assert_eq!(explained.matches("variant").count(), 1, "{explained}");
    let gradient = image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(4 * x + 3 * y) as u8]));
    gradient.save(place.file("image.png")).unwrap();
    let arguments =
        ["predict", "--cell", cell, "--results", "out", "--cache", "cache", "--out", "predicted", "image.png"];
    place.harness(&arguments).expect(0).says(&["K 4,"]);

    let summary = std::fs::read_to_string(place.file("out/tables/summary.md")).unwrap();
    assert!(summary.contains("| 4+0 |") && summary.contains("K of unequal numbers"), "{summary}");
    let lines: Vec<&str> = summary.lines().filter(|line| line.contains("similarity")).collect();
    let once = |line: &&str| line.contains("| any |") && line.contains("|   1 |");
    assert!(!lines.is_empty() && lines.iter().all(once) && summary.contains("K any: the method sees no"), "{summary}");
    let figures: Vec<String> = std::fs::read_dir(place.file("out/figures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(figures.iter().any(|name| name.starts_with("panel-Small-k4-0")), "{figures:?}");
    assert!(figures.iter().all(|name| !name.starts_with("shots-")), "there is one K: {figures:?}");

    // What cells of 4 need, too, stays; a filter that names them makes all of it again, and a second run does nothing.
    let again = |filter: &str| place.run(&["--rerun", filter, "--json"]).expect(0).last_event()["done"].as_u64();
    assert_eq!(again("shots=4+0 variant=bank"), Some(0));
    assert_eq!(again("shots=4,4+0 variant=bank"), Some(8));
    assert_eq!(place.run(&["--json"]).expect(0).last_event()["done"].as_u64(), Some(0));
}

#[test]
fn where_there_is_nothing_to_choose_results_stand_once_and_no_choice_adds_anything() {
    let place = place();
    place.run(&[]).expect(0);
    let rows = place.results();
    for row in &rows {
        let single = row.get("variant") != "base";
        assert_eq!(row.get("no_choice"), single.to_string(), "{row:?}");
        assert!(!single || row.get("selection") == "last", "{row:?}");
    }
    assert!(rows.iter().any(|row| row.get("selection") == "best-on-test"));
    let optimism = place.rows("out/tables/optimism.csv");
    let single: Vec<&Row> = optimism.iter().filter(|row| row.get("variant") != "base").collect();
    assert!(!single.is_empty());
    for row in single {
        let numbers = ["difference", "low", "high", "p", "p_holm"].map(|column| row.number(column));
        assert_eq!(numbers, [0.0, 0.0, 0.0, 1.0, 1.0], "{row:?}");
    }
    // What trains is alone in its family: nothing is adjusted.
    for row in optimism.iter().filter(|row| row.get("variant") == "base") {
        assert_eq!(row.number("p"), row.number("p_holm"), "{row:?}");
    }
    let read = |name: &str| std::fs::read_to_string(place.file("out/tables").join(name)).unwrap();
    for name in ["summary.md", "few-shot.md", "optimism.md"] {
        assert!(read(name).contains("no choice: there is one state"), "{name}: {}", read(name));
    }
    for line in read("few-shot.md").lines().filter(|line| line.contains(" bank ") || line.contains(" probe ")) {
        assert!(!line.contains('†'), "{line}");
    }
}

#[test]
fn who_needs_both_classes_is_refused_before_anything_is_computed() {
    let place = place();
    place.edit("variants = [\"base\", \"probe\"]", "variants = [\"base\"]");
    let said = ["`shots` 4+0 (normal+abnormal) has no abnormal image", "`probe` (method linear-probe) learns from"];
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(2).says(&said);
    place.run(&[]).expect(2).says(&said);
    assert!(!place.file("out").exists());
}

#[test]
fn a_published_list_is_a_draw_from_the_registry_to_the_tables() {
    let place = on_files();
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &format!("{registry}support_lists = {{ paper = \"lists/{{shots}}-shot.txt\" }}\n"));
    place.write("files/lists/2-shot.txt", "a-0: a2.png a0.png\nn-0: n3.png n1.png\n");
    place.edit("draws = [0]", "draws = [\"paper\", 0]");
    let planned = place.harness(&["plan", "small.toml", "--cells", "--cache", "cache"]).expect(0).out;
    assert!(planned.contains("2  paper     0  flex"), "{planned}");
    place.run(&["--only", "draw=paper variant=base"]).expect(0);
    let rows = place.results();
    let done: Vec<&Row> = rows.iter().filter(|row| row.get("status") == "done").collect();
    assert!(!done.is_empty() && done.iter().all(|row| row.get("draw").is_empty() && row.get("draw_name") == "paper"));
    assert!(rows.iter().any(|row| row.get("draw") == "0" && row.get("draw_name").is_empty()), "{rows:?}");
    let explained = place.harness(&["explain", done[0].get("cell"), "out", "--cache", "cache"]).expect(0).out;
    assert!(explained.contains("paper") && explained.contains("n3.png"), "{explained}");
    place.edit("\"paper\"", "\"papers\"");
    let said = ["support set of `Files`, 2 shots, draw papers", "it has paper, numbers"];
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(2).says(&said);
}
