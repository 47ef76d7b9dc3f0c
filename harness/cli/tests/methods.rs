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
[variants.varied]
method = "memory-bank"
banks = "both"
variants = "mvfa"
[variants.probe]
method = "linear-probe"
[variants.prototypes]
method = "text-prototypes"
[variants.similarity]
method = "zero-shot"
[variants.winclip]
method = "zero-shot"
preset = "winclip"
[variants.few]
method = "zero-shot"
preset = "winclip-few-shot"
[variants.residual]
method = "mvfa"
epochs = 2
batch = 32
[variants.frozen]
method = "mvfa"
preset = "mvfa-frozen"
combine = "zero"
epochs = 2
batch = 32
[variants.april]
method = "april-gan"
epochs = 2
batch = 32

[train]"#;

/// Those that steps train, by seed and epoch.
const TRAINED: [&str; 4] = ["base", "residual", "frozen", "april"];

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
    for variant in ["bank", "both", "varied", "probe", "similarity", "winclip", "few"].iter().chain(&TRAINED) {
        assert!(of(variant, "pixel_auroc") > 0 && of(variant, "image_auroc") == 2, "{variant}");
    }
    // It has no map.
    assert_eq!((of("prototypes", "pixel_auroc"), of("prototypes", "image_auroc")), (0, 1));
    // Neither a seed nor a rule decides anything where nothing is trained.
    assert!(
        values.iter().all(|((variant, ..), found)| TRAINED.contains(&variant.as_str()) || found.len() == 1),
        "{values:?}"
    );
    // Lesions lie farther from normal supports than other tokens do, whatever the encoder.
    let bank = &values[&("bank".to_owned(), "pixel_auroc".to_owned(), String::new())];
    assert!(bank.iter().all(|value| value.parse::<f64>().unwrap() > 0.7), "{bank:?}");

    let table = std::fs::read_to_string(place.file("out/tables/methods.csv")).unwrap();
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let place_of = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let rows: BTreeMap<&str, Vec<&str>> = lines.map(|line| (line[place_of("variant")], line)).collect();
    for (variant, [method, sees, states, together]) in [
        ("base", ["madclip", "both", "2", "false"]),
        ("bank", ["memory-bank", "normal", "1", "false"]),
        ("similarity", ["zero-shot", "nothing", "1", "false"]),
        ("winclip", ["zero-shot", "nothing", "1", "false"]),
        ("few", ["zero-shot", "normal", "1", "false"]),
        ("residual", ["mvfa", "both", "2", "true"]),
        ("frozen", ["mvfa", "both", "2", "false"]),
        ("april", ["april-gan", "both", "2", "true"]),
    ] {
        let found = ["method", "sees", "states", "transductive"].map(|column| rows[variant][place_of(column)]);
        assert_eq!(found, [method, sees, states, together], "{variant}");
    }
    // Each with each, those without maps by the detection score alone.
    let pairs = std::fs::read_to_string(place.file("out/tables/pairs.csv")).unwrap();
    let of = |metric: &str, variant: &str| {
        pairs
            .lines()
            .filter(|line| line.contains(metric) && line.split(',').take(2).any(|name| name == variant))
            .count()
    };
    assert_eq!((of("last,map-max,image_auroc", "bank"), of("last,map-max,image_auroc", "prototypes")), (10, 0));
    assert_eq!(
        (of("last,detection,image_auroc", "prototypes"), of("last,\"\",pixel_auroc", "base")),
        (11, 10),
        "{pairs}"
    );
    for figure in ["ranks-k4-last", "ranks-k4-best-on-test", "cost-k4", "panel-methods-Small-k4-last-part1"] {
        assert!(place.file(&format!("out/figures/{figure}.svg")).is_file(), "{figure}");
        assert!(place.file(&format!("out/figures/{figure}.png")).is_file(), "{figure}");
    }
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains("Ranks on one dataset are an order, and carry no rank test."), "{report}");
    assert!(report.contains("Without maps: prototypes."), "{report}");
    // Two seeds of a bank are one training, and count once.
    assert_eq!((rows["bank"][place_of("trainings")], rows["base"][place_of("trainings")]), ("1", "2"));

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
    for variant in
        ["bank", "both", "varied", "probe", "prototypes", "similarity", "winclip", "few", "residual", "frozen", "april"]
    {
        let cell = rows.iter().find(|row| row.get("variant") == variant).unwrap().get("cell").to_owned();
        let out = format!("predicted-{variant}");
        let arguments =
            ["predict", "--cell", &cell, "--results", "out", "--cache", "cache", "--out", &out, "image.png"];
        let ended = place.harness(&arguments).expect(0);
        // Scores that lie between the extremes of what is scored together mean nothing alone.
        let together = ended.err.contains("images that are given together");
        assert_eq!(together, ["residual", "april"].contains(&variant), "{variant}: {}", ended.err);
        let scores = std::fs::read_to_string(place.file(&format!("{out}/scores.csv"))).unwrap();
        assert_eq!(scores.lines().count(), 2, "{variant}: {scores}");
        let explained = place.harness(&["explain", &cell, "out", "--cache", "cache"]).expect(0).out;
        assert!(explained.contains("completed"), "{explained}");
    }
}

