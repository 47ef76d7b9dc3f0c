//! Promises of the report: what people read is right, complete, and the same for the same input.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_report::{
    Axes, Candidate, CurveFigure, CurveSeries, PanelFigure, PanelRow, Pixels, ReportError, ReportInput, RocFigure,
    RocSeries, Role, choose, panel, roc, summary, training_curve, wide, write_report,
};
use harness_tables::{CurveRow, ResultRow, Status};

/// Points of a smooth ROC curve whose area is `power / (1 + power)`.
fn curve(power: f64) -> Vec<(f64, f64)> {
    (0..=200).map(|i| (f64::from(i) / 200.0, (f64::from(i) / 200.0).powf(1.0 / power))).collect()
}

fn roc_figure(series: usize) -> RocFigure {
    let one = |i: usize| {
        let power = 2.0 + 3.0 * i as f64;
        RocSeries {
            label: ["released", "contrastive", "fixed prompts", "single branch", "transformer adapter, tokens", "clip"]
                [i % 6]
                .into(),
            selection: if i == 1 { Selection::BestOnTest } else { Selection::Last },
            points: curve(power),
            band: Vec::new(),
            auroc: power / (1.0 + power),
        }
    };
    RocFigure {
        name: "roc".into(),
        caption: "ROC, LggMri, 4 shots.".into(),
        bands: String::new(),
        series: (0..series).map(one).collect(),
    }
}

fn curve_figure(series: usize, epochs: u32, masks: bool) -> CurveFigure {
    let one = |i: usize| {
        let row = |epoch: u32| {
            let t = f64::from(epoch) / 20.0 * (1.0 + i as f64 / 3.0);
            let detection = 5.5 + 6.0 * (-t).exp() + 0.2 * (t * 9.0).sin();
            let (focal, dice) = (0.31 * (-t).exp() + 0.02, 3.8 * (-t / 2.0).exp());
            let losses = [("detection", detection), ("focal", focal), ("dice", dice)];
            let losses = losses.into_iter().take(if masks { 3 } else { 1 });
            losses.map(move |(loss, value)| CurveRow { epoch, steps: 8, loss: loss.to_owned(), value, secs: 1.0 })
        };
        CurveSeries { label: format!("variant {i}, seed 0"), rows: (0..epochs).flat_map(row).collect() }
    };
    CurveFigure { name: "loss".into(), caption: "Losses.".into(), series: (0..series).map(one).collect() }
}

fn panel_figure(side: usize) -> PanelFigure {
    let row = |(i, role): (usize, Role)| {
        let s = side as f64;
        let at = |p: usize| ((p % side) as f64 / s - 0.5, (p / side) as f64 / s - 0.5);
        let radius = 0.1 + 0.05 * i as f64;
        let lesion = |p: usize| i < 3 && (at(p).0 - 0.1).hypot(at(p).1 + 0.1) < radius;
        let tissue = |p: usize| at(p).0.hypot(at(p).1 * 1.2) < 0.42;
        let pixel = |p: usize| {
            if tissue(p) { 90 + if lesion(p) { 90 } else { 0 } + (at(p).0 * 60.0) as u8 } else { 4 }
        };
        PanelRow {
            role,
            title: format!("TCGA_CS_4941_19960909_{i}.png, pixel AP 0.{}12", 9 - 3 * i),
            side,
            aspect: 1.0,
            image: Pixels::Gray((0..side * side).map(pixel).collect()),
            truth: (0..side * side).map(|p| u8::from(lesion(p))).collect(),
            map: (0..side * side)
                .map(|p| {
                    let distance = (at(p).0 - 0.08 - 0.05 * i as f64).hypot(at(p).1 + 0.1);
                    (1.2 + 2.2 / (1.0 + 0.6 * i as f64) * (-distance * distance * 30.0).exp()) as f32
                })
                .collect(),
        }
    };
    let roles = [Role::Best, Role::Median, Role::Worst, Role::HighestNormal];
    PanelFigure {
        name: "maps-released".into(),
        caption: "Maps.".into(),
        rows: roles.into_iter().enumerate().map(row).collect(),
    }
}

