//! Tables are a pure function of the cells: neither threads nor the order of a file shows.

mod common;

use common::Place;
use common::outcome::{outcome, results, same};

/// Thirty-six cells on the axes that one backend allows.
const WIDE: &[(&str, &str, &str)] = &[
    ("datasets = [\"Small\"]", "datasets = [\"Small\", \"Other\"]", "datasets = [\"Other\", \"Small\"]"),
    ("shots = [2]", "shots = [2, 3]", "shots = [3, 2]"),
    (
        "selection = [\"last\", \"best-on-test\"]",
        "selection = [\"last\", \"best-on-test\", \"best-on-support\"]",
        "selection = [\"best-on-support\", \"last\", \"best-on-test\"]",
    ),
    (
        "epochs = 2",
        "epochs = 2\n[variants.contrastive]\nloss = \"contrastive\"\n[variants.single]\nbranches = \"single\"",
        "epochs = 2\n[variants.single]\nbranches = \"single\"\n[variants.contrastive]\nloss = \"contrastive\"",
    ),
];

fn place(shuffled: bool) -> Place {
    let place = Place::new();
    let other = common::REGISTRY.replace("[Small]", "[Other]").replace("seed = 1", "seed = 2");
    place.write("datasets.toml", &format!("{}{other}", common::REGISTRY));
    for (from, straight, mixed) in WIDE {
        place.edit(from, if shuffled { mixed } else { straight });
    }
    place
}

#[test]
fn one_thread_or_two_and_the_axes_in_any_order_give_the_same_tables_and_records() {
    let places = [place(false), place(false), place(true)];
    for (place, threads) in places.iter().zip(["2", "1", "1"]) {
        let ended = place.run(&["--threads", threads, "--json"]).expect(0);
        assert_eq!(ended.last_event()["done"], 2 * 2 * 3 * 3);
    }
    let [two, one, shuffled] = places.map(|place| {
        let out = place.file("out");
        let mut rows = results(&out.join("results.parquet"));
        rows.sort_by_key(|row| format!("{row:?}"));
        (outcome(&out), rows)
    });
    same(&two.0, &one.0, "two threads and one");
    assert_eq!(two.1.len(), shuffled.1.len());
    for (row, other) in two.1.iter().zip(&shuffled.1) {
        assert_eq!(row, other, "the order of axes shows");
    }
    let records = |outcome: &std::collections::BTreeMap<String, String>| {
        let mut records = outcome.clone();
        records.retain(|name, _| name.starts_with("trainings") || name.starts_with("evaluations"));
        records
    };
    same(&records(&two.0), &records(&shuffled.0), "records in another order");
}
