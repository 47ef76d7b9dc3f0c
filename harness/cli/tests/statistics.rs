//! Intervals, differences and tests of a run: the library's numbers of what was stored, whatever the order, and what
//! happens where something is missing.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::Place;
use common::files::on_files;
use harness_experiment::{ImageScore, Selection};
use harness_metrics::{Metric, Repetition, Replicates, Resampling, delong, holm, nested};
use harness_tables::{DeLongRow, DifferenceRow, IntervalRow, ResultRow, Row, read_csv, read_results, read_scores};

/// Two draws and two seeds of a base, a variant that is the same, and one that is not.
fn variants() -> Place {
    let place = Place::new();
    let text = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &text.replace("test = 6", "test = 8"));
    place.edit("draws = [0]", "draws = [0, 1]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.edit("[train]", "[variants.same]\nloss = \"siglip\"\n\n[variants.other]\nloss = \"contrastive\"\n\n[train]");
    place
}

fn table<R: Row>(place: &Place, name: &str) -> Vec<R> {
    read_csv(&place.file("out/tables").join(name).with_extension("csv")).unwrap()
}

fn results(place: &Place) -> Vec<ResultRow> {
    read_results(&place.file("out/results.parquet")).unwrap()
}

fn evaluation(place: &Place, row: &ResultRow) -> PathBuf {
    place.file("out/evaluations").join(&row.evaluation)
}

/// Labels and map-max scores of a cell's epoch.
fn scores(place: &Place, row: &ResultRow) -> (Vec<bool>, Vec<f64>) {
    let rows = read_scores(&evaluation(place, row).join("scores.parquet")).unwrap();
    let rows = rows.iter().filter(|score| Some(score.epoch) == row.epoch);
    rows.map(|row| (row.label, row.map_max.unwrap())).unzip()
}

/// The hash of the images of the test set, by which it is resampled.
fn test_set(place: &Place, row: &ResultRow) -> String {
    let text = std::fs::read_to_string(evaluation(place, row).join("evaluation.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("test = ")).unwrap();
    line.trim_matches('"').to_owned()
}

/// Cells of a variant under `last` with their image AUROC by map-max, and what the library makes of their scores.
fn trainings(place: &Place, variant: &str, patients: Option<&[Option<String>]>) -> Vec<(ResultRow, Replicates)> {
    let rows = results(place).into_iter().filter(|row| {
        row.variant == variant
            && row.selection == Selection::Last
            && row.image_score == Some(ImageScore::MapMax)
            && row.metric == Some(Metric::ImageAuroc)
    });
    rows.map(|row| {
        let (labels, scores) = scores(place, &row);
        let (name, count) = (test_set(place, &row), Resampling::RESAMPLES);
        let resampling = match patients {
            None => Resampling::new(&name, 0, count, &labels),
            Some(patients) => Resampling::of_patients(&name, 0, count, &labels, patients),
        };
        let mut metrics = resampling.unwrap().metrics(&scores, None).unwrap();
        (row, metrics.remove(&Metric::ImageAuroc).unwrap())
    })
    .collect()
}

fn together(place: &Place, trainings: &[(ResultRow, Replicates)]) -> Replicates {
    let repetitions = trainings.iter();
    let repetitions: Vec<Repetition<'_>> = repetitions
        .map(|(row, replicates)| Repetition { draw: row.draw.number().unwrap(), seed: row.seed, replicates })
        .collect();
    nested(&test_set(place, &trainings[0].0), 0, &repetitions).unwrap()
}

/// Image AUROC by the map's maximum under `last`.
const LAST_BY_MAPS: (Selection, Option<ImageScore>, Metric) =
    (Selection::Last, Some(ImageScore::MapMax), Metric::ImageAuroc);

fn find<'a>(rows: &'a [IntervalRow], variant: &str) -> &'a IntervalRow {
    let wanted =
        |row: &&IntervalRow| row.variant == variant && (row.selection, row.image_score, row.metric) == LAST_BY_MAPS;
    rows.iter().find(wanted).unwrap()
}