#[test]
fn heads_start_alike_on_frozen_taps_and_in_the_stream_and_follow_the_seed() {
    let place = place();
    place.run(&["--only", "variant=residual,frozen"]).expect(0);
    let states = std::fs::read_dir(place.file("out/trainings")).unwrap().flatten();
    let mut first = BTreeMap::new();
    for folder in states {
        let record = std::fs::read_to_string(folder.path().join("training.toml")).unwrap();
        let seed = record.lines().find(|line| line.starts_with("seed = ")).unwrap().to_owned();
        let state = std::fs::read(folder.path().join("states/0001.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&state).unwrap();
        let support = tensors.tensor("support.normal").unwrap();
        assert_eq!(support.shape(), [4, 3, 32, 32]);
        assert!(tensors.tensor("mvfa.2.seg.up.weight").is_err(), "the last tap feeds nothing");
        let fed = tensors.tensor("mvfa.1.seg.up.weight").is_ok();
        assert_eq!(fed, record.contains("residual = 0.1"), "{record}");
        first.insert((seed, fed), tensors.tensor("mvfa.1.seg.down.weight").unwrap().data().to_vec());
    }
    assert_eq!(first.len(), 4);
    assert_eq!(first.values().collect::<BTreeSet<_>>().len(), 4, "trained apart");
}

#[test]
fn windows_are_stored_and_numbers_do_not_tell_where_they_came_from() {
    let place = place();
    place.edit("seeds = [0, 1]", "seeds = [0]");
    place.edit("seed = 0", "seed = 0\nstore = \"f16\"");
    let run = |out: &str, cache: &str, budget: &[&str]| {
        let mut arguments = vec!["run", "small.toml", "--only", "variant=winclip,few", "--cache", cache, "--out", out];
        arguments.extend(budget);
        place.harness(&arguments).expect(0);
        let rows = place.rows(&format!("{out}/results.csv")).into_iter().filter(|row| row.get("status") == "done");
        let values: Vec<_> = rows.map(|row| ["cell", "metric", "value"].map(|name| row.get(name).to_owned())).collect();
        let records = std::fs::read_dir(place.file(&format!("{out}/evaluations"))).unwrap().flatten();
        let windowed = records.map(|folder| {
            let record = std::fs::read_to_string(folder.path().join("evaluation.toml")).unwrap();
            let count = record.lines().find_map(|line| line.strip_prefix("windowed = ")?.parse().ok());
            count.unwrap_or(0)
        });
        (values, windowed.sum::<u64>())
    };
    let (first, encoded) = run("first", "cache", &[]);
    // 32 test images and two sides; the second variant finds them in the store, but for its 4 supports.
    assert!(first.len() > 4 && (64..=72).contains(&encoded), "{encoded}");
    let (second, again) = run("second", "cache", &[]);
    assert!(again == 0 && first == second, "{again} encoded again; {first:?} {second:?}");
    let (third, streamed) = run("third", "other", &["--cache-budget", "0.00001"]);
    assert!(streamed >= 2 * 64 && first == third, "{streamed} encoded; {first:?} {third:?}");
}