/// The rule of a name.
fn rule(name: &str) -> Selection {
    Selection::ALL.into_iter().find(|rule| rule.name() == name).unwrap()
}

/// The image score of a name, none of an empty one.
fn score(name: &str) -> Option<ImageScore> {
    (!name.is_empty()).then(|| ImageScore::ALL.into_iter().find(|score| score.name() == name).unwrap())
}

fn result(variant: &str, selection: &str, seed: u64, metric: (&str, &str), value: f64) -> ResultRow {
    ResultRow {
        cell: format!("{variant}-{selection}-{seed}"),
        experiment: "example".into(),
        variant: variant.into(),
        dataset: "LggMri".into(),
        trained_on: "LggMri".into(),
        shots: Shots::each(4),
        seed,
        backend: "flex".into(),
        selection: rule(selection),
        image_score: score(metric.1),
        metric: Some(metric.0.parse().unwrap()),
        value: Some(value),
        status: Status::Done,
        device: "cpu".into(),
        precision: "f32".into(),
        ..ResultRow::default()
    }
}

fn undone(variant: &str, seed: u64, status: Status, message: &str) -> ResultRow {
    ResultRow {
        metric: None,
        value: None,
        image_score: None,
        device: String::new(),
        status,
        message: message.into(),
        ..result(variant, "last", seed, ("image_auroc", ""), 0.0)
    }
}

fn results() -> Vec<ResultRow> {
    let mut rows = Vec::new();
    for (seed, d) in [(0, 0.0), (1, 0.009), (2, -0.009)] {
        rows.push(result("released", "last", seed, ("pixel_auroc", ""), 0.97 + d));
        rows.push(result("released", "last", seed, ("image_auroc", "detection"), 0.9 + d));
        rows.push(result("released", "last", seed, ("image_auroc", "map-max"), 0.934 + d));
        rows.push(result("released", "best-on-test", seed, ("image_auroc", "map-max"), 0.95 + d));
    }
    rows.push(result("contrastive", "last", 0, ("image_auroc", "map-max"), 0.8));
    rows.push(undone("contrastive", 1, Status::Failed, "out of memory"));
    rows.push(undone("huge", 0, Status::Failed, "worker ended by signal 9"));
    rows.push(undone("later", 0, Status::NotRun, ""));
    rows
}

