//! Made-up results that the tests of the paper's tables print.

use std::collections::BTreeMap;
use std::fs;

use harness_method::{ImageScore, Selection, Shots};
use harness_report::{ReportDataset, ReportInput, write_report};
use harness_tables::{BackendRow, DeLongRow, DifferenceRow, ResultRow, Status};

pub(crate) const BASE: &str = "base";

pub(crate) fn dataset(name: &str, masks: bool, published: Option<&str>) -> ReportDataset {
    ReportDataset { name: name.into(), masks, published: published.map(str::to_owned) }
}

/// The rule of a name.
pub(crate) fn rule(name: &str) -> Selection {
    Selection::ALL.into_iter().find(|rule| rule.name() == name).unwrap()
}

/// The image score of a name, none of an empty one.
pub(crate) fn score(name: &str) -> Option<ImageScore> {
    (!name.is_empty()).then(|| ImageScore::ALL.into_iter().find(|score| score.name() == name).unwrap())
}

pub(crate) fn done(
    variant: &str,
    dataset: &str,
    shots: u32,
    seed: u64,
    selection: &str,
    values: &[(&str, &str, f64)],
) -> Vec<ResultRow> {
    let row = |(metric, by, value): &(&str, &str, f64)| ResultRow {
        cell: format!("{variant}-{dataset}-{shots}-{selection}-{seed}"),
        variant: variant.into(),
        dataset: dataset.into(),
        trained_on: dataset.into(),
        shots: Shots::each(shots),
        seed,
        backend: "flex".into(),
        selection: rule(selection),
        image_score: score(by),
        metric: Some(metric.parse().unwrap()),
        value: Some(*value),
        status: Status::Done,
        precision: "f32".into(),
        ..ResultRow::default()
    };
    values.iter().map(row).collect()
}

pub(crate) fn undone(variant: &str, dataset: &str, shots: u32, status: Status, message: &str) -> ResultRow {
    ResultRow {
        cell: format!("{variant}-{dataset}-{shots}"),
        variant: variant.into(),
        dataset: dataset.into(),
        trained_on: dataset.into(),
        shots: Shots::each(shots),
        backend: "flex".into(),
        selection: Selection::Last,
        status,
        message: message.into(),
        precision: "f32".into(),
        ..ResultRow::default()
    }
}

/// Two seeds around a mean, with masks: image AUROC by both scores and pixel AUROC.
pub(crate) fn masked(variant: &str, dataset: &str, shots: u32, ac: f64, pixel: f64) -> Vec<ResultRow> {
    let seed = |(seed, d): (u64, f64)| {
        let values =
            [("image_auroc", "map-max", ac + d), ("image_auroc", "detection", 0.5), ("pixel_auroc", "", pixel + d)];
        done(variant, dataset, shots, seed, "last", &values)
    };
    [(0, 0.01), (1, -0.01)].into_iter().flat_map(seed).collect()
}

pub(crate) fn few_shot() -> ReportInput {
    let mut results = masked(BASE, "Brain", 4, 0.92, 0.97);
    results.extend(masked(BASE, "Liver", 4, 0.80, 0.99));
    results.extend(done(BASE, "HIS", 4, 0, "last", &[("image_auroc", "detection", 0.82)]));
    results.extend(masked(BASE, "Brain", 16, 0.95, 0.98));
    results.push(undone(BASE, "Liver", 16, Status::Failed, "out_of_memory: 12 GiB asked for"));
    results.push(undone(BASE, "HIS", 16, Status::NotRun, ""));
    ReportInput {
        variants: vec![BASE.into()],
        results,
        datasets: vec![dataset("Brain", true, None), dataset("Liver", true, None), dataset("HIS", false, None)],
        ..ReportInput::default()
    }
}

pub(crate) fn difference(variant: &str, metric: &str, by: &str, value: f64, half: f64, p: f64) -> DifferenceRow {
    DifferenceRow {
        variant: variant.into(),
        base: BASE.into(),
        dataset: "Brain".into(),
        trained_on: "Brain".into(),
        shots: Shots::each(4),
        backend: "flex".into(),
        selection: Selection::Last,
        image_score: score(by),
        metric: metric.parse().unwrap(),
        difference: value,
        low: value - half,
        high: value + half,
        level: 0.95,
        p: p / 3.0,
        p_holm: p,
        count: 2,
    }
}

pub(crate) fn ablation() -> ReportInput {
    let mut results = masked(BASE, "Brain", 4, 0.92, 0.97);
    results.extend(masked("fixed_prompts", "Brain", 4, 0.90, 0.97));
    results.extend(masked("single & alone", "Brain", 4, 0.80, 0.90));
    results.push(undone("free", "Brain", 4, Status::Failed, "timeout: 60 s"));
    let of = |variant: &str, ac: (f64, f64), pixel: (f64, f64)| {
        [
            difference(variant, "image_auroc", "map-max", ac.0, 0.03, ac.1),
            difference(variant, "image_auroc", "detection", 0.0, 0.01, 1.0),
            difference(variant, "pixel_auroc", "", pixel.0, 0.01, pixel.1),
        ]
    };
    let mut differences = of("fixed_prompts", (-0.02, 0.21), (0.0, 1.0)).to_vec();
    differences.extend(of("single & alone", (-0.12, 0.0004), (-0.07, 0.02)));
    ReportInput {
        variants: [BASE, "fixed_prompts", "single & alone", "free"].map(str::to_owned).to_vec(),
        base: BASE.into(),
        results,
        differences,
        datasets: vec![dataset("Brain", true, None)],
        ..ReportInput::default()
    }
}

