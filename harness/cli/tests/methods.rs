//! Methods as variants of one experiment, from its file to tables, figures and predictions.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::Place;

const VARIANTS: &str = r#"
[variants.bank]
method = "memory-bank"
[variants.both]
method = "memory-bank"
preset = "anomalydino"
banks = "both"
[variants.probe]
method = "linear-probe"
[variants.prototypes]
method = "text-prototypes"
[variants.similarity]
method = "zero-shot"

[train]"#;

fn place() -> Place {
    let place = Place::new();
    place.edit("[train]", VARIANTS);
    // Patches small enough that some lie in a lesion, and images enough that a bank tells lesions apart.
    place.edit("patch = 8", "patch = 4");
    place.edit("shots = [2]", "shots = [4]");
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &registry.replace("valid = 4, test = 6", "valid = 8, test = 16"));
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place
}

#[test]
fn every_method_runs_in_one_experiment_and_a_second_run_does_nothing() {
    let place = place();
    place.run(&[]).expect(0);
    let mut values: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for row in place.results() {
        assert_eq!(row.get("status"), "done", "{row:?}");
        let value = row.number("value");
        assert!((0.0..=1.0).contains(&value), "{row:?}");
        let key = ["variant", "metric", "image_score"].map(|column| row.get(column).to_owned());
        let [variant, metric, score] = key;
        values.entry((variant, metric, score)).or_default().insert(row.get("value").to_owned());
    }
    let of = |variant: &str, metric: &str| values.keys().filter(|key| key.0 == variant && key.1 == metric).count();
    for variant in ["base", "bank", "both", "probe", "similarity"] {
        assert!(of(variant, "pixel_auroc") > 0 && of(variant, "image_auroc") == 2, "{variant}");
    }
    // It has no map.
    assert_eq!((of("prototypes", "pixel_auroc"), of("prototypes", "image_auroc")), (0, 1));
    // Neither a seed nor a rule decides anything where nothing is trained.
    assert!(values.iter().all(|((variant, ..), found)| variant == "base" || found.len() == 1), "{values:?}");
    // Lesions lie farther from normal supports than other tokens do, whatever the encoder.
    let bank = &values[&("bank".to_owned(), "pixel_auroc".to_owned(), String::new())];
    assert!(bank.iter().all(|value| value.parse::<f64>().unwrap() > 0.7), "{bank:?}");

    let again = place.run(&["--json"]).expect(0).last_event();
    assert_eq!((again["done"].as_u64(), again["failed"].as_u64()), (Some(0), Some(0)), "{again}");
}

#[test]
fn a_cell_of_every_method_predicts_and_is_explained() {
    let place = place();
    place.edit("seeds = [0, 1]", "seeds = [0]");
    place.run(&[]).expect(0);
    let gradient = image::GrayImage::from_fn(32, 32, |x, y| image::Luma([(4 * x + 3 * y) as u8]));
    gradient.save(place.file("image.png")).unwrap();
    let rows = place.results();
    for variant in ["bank", "both", "probe", "prototypes", "similarity"] {
        let cell = rows.iter().find(|row| row.get("variant") == variant).unwrap().get("cell").to_owned();
        let out = format!("predicted-{variant}");
        let arguments =
            ["predict", "--cell", &cell, "--results", "out", "--cache", "cache", "--out", &out, "image.png"];
        place.harness(&arguments).expect(0);
        let scores = std::fs::read_to_string(place.file(&format!("{out}/scores.csv"))).unwrap();
        assert_eq!(scores.lines().count(), 2, "{variant}: {scores}");
        let explained = place.harness(&["explain", &cell, "out", "--cache", "cache"]).expect(0).out;
        assert!(explained.contains("completed"), "{explained}");
    }
}