fn input() -> ReportInput {
    ReportInput {
        experiment: "example".into(),
        smoke: true,
        provenance: vec![("weights".into(), "ab12".into())],
        variants: Vec::new(),
        results: results(),
        roc: vec![roc_figure(6)],
        curves: vec![curve_figure(3, 60, true)],
        panels: vec![panel_figure(48)],
        ..ReportInput::default()
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

fn written(input: &ReportInput) -> (String, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let table = write_report(input, folder.path()).unwrap();
    (table, files(folder.path()))
}

#[test]
fn figures_that_an_earlier_report_had_go_and_other_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    write_report(&input(), folder.path()).unwrap();
    fs::write(folder.path().join("figures/mine.png"), "kept").unwrap();
    let before = files(folder.path());
    write_report(&ReportInput { roc: Vec::new(), ..input() }, folder.path()).unwrap();
    let after = files(folder.path());
    let roc = |name: &&String| name.starts_with("figures/roc");
    assert_eq!((before.keys().filter(roc).count(), after.keys().filter(roc).count()), (3, 0));
    assert_eq!(before.len(), after.len() + 3);
}

#[test]
fn means_count_what_is_done_and_nothing_else() {
    let rows = summary(&results(), Axes::default()).unwrap();
    let find = |variant: &str, selection: &str, metric: &str, by: &str| {
        let same = |r: &&harness_report::SummaryRow| {
            let found = r.metric.map_or("", Metric::name);
            r.variant == variant && r.selection == rule(selection) && found == metric && r.image_score == score(by)
        };
        rows.iter().find(same).unwrap()
    };
    let row = find("released", "last", "image_auroc", "map-max");
    assert!((row.mean.unwrap() - 0.934).abs() < 1e-12);
    // Sample standard deviation of -d, 0, d is d.
    assert!((row.deviation.unwrap() - 0.009).abs() < 1e-12);
    assert_eq!((row.count, row.failed, row.not_run), (3, 0, 0));
    let row = find("contrastive", "last", "image_auroc", "map-max");
    assert_eq!((row.mean, row.deviation, row.count, row.failed), (Some(0.8), None, 1, 1));
    let row = find("huge", "last", "", "");
    assert_eq!((row.mean, row.count, row.failed, row.message.as_str()), (None, 0, 1, "worker ended by signal 9"));
    assert_eq!(find("later", "last", "", "").not_run, 1);
}

#[test]
fn the_order_of_results_does_not_show() {
    let rows = results();
    let mut other: Vec<ResultRow> = rows.iter().rev().cloned().collect();
    other.rotate_left(5);
    assert_eq!(summary(&rows, Axes::default()).unwrap(), summary(&other, Axes::default()).unwrap());
}

#[test]
fn draws_and_seeds_are_averaged_and_nothing_else_is() {
    let base = result("v", "last", 0, ("image_auroc", "map-max"), 0.5);
    let same = [
        ResultRow { draw: 1.into(), cell: "b".into(), ..base.clone() },
        ResultRow { seed: 1, cell: "c".into(), ..base.clone() },
    ];
    let other = [
        ResultRow { variant: "w".into(), ..base.clone() },
        ResultRow { dataset: "Busi".into(), ..base.clone() },
        ResultRow { trained_on: "Busi".into(), ..base.clone() },
        ResultRow { shots: Shots::each(8), ..base.clone() },
        ResultRow { shots: Shots { normal: 4, abnormal: 0 }, ..base.clone() },
        ResultRow { shots: Shots { normal: 8, abnormal: 0 }, ..base.clone() },
        ResultRow { backend: "libtorch".into(), ..base.clone() },
        ResultRow { selection: Selection::BestOnSupport, ..base.clone() },
        ResultRow { image_score: Some(ImageScore::Detection), ..base.clone() },
        ResultRow { metric: Some(Metric::ImageAp), ..base.clone() },
        ResultRow { precision: "f16".into(), ..base.clone() },
        ResultRow { allow_overlap: true, ..base.clone() },
    ];
    let all: Vec<ResultRow> = [base].into_iter().chain(same).chain(other).collect();
    let rows = summary(&all, Axes::default()).unwrap();
    assert_eq!(rows.len(), 13);
    assert_eq!(rows.iter().filter(|row| row.count == 3).count(), 1);
    assert_eq!(rows.iter().filter(|row| row.count == 1).count(), 12);
}

#[test]
fn a_cell_that_stands_for_several_seeds_counts_once() {
    let one = result("v", "last", 0, ("image_auroc", "map-max"), 0.5);
    let again = ResultRow { seed: 1, ..one.clone() };
    let other = ResultRow { draw: 1.into(), cell: "b".into(), value: Some(0.7), ..one.clone() };
    let rows = summary(&[one, again, other], Axes::default()).unwrap();
    assert_eq!((rows.len(), rows[0].count), (1, 2));
    assert!((rows[0].mean.unwrap() - 0.6).abs() < 1e-12);
}

#[test]
fn the_wide_table_is_as_people_read_it() {
    let table = wide(&summary(&results(), Axes::default()).unwrap()).unwrap().to_markdown().unwrap();
    // No line ends beside a sign.
    assert!(table.contains("0.950\u{a0}±\u{a0}0.009†"), "{table}");
    assert_eq!(
        table.replace('\u{a0}', " "),
        "\
| variant     | dataset |   K | backend | selection    | image score |   n |    image AUROC |   pixel AUROC | not done   |
|-------------|---------|----:|---------|--------------|-------------|----:|---------------:|--------------:|------------|
| contrastive | LggMri  |   4 | flex    | last         | map-max     |   1 |          0.800 |             – | failed (1) |
| huge        | LggMri  |   4 | flex    | last         |             |   0 |         failed |        failed | failed (2) |
| later       | LggMri  |   4 | flex    | last         |             |   0 |        not run |       not run | not run    |
| released    | LggMri  |   4 | flex    | best-on-test | map-max     |   3 | 0.950 ± 0.009† |             – |            |
| released    | LggMri  |   4 | flex    | last         | map-max     |   3 |  0.934 ± 0.009 | 0.970 ± 0.009 |            |
| released    | LggMri  |   4 | flex    | last         | detection   |   3 |  0.900 ± 0.009 | 0.970 ± 0.009 |            |
"
    );
}

#[test]
fn what_has_one_state_stands_once_and_pairs_of_shots_are_told_apart() {
    let of = |variant: &str, rule: &str, shots: Shots, value: f64, no_choice: bool| ResultRow {
        shots,
        no_choice,
        cell: format!("{variant}-{rule}-{shots}"),
        ..result(variant, rule, 0, ("image_auroc", "map-max"), value)
    };
    let normals = Shots { normal: 16, abnormal: 0 };
    let mut rows = vec![
        of("bank", "last", normals, 0.8, true),
        of("bank", "best-on-test", normals, 0.8, true),
        of("bank", "last", Shots::each(4), 0.7, true),
        of("bank", "best-on-test", Shots::each(4), 0.7, true),
        of("trained", "last", Shots::each(4), 0.6, false),
        of("trained", "best-on-test", Shots::each(4), 0.9, false),
    ];
    let table = |rows: &[ResultRow]| wide(&summary(rows, Axes::default()).unwrap()).unwrap().to_markdown().unwrap();
    assert_eq!(
        table(&rows),
        "\
| variant | dataset |    K | backend | selection    | image score |   n | image AUROC |
|---------|---------|-----:|---------|--------------|-------------|----:|------------:|
| bank    | LggMri  |    4 | flex    | no choice    | map-max     |   1 |       0.700 |
| trained | LggMri  |    4 | flex    | best-on-test | map-max     |   1 |      0.900† |
| trained | LggMri  |    4 | flex    | last         | map-max     |   1 |       0.600 |
| bank    | LggMri  | 16+0 | flex    | no choice    | map-max     |   1 |       0.800 |
"
    );
    let (summary_table, _) = written(&ReportInput { results: rows.clone(), ..ReportInput::default() });
    assert!(summary_table.contains("no choice: there is one state"), "{summary_table}");
    assert!(summary_table.contains("normal support images + abnormal ones"), "{summary_table}");
    // What failed under another rule is not hidden, and with `last` alone there is nothing to tell.
    rows[1] = ResultRow { status: Status::Failed, metric: None, value: None, image_score: None, ..rows[1].clone() };
    assert!(table(&rows).contains("failed"), "{}", table(&rows));
    rows.retain(|row| row.selection == Selection::Last);
    assert!(!table(&rows).contains("no choice"), "{}", table(&rows));
}

#[test]
fn a_report_holds_tables_figures_and_reasons() {
    let (table, files) = written(&input());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "figures/loss.pdf",
            "figures/loss.png",
            "figures/loss.svg",
            "figures/maps-released.pdf",
            "figures/maps-released.png",
            "figures/maps-released.svg",
            "figures/roc.pdf",
            "figures/roc.png",
            "figures/roc.svg",
            "report.md",
            "tables/few-shot.caption.tex",
            "tables/few-shot.csv",
            "tables/few-shot.md",
            "tables/few-shot.parquet",
            "tables/few-shot.tex",
            "tables/summary.caption.tex",
            "tables/summary.csv",
            "tables/summary.md",
            "tables/summary.parquet",
            "tables/summary.tex",
        ]
    );
    assert_eq!(files["tables/summary.md"], table.as_bytes());
    assert!(table.ends_with(&format!("\n{}\n", harness_report::BEST_ON_TEST_NOTE)));
    let report = String::from_utf8(files["report.md"].clone()).unwrap();
    assert!(report.starts_with("# Report: example\n\n> **Smoke test: not a result.**"), "{report}");
    for part in [
        "\n- weights: ab12\n",
        "](figures/roc.png)",
        "[SVG](figures/loss.svg)",
        "## Failed cells",
        "| worker ended by signal 9 |",
        "## Cells not run",
        table.as_str(),
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let dagger = "\\dag{} best-on-test: the epoch was chosen on the test set itself; optimistic by construction.";
    assert!(text("tables/summary.caption.tex").ends_with(&format!("{dagger}}}%\n")), "{files:?}");
    for name in ["tables/summary.tex", "tables/summary.caption.tex", "tables/summary.md", "tables/few-shot.tex"] {
        assert!(text(name).contains("Smoke test: not a result"), "{name}");
    }
    let csv = String::from_utf8(files["tables/summary.csv"].clone()).unwrap();
    assert!(csv.starts_with(
        "variant,dataset,trained_on,shots,backend,device,precision,allow_overlap,selection,image_score,metric,mean,\
         deviation,count,failed,not_run,message,no_choice,no_support,normal_shots,abnormal_shots,smoke\n"
    ));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(written(&input()), written(&input()));
}

