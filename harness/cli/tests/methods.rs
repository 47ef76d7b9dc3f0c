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
    // Supports lie nearer to normal images than lesions do: better than chance by a wide margin on generated images.
    let probe = &values[&("probe".to_owned(), "pixel_auroc".to_owned(), String::new())];
    assert!(probe.iter().all(|value| value.parse::<f64>().unwrap() > 0.7), "{probe:?}");

    let again = place.run(&["--json"]).expect(0).last_event();
    assert_eq!((again["done"].as_u64(), again["failed"].as_u64()), (Some(0), Some(0)), "{again}");
}

#[test]
fn a_state_of_every_method_predicts_as_its_cell_scored() {
    let place = place();
    place.edit("seeds = [0, 1]", "seeds = [0]");
    place.run(&[]).expect(0);
    let rows = place.results();
    for variant in ["bank", "both", "probe", "prototypes", "similarity"] {
        let cell = rows.iter().find(|row| row.get("variant") == variant).unwrap().get("cell").to_owned();
        let out = format!("predicted-{variant}");
        let arguments = ["predict", "--cell", &cell, "--results", "out", "--cache", "cache", "--out", &out, "--test"];
        place.harness(&arguments).expect(0);
        assert!(place.file(&format!("{out}/scores.csv")).is_file(), "{variant}");
        let explained = place.harness(&["explain", &cell, "out", "--cache", "cache"]).expect(0).out;
        assert!(explained.contains("completed"), "{explained}");
    }
}