#[test]
fn draws_of_the_same_images_are_one_row_and_the_report_says_so() {
    let place = Place::new();
    // As many images as K, so that every draw has them all.
    let registry = common::REGISTRY.replace("valid = 4", "valid = 2");
    place.write("datasets.toml", &registry);
    place.edit("draws = [0]", "draws = [4, 0, 7]");
    let told = "[Small], K 2: draws 0 and 7 hold the same images as draw 4 and are left out; n counts them once";
    place.harness(&["plan", "small.toml", "--cache", "cache"]).expect(0).says(&[&format!("warning: {told}")]);
    place.run(&["--only", "selection=last"]).expect(0).says(&[&format!("warning: {told}")]);
    assert!(place.results().iter().all(|row| row.get("draw") == "4"));
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains(&told.replace('[', "\\[").replace(']', "\\]")) || report.contains(told), "{report}");
}

#[test]
fn rows_are_what_the_library_makes_of_the_stored_scores() {
    let place = variants();
    place.run(&[]).expect(0);
    let (base, other) = (trainings(&place, "base", None), trainings(&place, "other", None));
    let (of_base, of_other) = (together(&place, &base), together(&place, &other));

    let intervals: Vec<IntervalRow> = table(&place, "intervals");
    let row = find(&intervals, "base");
    let interval = of_base.interval(0.95).unwrap();
    assert_eq!((row.low, row.high, row.level), (interval.low, interval.high, 0.95));
    let values: Vec<f64> = base.iter().map(|(row, _)| row.value.unwrap()).collect();
    assert!((row.mean - values.iter().sum::<f64>() / 4.0).abs() < 1e-12);
    assert_eq!((row.draws, row.count, row.dataset.as_str()), (2, 4, "Small"));
    for metric in Metric::ALL {
        assert!(intervals.iter().any(|row| row.metric == metric), "{metric}");
    }

    let differences: Vec<DifferenceRow> = table(&place, "differences");
    let of = |variant: &str| {
        let wanted = |row: &&DifferenceRow| {
            row.variant == variant && (row.selection, row.image_score, row.metric) == LAST_BY_MAPS
        };
        differences.iter().find(wanted).unwrap()
    };
    let difference = of_other.minus(&of_base).unwrap();
    let (interval, p) = (difference.interval(0.95).unwrap(), difference.p_value().unwrap());
    let row = of("other");
    assert_eq!((row.low, row.high, row.p), (interval.low, interval.high, p));
    assert_eq!((row.base.as_str(), row.count), ("base", 4));
    assert!((row.difference - difference.value).abs() < 1e-12);
    // Of two variants beside the base, the one that is the base has p = 1: the other's is doubled.
    assert_eq!(row.p_holm, holm(&[1.0, p]).unwrap()[1]);
    let same = of("same");
    assert_eq!((same.difference, same.low, same.high, same.p, same.p_holm), (0.0, 0.0, 0.0, 1.0, 1.0));

    // The answer in words, on the terminal as in the report; with what each variant changes.
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(
        report.contains("\nAgainst `base` on Small, K = 2, selection last, 2 draws, 2 seeds, 16 test images: "),
        "{report}"
    );
    assert!(report.contains("- `same`: the same options as `base`\n"), "{report}");
    assert!(report.contains("- `other`: `base` with `loss = contrastive`\n"), "{report}");

    // `compare` reads the same replicates.
    let told = place.harness(&["compare", "other", "base", "--results", "out", "--only", "selection=last"]).expect(0);
    let heading = "other - base: Small, K = 2, last, flex, 4 trainings each\n";
    let printed = format!("= {:+.3} [{:+.3}, {:+.3}], p ", row.difference, row.low, row.high);
    let line = told.out.lines().find(|line| line.trim_start().starts_with("image_auroc (map-max)")).unwrap();
    assert!(told.out.starts_with(heading) && line.contains(&printed), "{}", told.out);
    assert_eq!(told.out.lines().count(), 1 + 3 + 1, "{}", told.out);
    let cells = [&other[0].0.cell, &base[0].0.cell];
    let single = other[0].1.minus(&base[0].1).unwrap();
    let (interval, p) = (single.interval(0.95).unwrap(), single.p_value().unwrap());
    let told = place.harness(&["compare", cells[0], cells[1], "--dir", "out"]).expect(0).out;
    let printed = format!("= {:+.3} [{:+.3}, {:+.3}], p ", single.value, interval.low, interval.high);
    assert!(told.contains(&printed) && told.contains("One training each"), "{printed} {p}: {told}");
    place.harness(&["compare", "other", "bsae", "--results", "out"]).expect(2).says(&["`bsae`", "base"]);

    let list: Vec<DeLongRow> = table(&place, "delong");
    assert_eq!(list.len(), 2 * 4 * 2 * 2, "variants, trainings, rules, scores");
    for ((row, _), (base, _)) in other.iter().zip(&base) {
        let (labels, scores) = scores(&place, row);
        let test = delong(&labels, &scores, &self::scores(&place, base).1).unwrap();
        let wanted = |found: &&DeLongRow| {
            found.variant == "other"
                && (found.draw, found.seed) == (row.draw, row.seed)
                && (found.selection, found.image_score) == (Selection::Last, Some(ImageScore::MapMax))
        };
        let found = list.iter().find(wanted).unwrap();
        assert_eq!((found.auroc, found.base_auroc, found.p), (test.aurocs[0], test.aurocs[1], test.p));
    }
    assert!(list.iter().filter(|row| row.variant == "same").all(|row| row.p == Some(1.0)));
}

