//! Promises of the figures that go into a paper: which there are, what their captions say, and that they can be drawn.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "drawn/boxes.rs"]
mod boxes;

use std::collections::BTreeMap;
use std::fs;

use harness_method::{ImageScore, Selection, Shots};
use harness_report::{
    Bar, BarFigure, BarPlot, CostFigure, CostPlot, CostPoint, ForestFigure, HeatFigure, MethodPanelFigure, PanelImage,
    PanelMaps, Pixels, RankFigure, RankPlot, RankedVariant, ReportDataset, ReportInput, RocFigure, RocSeries, Role,
    ShotsFigure, ShotsPlot, ShotsPoint, bars, cost, forest, heat_map, method_panel, ranks, roc, shots, write_report,
};
use harness_tables::{BackendRow, DifferenceRow, IntervalRow, ResultRow, Status};

const VARIANTS: [&str; 4] =
    ["base", "contrastive loss", "fixed prompts", "a variant with a name that is too long to print"];

/// The rule of a name.
fn rule(name: &str) -> Selection {
    Selection::ALL.into_iter().find(|rule| rule.name() == name).unwrap()
}

/// The image score of a name, none of an empty one.
fn score(name: &str) -> Option<ImageScore> {
    (!name.is_empty()).then(|| ImageScore::ALL.into_iter().find(|score| score.name() == name).unwrap())
}

fn interval(variant: usize, dataset: &str, shots: u32, metric: &str, selection: &str) -> IntervalRow {
    let (image, k) = (metric == "image_auroc", f64::from(shots).log2());
    let mean = 0.78 + 0.04 * k - 0.02 * variant as f64 + if image { 0.0 } else { 0.05 };
    let half = 0.03 + 0.01 * variant as f64;
    IntervalRow {
        variant: VARIANTS[variant].into(),
        dataset: dataset.into(),
        trained_on: dataset.into(),
        shots: Shots::each(shots),
        backend: "flex".into(),
        selection: rule(selection),
        image_score: score(if image { "map-max" } else { "" }),
        metric: metric.parse().unwrap(),
        mean,
        low: mean - half,
        high: (mean + half * 0.8).min(1.0),
        level: 0.95,
        draws: 2,
        count: 4,
    }
}

fn difference(variant: usize, metric: &str, value: f64, half: f64, p: f64) -> DifferenceRow {
    let of = interval(variant, "Brain", 4, metric, "best-on-test");
    DifferenceRow {
        variant: of.variant,
        base: "base".into(),
        dataset: of.dataset,
        trained_on: of.trained_on,
        shots: Shots::each(4),
        backend: of.backend,
        selection: of.selection,
        image_score: Some(ImageScore::MapMax),
        metric: metric.parse().unwrap(),
        difference: value,
        low: value - half,
        high: value + half,
        level: 0.95,
        p,
        p_holm: p,
        count: 4,
    }
}

fn transfers(names: &[&str]) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    for (i, source) in names.iter().enumerate() {
        for (j, target) in names.iter().enumerate() {
            let row = ResultRow {
                cell: format!("{source}-{target}"),
                variant: "base".into(),
                dataset: (*target).into(),
                trained_on: (*source).into(),
                shots: Shots::each(16),
                backend: "flex".into(),
                selection: Selection::Last,
                ..ResultRow::default()
            };
            if (i, j) == (1, 2) {
                rows.push(ResultRow { status: Status::Failed, message: "timeout: 60 s".into(), ..row });
                continue;
            }
            let value = if i == j { 0.93 } else { 0.88 - 0.06 * (i as f64 - j as f64).abs() };
            for (metric, by, less) in [("image_auroc", "map-max", 0.0), ("pixel_auroc", "", 0.04)] {
                rows.push(ResultRow {
                    status: Status::Done,
                    metric: Some(metric.parse().unwrap()),
                    image_score: score(by),
                    value: Some(value - less),
                    ..row.clone()
                });
            }
        }
    }
    rows
}

fn backend(name: &str, encode: f64, step: f64) -> BackendRow {
    BackendRow {
        backend: name.into(),
        version: "1".into(),
        device: "cpu".into(),
        precision: "f32".into(),
        cells: 2,
        encode_rate: Some(encode),
        step_p50_ms: Some(step),
        step_p95_ms: Some(step * 1.3),
        ..BackendRow::default()
    }
}

fn banded(label: &str, power: f64) -> RocSeries {
    let at = |x: f64, power: f64| x.powf(1.0 / power);
    let grid = || (0..=200).map(|i| f64::from(i) / 200.0);
    RocSeries {
        label: label.into(),
        selection: Selection::Last,
        points: grid().map(|x| (x, at(x, power))).collect(),
        band: grid().map(|x| (x, at(x, power * 0.75), at(x, power * 1.3))).collect(),
        auroc: power / (1.0 + power),
    }
}