pub(crate) fn cross() -> ReportInput {
    let transfer = |source: &str, target: &str, values: &[(&str, &str, f64)]| {
        let rows = done(BASE, target, 16, 0, "last", values);
        rows.into_iter().map(|row| ResultRow { trained_on: source.into(), ..row }).collect::<Vec<_>>()
    };
    let mut results = transfer("Brain", "Brain", &[("image_auroc", "map-max", 0.95), ("pixel_auroc", "", 0.97)]);
    results.extend(transfer("Brain", "HIS", &[("image_auroc", "detection", 0.61)]));
    results.extend(transfer("HIS", "Brain", &[("image_auroc", "detection", 0.55)]));
    let failed = undone(BASE, "HIS", 16, Status::Failed, "");
    results.push(failed);
    ReportInput {
        results,
        datasets: vec![dataset("Brain", true, None), dataset("HIS", false, None)],
        ..ReportInput::default()
    }
}

pub(crate) fn backends() -> ReportInput {
    let row = |backend: &str| BackendRow {
        backend: backend.into(),
        version: "0.3.0".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        cells: 2,
        load_secs: Some(0.51),
        encode_rate: Some(21.5),
        step_p50_ms: Some(103.4),
        step_p95_ms: Some(131.0),
        score_rate: Some(310.0),
        gemm_share: Some(0.87),
        host_bytes: Some(900 << 20),
        image_auroc: Some(0.934),
        pixel_auroc: Some(0.971),
        ..BackendRow::default()
    };
    let other = BackendRow {
        encode_rate: Some(24.0),
        device_bytes: Some(3 << 30),
        map_difference: Some(2.1e-5),
        score_difference: Some(3.0e-6),
        ..row("libtorch")
    };
    ReportInput { backends: vec![row("flex"), other], ..ReportInput::default() }
}

pub(crate) fn published_input() -> ReportInput {
    // The third-party numbers at K 4 by best-on-test are: HIS 0.8243, BrainMRI 0.9264 and 0.9731.
    let best = |dataset: &str, values: &[(&str, &str, f64)]| done(BASE, dataset, 4, 0, "best-on-test", values);
    let mut results = best("Brain", &[("image_auroc", "map-max", 0.92), ("pixel_auroc", "map-max", 0.90)]);
    results.extend(best("HIS", &[("image_auroc", "detection", 0.83)]));
    results.extend(done(BASE, "HIS", 4, 0, "last", &[("image_auroc", "detection", 0.80)]));
    ReportInput {
        variants: vec![BASE.into()],
        results,
        methods: vec![(BASE.into(), "MadCLIP".into())],
        datasets: vec![dataset("Brain", true, Some("BrainMRI")), dataset("HIS", false, Some("HIS"))],
        ..ReportInput::default()
    }
}

pub(crate) fn optimism() -> ReportInput {
    let mean = DifferenceRow {
        dataset: String::new(),
        trained_on: String::new(),
        ..difference(BASE, "image_auroc", "map-max", 0.03, 0.01, 0.01)
    };
    let rows = vec![difference(BASE, "image_auroc", "map-max", 0.02, 0.015, 0.04), mean];
    let optimism =
        rows.into_iter().map(|row| DifferenceRow { base: "last".into(), selection: Selection::BestOnTest, ..row });
    let delong = DeLongRow {
        variant: "fixed_prompts".into(),
        base: BASE.into(),
        dataset: "Brain".into(),
        trained_on: "Brain".into(),
        shots: Shots::each(4),
        selection: Selection::BestOnTest,
        image_score: Some(ImageScore::MapMax),
        auroc: 0.91,
        base_auroc: 0.93,
        ..DeLongRow::default()
    };
    ReportInput { optimism: optimism.collect(), delong: vec![delong], ..ReportInput::default() }
}

/// Every table's file.
pub(crate) fn tables(input: &ReportInput) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    write_report(input, folder.path()).unwrap();
    let mut found = BTreeMap::new();
    found.insert("report.md".to_owned(), fs::read_to_string(folder.path().join("report.md")).unwrap());
    for entry in fs::read_dir(folder.path().join("tables")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // Spaces at which no line breaks are spaces to a reader.
        found.insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap()).replace('\u{a0}', " "));
    }
    found
}

/// The table alone, without its notes.
pub(crate) fn table(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| !line.is_empty()).collect()
}

/// The `tabular` of a LaTeX table.
pub(crate) fn tabular(text: &str) -> Vec<&str> {
    let lines = text.lines().skip_while(|line| !line.starts_with("\\begin{tabular}"));
    let mut done = false;
    let until = |line: &&str| !std::mem::replace(&mut done, *line == "\\end{tabular}");
    lines.take_while(until).collect()
}

/// The cells of a Markdown table's line.
pub(crate) fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}