/// Dataset, rule, image score and metric of a comparison.
type Of = (String, Selection, Option<ImageScore>, Metric);

/// The metrics whose best is marked.
const MARKED: [Metric; 2] = [Metric::ImageAuroc, Metric::PixelAuroc];

/// Means of variants by comparison, of the metrics whose best is marked.
fn marked_means(intervals: &[IntervalRow]) -> BTreeMap<Of, BTreeMap<String, f64>> {
    let mut means: BTreeMap<Of, BTreeMap<String, f64>> = BTreeMap::new();
    for row in intervals.iter().filter(|row| MARKED.contains(&row.metric)) {
        let of = (row.dataset.clone(), row.selection, row.image_score, row.metric);
        means.entry(of).or_default().insert(row.variant.clone(), row.mean);
    }
    means
}

/// Rows of a comparison with a variant.
fn with<'a>(rows: &'a [DifferenceRow], of: &Of, base: &str) -> BTreeMap<&'a str, &'a DifferenceRow> {
    let same = |row: &&DifferenceRow| {
        let found = (row.dataset.clone(), row.selection, row.image_score, row.metric);
        row.base == base && found == *of
    };
    rows.iter().filter(same).map(|row| (row.variant.as_str(), row)).collect()
}

#[test]
fn all_are_compared_with_the_best_where_that_is_not_the_base() {
    let place = variants();
    place.run(&[]).expect(0);
    let differences: Vec<DifferenceRow> = table(&place, "differences");
    let (mut base_is_best, mut other_is_best) = (0, 0);
    for (of, means) in marked_means(&table::<IntervalRow>(&place, "intervals")) {
        let (from_base, from_other) = (with(&differences, &of, "base"), with(&differences, &of, "other"));
        assert_eq!(from_base.keys().collect::<Vec<_>>(), [&"other", &"same"]);
        assert!(with(&differences, &of, "same").is_empty(), "what is equal to the base is never the best beside it");
        if means["other"] <= means["base"] {
            base_is_best += 1;
            assert!(from_other.is_empty());
            continue;
        }
        other_is_best += 1;
        assert_eq!(from_other.keys().collect::<Vec<_>>(), [&"base", &"same"]);
        // The same pairs of trainings, the other way round; the family has both of them.
        let (there, back) = (from_base["other"], from_other["base"]);
        assert_eq!((back.difference, back.p), (-there.difference, there.p));
        assert!((back.low + there.high).abs() < 1e-12 && (back.high + there.low).abs() < 1e-12);
        assert_eq!(vec![back.p_holm, from_other["same"].p_holm], holm(&[there.p, there.p]).unwrap());
    }
    assert!(base_is_best > 0 && other_is_best > 0, "{base_is_best} {other_is_best}");
    let other = |row: &DifferenceRow| row.base != "base" && !MARKED.contains(&row.metric);
    assert!(!differences.iter().any(other));
}