fn input() -> ReportInput {
    let names = ["Brain", "Liver", "RESC"];
    let mut intervals = Vec::new();
    for variant in 0..VARIANTS.len() {
        for shots in [2, 4, 8, 16] {
            for metric in ["image_auroc", "pixel_auroc"] {
                intervals.push(interval(variant, "Brain", shots, metric, "last"));
                intervals.push(interval(variant, "Brain", shots, metric, "best-on-test"));
            }
        }
    }
    // One K alone makes no line.
    intervals.push(interval(0, "Liver", 4, "image_auroc", "last"));
    ReportInput {
        variants: VARIANTS.map(str::to_owned).to_vec(),
        base: "base".into(),
        results: transfers(&names),
        intervals,
        differences: vec![
            difference(1, "image_auroc", -0.031, 0.02, 0.004),
            difference(1, "pixel_auroc", -0.012, 0.015, 0.11),
            difference(2, "image_auroc", 0.008, 0.021, 0.6),
        ],
        backends: vec![backend("flex", 21.5, 103.0), backend("libtorch", 24.1, 140.0)],
        datasets: names.map(|name| ReportDataset { name: name.into(), masks: true, published: None }).to_vec(),
        roc: vec![RocFigure {
            name: "roc-Brain-k4".into(),
            caption: "ROC.".into(),
            bands: " Bands.".into(),
            series: vec![banded("base", 9.0), banded("contrastive loss", 5.0), banded("fixed prompts", 2.5)],
        }],
        ..ReportInput::default()
    }
}

/// The report and the figures' files.
fn written(input: &ReportInput) -> (String, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    write_report(input, folder.path()).unwrap();
    let entries = fs::read_dir(folder.path().join("figures")).unwrap();
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    (fs::read_to_string(folder.path().join("report.md")).unwrap(), entries.map(file).collect())
}