#[test]
fn figures_are_svg_and_png_of_one_drawing() {
    for figure in [
        roc(&roc_figure(3), false).unwrap(),
        training_curve(&curve_figure(2, 20, true), false).unwrap(),
        panel(&panel_figure(24), true).unwrap(),
    ] {
        let png = image::load_from_memory(&figure.png).unwrap().to_rgb8();
        assert_eq!(png.width(), 1640);
        assert!(png.pixels().any(|p| p.0 != [255; 3]));
        assert!(figure.svg.starts_with("<svg width=\"85mm\""), "{}", &figure.svg[..100]);
        assert!(figure.svg.contains(&format!("viewBox=\"0 0 1640 {}\"", png.height())));
        assert!(figure.svg.contains("font-family=\"DejaVu Sans, Verdana, sans-serif\""));
        assert!(figure.svg.trim_end().ends_with("</svg>"));
    }
}

#[test]
fn a_smoke_test_says_so_in_every_figure() {
    let words = "Smoke test: not a result";
    assert!(roc(&roc_figure(1), true).unwrap().svg.contains(words));
    assert!(!roc(&roc_figure(1), false).unwrap().svg.contains(words));
}

#[test]
fn a_curve_chosen_on_the_test_set_says_so() {
    assert_eq!(roc(&roc_figure(3), false).unwrap().svg.matches("(best-on-test)").count(), 1);
}