#[test]
fn optimism_is_what_choosing_by_the_test_set_adds_on_the_same_trainings() {
    let place = variants();
    place.edit("epochs = 2", "epochs = 4");
    place.run(&[]).expect(0);
    let mut means: BTreeMap<(String, Selection, Option<ImageScore>, Metric), Vec<f64>> = BTreeMap::new();
    for row in results(&place) {
        let key = (row.variant, row.selection, row.image_score, row.metric.unwrap());
        means.entry(key).or_default().push(row.value.unwrap());
    }
    let mean = |variant: &str, selection: Selection, score: Option<ImageScore>, metric: Metric| {
        let values = &means[&(variant.to_owned(), selection, score, metric)];
        assert_eq!(values.len(), 4);
        values.iter().sum::<f64>() / 4.0
    };
    let optimism: Vec<DifferenceRow> = table(&place, "optimism");
    assert_eq!(optimism.len(), 3 * 2 * Metric::ALL.len(), "variants, scores, metrics");
    for row in &optimism {
        assert_eq!((row.base.as_str(), row.selection, row.count), ("last", Selection::BestOnTest, 4));
        // Under `last` pixel metrics stand once, for both scores.
        let score = row.image_score.filter(|_| !row.metric.needs_masks());
        let expected = mean(&row.variant, Selection::BestOnTest, row.image_score, row.metric)
            - mean(&row.variant, Selection::Last, score, row.metric);
        assert!((row.difference - expected).abs() < 1e-12, "{row:?}");
        assert!(row.low <= row.high && row.p <= row.p_holm);
    }
    assert!(optimism.iter().any(|row| row.difference != 0.0));
}

#[test]
fn neither_order_nor_threads_nor_an_interruption_shows_in_a_row() {
    let places = [variants(), variants()];
    places[1].edit("draws = [0, 1]", "draws = [1, 0]");
    places[1].edit("seeds = [0, 1]", "seeds = [1, 0]");
    places[0].run(&["--threads", "2"]).expect(0);
    places[1].run(&["--threads", "1"]).expect(0);
    let names = ["intervals.csv", "differences.csv", "optimism.csv", "intervals.parquet", "differences.parquet"];
    let files = |place: &Place| names.map(|name| std::fs::read(place.file("out/tables").join(name)).unwrap());
    let whole = files(&places[0]);
    assert_eq!(whole, files(&places[1]));
    let sorted = |place: &Place| {
        let text = std::fs::read_to_string(place.file("out/tables/delong.csv")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&places[0]), sorted(&places[1]));

    // As a kill may leave it: predictions without metrics, metrics without replicates, no evaluation at all.
    let evaluations = std::fs::read_dir(places[0].file("out/evaluations")).unwrap();
    for (i, folder) in evaluations.map(|entry| entry.unwrap().path()).enumerate() {
        match i % 4 {
            0 => std::fs::remove_dir_all(&folder).unwrap(),
            1 => std::fs::remove_file(folder.join("metrics.json")).unwrap(),
            2 => std::fs::remove_file(folder.join("replicates.bin")).unwrap(),
            _ => {}
        }
    }
    places[0].run(&[]).expect(0);
    assert_eq!(files(&places[0]), whole);
}

#[test]
fn what_is_missing_is_not_counted_and_the_rest_is_compared() {
    let place = variants();
    place.run(&[]).expect(0);
    let (base, other) = (trainings(&place, "base", None), trainings(&place, "other", None));
    std::fs::remove_dir_all(evaluation(&place, &other[1].0)).unwrap();
    place.harness(&["report", "out"]).expect(0);
    let rest = [0, 2, 3];
    let of = |all: &[(ResultRow, Replicates)]| together(&place, &rest.map(|i| all[i].clone()));
    let difference = of(&other).minus(&of(&base)).unwrap();
    let differences: Vec<DifferenceRow> = table(&place, "differences");
    let wanted =
        |row: &&DifferenceRow| row.variant == "other" && (row.selection, row.image_score, row.metric) == LAST_BY_MAPS;
    let row = differences.iter().find(wanted).unwrap();
    assert_eq!((row.count, row.p), (3, difference.p_value().unwrap()));
    let intervals: Vec<IntervalRow> = table(&place, "intervals");
    assert_eq!((find(&intervals, "base").count, find(&intervals, "other").count), (4, 3));
}