#[test]
fn a_report_has_the_figures_that_its_rows_can_fill() {
    let (report, files) = written(&input());
    let svg: Vec<&str> = files.keys().filter_map(|name| name.strip_suffix(".svg")).collect();
    assert_eq!(
        svg,
        [
            "ablation-Brain-k4-best-on-test",
            "backends",
            "cross-dataset-AC-last",
            "cross-dataset-AS-last",
            "roc-Brain-k4",
            "shots-Brain-best-on-test",
            "shots-Brain-last",
        ]
    );
    assert_eq!(files.len(), 3 * svg.len());
    for part in [
        "AUROC over K: Brain, image score map-max, selection last, flex. Points: means over draws and seeds, n = 4 trainings each; \
         bars: 95 % intervals of the bootstrap. (",
        "Differences from base: Brain, K = 4, image score map-max, selection best-on-test, flex; n = 4 pairs of trainings each. \
         Bars: 95 % intervals of the paired bootstrap; filled: p < 0.05 after Holm's correction. † The epoch was chosen on the \
         test set itself: optimistic by construction. (",
        "Image AUROC across datasets: variant base, K = 16, selection last, flex; means over draws and seeds, n = 1 trainings each.",
        "Backends on the same cells (n = 2):",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    show(&files);
}

/// Leaves figures where `HARNESS_TEST_FIGURES` says, to be looked at.
fn show(files: &BTreeMap<String, Vec<u8>>) {
    if let Some(folder) = std::env::var_os("HARNESS_TEST_FIGURES") {
        for (name, bytes) in files {
            fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
        }
    }
}

/// Twelve methods with names that are alike, long, or both.
fn twelve() -> Vec<String> {
    let mut names: Vec<String> = ["base", "zero-shot", "bank", "bank-both"].map(str::to_owned).to_vec();
    names.extend(
        (0..8).map(|i| format!("memory-bank-of-normal-supports-with-coreset-{i}-of-ten-neighbours-and-positions")),
    );
    names
}

/// A method each, with costs that lie close together; the second is not fitted, and the scoring of the fourth was not
/// timed.
fn costs(names: &[String]) -> Vec<CostPoint> {
    let point = |(i, label): (usize, &String)| CostPoint {
        label: label.clone(),
        value: 0.9 + 0.001 * i as f64,
        interval: (0.85, 0.95),
        trains: i != 1,
        fit: (i != 1).then_some(1e-2 * 1.1f64.powi(i as i32)),
        image: (i != 3).then_some(2e-3),
    };
    names.iter().enumerate().map(point).collect()
}

/// Mean ranks of twelve methods over two datasets, their costs, which lie close together, and maps of the same images.
fn of_methods(selection: &str) -> ReportInput {
    let names = twelve();
    let ranked = |(i, label): (usize, &String)| {
        let ranks = vec![1.0 + i as f64, 1.0 + (i ^ 1) as f64];
        RankedVariant { label: label.clone(), rank: (ranks[0] + ranks[1]) / 2.0, ranks }
    };
    let plot = |measure: &str| RankPlot {
        measure: measure.to_owned(),
        datasets: vec!["Brain".into(), "Busi".into()],
        variants: names.iter().enumerate().map(ranked).collect(),
        joined: (0..10).map(|i| vec![i, i + 1, i + 2]).chain([vec![0, 11]]).collect(),
        left_out: Vec::new(),
    };
    let side = 24;
    let image = |role| PanelImage {
        role,
        file: format!("TCGA_CS_4941_19960909_of_a_long_name_{role}.png"),
        aspect: 1.0,
        image: Pixels::Gray((0..side * side).map(|p| (p % 200) as u8).collect()),
        truth: (0..side * side).map(|p| u8::from(role != Role::HighestNormal && p % side < 6)).collect(),
    };
    let maps = |(i, label): (usize, &String)| {
        let map: Vec<f32> = (0..side * side).map(|p| (p * (i + 1)) as f32 / 100.0 - 1.0).collect();
        let map = (map, Some(0.25 * i as f64));
        PanelMaps { label: label.clone(), maps: vec![map; 4] }
    };
    ReportInput {
        variants: names.clone(),
        ranks: vec![RankFigure {
            name: format!("ranks-k4-{selection}"),
            caption: "Ranks.".into(),
            selection: rule(selection),
            plots: vec![plot("Image AUROC by map-max"), plot("Pixel AUROC")],
        }],
        costs: vec![CostFigure {
            name: format!("cost-k4-{selection}"),
            caption: "Costs.".into(),
            selection: rule(selection),
            plots: vec![CostPlot { measure: "Image AUROC".into(), points: costs(&names), remark: String::new() }],
        }],
        method_panels: vec![MethodPanelFigure {
            name: "panel-methods-Brain-k4".into(),
            caption: "Maps.".into(),
            side,
            images: [Role::Best, Role::Median, Role::Worst, Role::HighestNormal].map(image).to_vec(),
            variants: names.iter().enumerate().map(maps).collect(),
        }],
        ..ReportInput::default()
    }
}

#[test]
fn twelve_methods_are_told_apart() {
    let (report, files) = written(&of_methods("best-on-test"));
    show(&files);
    assert_eq!(
        files.keys().filter_map(|name| name.strip_suffix(".svg")).collect::<Vec<_>>(),
        [
            "cost-k4-best-on-test",
            "panel-methods-Brain-k4-part1",
            "panel-methods-Brain-k4-part2",
            "panel-methods-Brain-k4-part3",
            "ranks-k4-best-on-test"
        ]
    );
    assert!(report.contains("Ranks. † The epoch was chosen on the test set itself"), "{report}");
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        let svg = String::from_utf8_lossy(bytes);
        assert_eq!(svg.contains("(best-on-test)"), name.contains("best-on-test"), "{name}");
    }
    assert_eq!(written(&of_methods("last")), written(&of_methods("last")));
}

#[test]
fn figures_of_methods_with_numbers_that_are_none_are_refused() {
    let of = of_methods("last");
    let mut broken = of.ranks[0].clone();
    broken.plots[0].variants[2].rank = f64::NAN;
    assert!(ranks(&broken, false).unwrap_err().to_string().contains("not finite"));
    let mut broken = of.ranks[0].clone();
    broken.plots[0].joined.push(vec![0, 12]);
    assert!(ranks(&broken, false).is_err());
    let mut broken = of.costs[0].clone();
    broken.plots[0].points[0].fit = Some(0.0);
    assert!(cost(&broken, false).unwrap_err().to_string().contains("not positive"));
    let mut broken = of.method_panels[0].clone();
    broken.variants[5].maps.pop();
    assert!(method_panel(&broken, false).unwrap_err().to_string().contains("memory-bank"));
    broken.images.clear();
    assert!(method_panel(&broken, false).is_err());
}