#[test]
fn empty_and_failed_only_inputs_make_a_report() {
    let empty = ReportInput::default();
    let (table, files) = written(&empty);
    assert_eq!(table, "No cells.\n");
    assert!(files.contains_key("tables/summary.parquet"));
    let failed = ReportInput {
        results: vec![undone("a", 0, Status::Failed, ""), undone("a", 1, Status::Failed, "x\n| y")],
        roc: vec![RocFigure { series: vec![], ..roc_figure(0) }],
        curves: vec![curve_figure(0, 0, false), curve_figure(1, 0, true), curve_figure(1, 1, false)],
        panels: vec![PanelFigure { rows: vec![], ..panel_figure(1) }],
        ..ReportInput::default()
    };
    let (table, files) = written(&failed);
    assert!(table.contains("2 failed (1)") && table.contains("(1) x | y."), "{table}");
    let report = String::from_utf8(files["report.md"].clone()).unwrap();
    assert!(report.contains("no reason recorded"), "{report}");
    assert!(files.contains_key("figures/loss-3.svg"));
}

#[test]
fn figures_with_many_series_have_a_plot_for_each_or_show_their_mean() {
    let many = RocFigure { name: "roc/all variants".into(), ..roc_figure(8) };
    assert!(matches!(roc(&roc_figure(7), false), Err(ReportError::Figure { .. })));
    let report = |input: &ReportInput| String::from_utf8(written(input).1["report.md"].clone()).unwrap();
    // Variants are told apart, trainings of one are alike.
    let variants = many.series.iter().map(|series| series.label.clone()).collect();
    let input = ReportInput { roc: vec![many.clone()], variants, ..ReportInput::default() };
    assert!(report(&input).contains("A plot for each variant beside released; all have the same axes."));
    assert!(written(&input).1.contains_key("figures/roc-all-variants.svg"));
    let input = ReportInput { roc: vec![many], ..ReportInput::default() };
    assert!(report(&input).contains("Thin lines: 8 trainings; thick: their mean."), "{}", report(&input));
}