#[test]
fn images_of_a_patient_are_resampled_together() {
    let place = on_files();
    place.run(&[]).expect(0);
    let by_image: Vec<IntervalRow> = table(&place, "intervals");
    let replicates = evaluation(&place, &results(&place)[0]).join("replicates.bin");
    let before = std::fs::read(&replicates).unwrap();
    // Patients 0 to 2 have a normal and an abnormal image each; the other images are of patients unknown.
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &format!("{registry}patient = \"^[na]([0-2])\"\n"));
    place.run(&[]).expect(0);
    let by_patient: Vec<IntervalRow> = table(&place, "intervals");
    let patients: Vec<Option<String>> =
        (0..10).map(|i| Some(i % 5).filter(|number| *number < 3).map(|number| number.to_string())).collect();
    let interval = together(&place, &trainings(&place, "base", Some(&patients))).interval(0.95).unwrap();
    let row = find(&by_patient, "base");
    assert_eq!((row.low, row.high), (interval.low, interval.high));
    assert_ne!(by_image, by_patient);
    assert_ne!(before, std::fs::read(&replicates).unwrap());
}

#[test]
fn a_mean_over_datasets_resamples_each_and_warns_where_ranks_can_not_tell() {
    let place = Place::new();
    let text = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    let second = text.replace("[Small]", "[Other]").replace("seed = 1", "seed = 2");
    place.write("datasets.toml", &(text + &second));
    place.edit("datasets = [\"Small\"]", "datasets = [\"Small\", \"Other\"]");
    place.edit("[train]", "[variants.other]\nloss = \"contrastive\"\n\n[train]");
    place.run(&[]).expect(0);
    let intervals: Vec<IntervalRow> = table(&place, "intervals");
    let of = |dataset: &str| {
        let wanted = |row: &&IntervalRow| {
            row.dataset == dataset
                && row.variant == "base"
                && (row.metric, row.selection) == (Metric::PixelAuroc, Selection::Last)
        };
        intervals.iter().find(wanted).unwrap()
    };
    let mean = of("");
    assert!((mean.mean - (of("Small").mean + of("Other").mean) / 2.0).abs() < 1e-12);
    assert_eq!((mean.count, mean.trained_on.as_str()), (1, ""));
    assert!(mean.high - mean.low < (of("Small").high - of("Small").low).max(of("Other").high - of("Other").low));
    let differences: Vec<DifferenceRow> = table(&place, "differences");
    assert!(differences.iter().any(|row| row.dataset.is_empty() && row.variant == "other"));
    for (of, means) in marked_means(&intervals) {
        let compared = with(&differences, &of, "other");
        assert_eq!(compared.contains_key("base"), means["other"] > means["base"], "{of:?}");
    }
    let report = std::fs::read_to_string(place.file("out/report.md")).unwrap();
    assert!(report.contains("2 datasets are too few for a rank test"), "{report}");
}

#[test]
fn tables_of_an_earlier_experiment_do_not_stay_where_there_is_nothing_to_compare() {
    let place = Place::new();
    place.edit("[train]", "[variants.other]\nloss = \"contrastive\"\n\n[train]");
    place.run(&[]).expect(0);
    assert!(place.file("out/tables/differences.csv").is_file());
    place.edit("[variants.other]\nloss = \"contrastive\"\n\n", "");
    place.run(&[]).expect(0);
    assert!(place.file("out/tables/intervals.csv").is_file() && place.file("out/tables/optimism.csv").is_file());
    for name in ["differences.csv", "differences.parquet", "delong.csv", "delong.parquet"] {
        assert!(!place.file("out/tables").join(name).exists(), "{name}");
    }
}