#[test]
fn support_sets_of_unequal_numbers_are_not_on_the_axis_of_k() {
    let mut with_pair = input();
    let pair = Shots { normal: 16, abnormal: 0 };
    with_pair.intervals.push(IntervalRow { shots: pair, ..interval(1, "Brain", 4, "image_auroc", "last") });
    // Two settings, of which one is a K, make no line.
    with_pair.intervals.push(IntervalRow { shots: pair, ..interval(0, "Liver", 4, "image_auroc", "last") });
    let ((_, files), (report, with)) = (written(&input()), written(&with_pair));
    assert_eq!(with["shots-Brain-last.svg"], files["shots-Brain-last.svg"]);
    assert_eq!(with.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    let caption = "Support sets of unequal numbers (16+0, normal+abnormal) are not on this axis; the tables have them.";
    assert!(report.contains(caption), "{report}");
}

#[test]
fn a_caption_names_what_had_no_choice() {
    let mut with_single = input();
    with_single.results.push(ResultRow { variant: VARIANTS[1].into(), no_choice: true, ..ResultRow::default() });
    let (report, _) = written(&with_single);
    let but = "optimistic by construction; not so contrastive loss: one state and no choice.";
    assert!(report.contains(but), "{report}");
    // Where no line was chosen, nothing was looked at.
    with_single.intervals.retain(|row| row.variant == VARIANTS[1]);
    with_single.differences.clear();
    let (report, files) = written(&with_single);
    assert!(!report.contains("optimistic by construction"), "{report}");
    let svg = String::from_utf8_lossy(&files["shots-Brain-best-on-test.svg"]);
    assert!(!svg.contains("(best-on-test)"));
}

#[test]
fn a_figure_chosen_on_the_test_set_says_so_without_its_caption() {
    let (_, files) = written(&input());
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        let says = String::from_utf8_lossy(bytes).contains("(best-on-test)");
        assert_eq!(says, name.contains("best-on-test"), "{name}");
    }
}

#[test]
fn a_large_matrix_of_long_names_stays_within_its_width() {
    let names =
        ["Brain_AD_of_a_long_name", "Liver_AD", "Retina_RESC_AD", "OCT", "Chest", "HIS", "Busi_AD", "LggMri_AD"];
    let (_, files) = written(&ReportInput { results: transfers(&names), ..ReportInput::default() });
    assert!(files.contains_key("cross-dataset-AC-last.png"));
    show(&files.into_iter().map(|(name, bytes)| (format!("large-{name}"), bytes)).collect());
}

#[test]
fn the_same_input_gives_the_same_figures() {
    assert_eq!(written(&input()).1, written(&input()).1);
}

#[test]
fn figures_of_nothing_and_of_values_that_are_none_are_refused_or_drawn_without_harm() {
    let none = ShotsFigure {
        name: "s".into(),
        caption: String::new(),
        axis: "K".into(),
        labels: Vec::new(),
        plots: Vec::new(),
    };
    assert!(shots(&none, true).is_ok());
    let point = ShotsPoint { shots: 4, mean: f64::NAN, interval: (0.0, 1.0) };
    let plots = vec![ShotsPlot { measure: "AC".into(), lines: vec![vec![point]] }];
    let broken = ShotsFigure { labels: vec!["a".into()], plots, ..none.clone() };
    assert!(shots(&broken, false).unwrap_err().to_string().contains("not finite"));
    let many = ShotsFigure { labels: vec!["a".into(); 7], ..none };
    assert!(shots(&many, false).unwrap_err().to_string().contains("7 series"));
    let empty = ForestFigure { name: "f".into(), caption: String::new(), plots: Vec::new() };
    assert!(forest(&empty, false).is_ok());
    let heat = HeatFigure {
        name: "h".into(),
        caption: String::new(),
        lines: String::new(),
        columns: String::new(),
        measure: String::new(),
        sources: vec!["a".into()],
        targets: vec!["b".into()],
        cells: Vec::new(),
    };
    assert!(heat_map(&heat, false).unwrap_err().to_string().contains("a cell for each line"));
    let bar = Bar { label: "b".into(), value: Some(-1.0), reach: None };
    let plots = vec![BarPlot { title: "t".into(), bars: vec![bar] }];
    let negative = BarFigure { name: "bars".into(), caption: String::new(), plots };
    assert!(bars(&negative, false).unwrap_err().to_string().contains("negative"));
    let mut series = banded("x", 3.0);
    series.band[3].2 = 1.5;
    let outside = RocFigure { name: "r".into(), caption: String::new(), bands: String::new(), series: vec![series] };
    assert!(roc(&outside, false).unwrap_err().to_string().contains("rates lie in 0..1"));
}

#[test]
fn the_numbers_of_a_heat_map_stand_in_its_cells_and_a_missing_one_says_why() {
    let (_, files) = written(&input());
    let svg = String::from_utf8(files["cross-dataset-AC-last.svg"].clone()).unwrap();
    assert_eq!(svg.matches("\n0.930\n").count(), 3);
    assert!(svg.contains("\nfailed\n"), "{svg}");
}