#[test]
fn wrong_figure_data_name_figure_and_row() {
    let mut figure = panel_figure(16);
    figure.rows[1].map.pop();
    let error = panel(&figure, false).unwrap_err().to_string();
    assert!(error.starts_with("figure `maps-released`: `median: TCGA") && error.contains("not 16 x 16"), "{error}");
    let mut figure = panel_figure(16);
    figure.rows[0].map[3] = f32::NAN;
    assert!(panel(&figure, false).unwrap_err().to_string().contains("not finite"));
    let mut figure = roc_figure(1);
    figure.series[0].points[0].0 = f64::NAN;
    assert!(roc(&figure, false).unwrap_err().to_string().contains("rates lie in 0..1"));
}

#[test]
fn losses_that_are_not_finite_or_constant_can_be_drawn() {
    let mut figure = curve_figure(1, 20, true);
    let mut detection: Vec<_> = figure.series[0].rows.iter_mut().filter(|row| row.loss == "detection").collect();
    detection[7].value = f64::NAN;
    detection[9].value = f64::INFINITY;
    figure.series[0].rows.iter_mut().filter(|row| row.loss == "dice").for_each(|row| row.value = 0.0);
    training_curve(&figure, false).unwrap();
}

#[test]
fn all_maps_of_a_panel_share_one_scale() {
    let mut figure = panel_figure(8);
    figure.rows.truncate(2);
    figure.rows[0].map = vec![0.0; 64];
    figure.rows[1].map = vec![0.5; 64];
    figure.rows[1].map[0] = 1.0;
    let png = image::load_from_memory(&panel(&figure, false).unwrap().png).unwrap().to_rgb8();
    let has = |value: f64| png.pixels().filter(|p| p.0 == harness_report::heat(value)).count();
    // The lowest map is all at the scale's foot, the other in its middle, one pixel at its top.
    assert!(has(0.0) > 480 * 400 && has(0.5) > 480 * 400 && has(1.0) > 50 * 50);
}

#[test]
fn the_chosen_images_are_best_median_worst_and_the_most_suspicious_normal() {
    let candidate = |image: &str, label, quality, score| Candidate { image: image.into(), label, quality, score };
    let candidates = [
        candidate("n1", false, 0.0, 0.4),
        candidate("a1", true, 0.2, 0.9),
        candidate("a2", true, 0.9, 0.9),
        candidate("n2", false, 0.0, 0.6),
        candidate("a3", true, 0.5, 0.9),
        candidate("a0", true, 0.9, 0.9),
        candidate("a4", true, 0.4, 0.9),
    ];
    assert_eq!(choose(&candidates), [(Role::Best, 5), (Role::Median, 4), (Role::Worst, 1), (Role::HighestNormal, 3)]);
    assert_eq!(choose(&candidates[..2]), [(Role::Best, 1), (Role::HighestNormal, 0)]);
    assert_eq!(choose(&[]), []);
}

#[test]
fn a_long_label_keeps_its_area_and_its_rule() {
    let mut figure = roc_figure(2);
    figure.series[1].label = "transformer adapter, tokens, ".repeat(9);
    let svg = roc(&figure, false).unwrap().svg;
    assert!(svg.contains("AUROC 0.833 (best-on-test)") && svg.contains('…'));
}
