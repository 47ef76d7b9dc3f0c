//! Every figure with two, eight and twenty variants of long names: no text leaves the picture, and none stands on
//! another.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use harness_experiment::{Line, Printing};
use harness_method::Selection;
use harness_report::{
    CostFigure, CostPlot, CurveFigure, CurveSeries, MethodPanelFigure, PanelFigure, PanelImage, PanelMaps, PanelRow,
    Pixels, RankFigure, RankPlot, RankedVariant, ReportDataset, ReportInput, RocFigure, Role, write_report,
};
use harness_tables::{CurveRow, DifferenceRow, IntervalRow};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Group, Node, Options, Tree};

use super::{backend, banded, costs, difference, interval, show, transfers};

/// So many variants, with names that are long and alike.
fn names(count: usize) -> Vec<String> {
    let long = |i| match i {
        0 => "base".to_owned(),
        1 => "contrastive".to_owned(),
        i => format!(
            "adapter-residual_alpha-0.{i}-contrastive_loss-with-learned-prompts-{}-mean",
            ["max", "top-k"][i % 2]
        ),
    };
    (0..count).map(long).collect()
}

/// All kinds of figures.
fn study(count: usize) -> ReportInput {
    let names = names(count);
    let mut intervals = Vec::new();
    let mut differences = Vec::new();
    for (at, name) in names.iter().enumerate() {
        for metric in ["image_auroc", "pixel_auroc"] {
            for shots in [4, 16] {
                let row = interval(at % 4, "Brain", shots, metric, "best-on-test");
                intervals.push(IntervalRow { variant: name.clone(), ..row });
            }
            if at > 0 {
                let row = difference(1, metric, 0.004 * at as f64 - 0.03, 0.02, 0.004 * at as f64);
                differences.push(DifferenceRow { variant: name.clone(), ..row });
            }
        }
    }
    let epochs = 0..40u32;
    let curve = |(at, label): (usize, &String)| CurveSeries {
        label: label.clone(),
        rows: epochs
            .clone()
            .flat_map(|epoch| {
                let t = f64::from(epoch) / 10.0;
                [("detection", 5.0 + (-t).exp()), ("dice", 1.8795 + 0.002 * (-t).exp() + 1e-5 * at as f64)]
                    .map(|(loss, value)| CurveRow { epoch, steps: 8, loss: loss.to_owned(), value, secs: 1.0 })
            })
            .collect(),
    };
    let side = 24;
    let truth = |role: Role| {
        (0..side * side).map(|p| u8::from(role != Role::HighestNormal && p % side < 6)).collect::<Vec<u8>>()
    };
    let map: Vec<f32> = (0..side * side).map(|p| p as f32 / 1e4).collect();
    let image = Pixels::Gray((0..side * side).map(|p| (p % 200) as u8).collect());
    let roles = [Role::Best, Role::Median, Role::Worst, Role::HighestNormal];
    let row = |role| PanelRow {
        role,
        title: format!("TCGA_CS_4941_19960909_of_a_name_that_is_long_{role}.png, pixel AP 0.312"),
        side,
        aspect: 1.6,
        image: image.clone(),
        truth: truth(role),
        map: map.clone(),
    };
    let panel_image = |role| PanelImage {
        role,
        file: format!("TCGA_CS_4941_19960909_of_a_long_name_{role}.png"),
        aspect: 0.7,
        image: image.clone(),
        truth: truth(role),
    };
    let maps = |label: &String| PanelMaps { label: label.clone(), maps: vec![(map.clone(), Some(0.25)); 4] };
    let ranked = |(i, label): (usize, &String)| {
        let ranks = vec![1.0 + i as f64, 1.0 + i as f64];
        RankedVariant { label: label.clone(), rank: ranks[0], ranks }
    };
    let rank_plot = |measure: &str| RankPlot {
        measure: measure.to_owned(),
        datasets: vec!["Brain".into(), "Liver".into()],
        variants: names.iter().enumerate().map(ranked).collect(),
        joined: (1..count).map(|i| vec![i - 1, i]).collect(),
        left_out: Vec::new(),
    };
    let cost_plot = |measure: &str| CostPlot { measure: measure.into(), points: costs(&names), remark: String::new() };
    let sets = ["Brain_AD_of_a_long_name", "Liver_AD", "Retina_RESC_AD", "OCT", "Chest"];
    ReportInput {
        variants: names.clone(),
        base: "base".into(),
        results: transfers(&sets[..count.min(5)]),
        intervals,
        differences,
        backends: vec![backend("flex", 21.5, 1194.0), backend("libtorch-of-a-long-name-with-cuda", 24.1, 1602.0)],
        datasets: vec![ReportDataset { name: "Brain".into(), masks: true, published: None }],
        roc: vec![RocFigure {
            name: "roc-Brain-k4".into(),
            caption: "ROC.".into(),
            bands: " Bands.".into(),
            series: names.iter().enumerate().map(|(at, name)| banded(name, 2.0 + at as f64)).collect(),
        }],
        curves: vec![CurveFigure {
            name: "curve-Brain-k4".into(),
            caption: "Losses.".into(),
            series: names.iter().enumerate().map(curve).collect(),
        }],
        panels: vec![PanelFigure {
            name: "panel-Brain-k4".into(),
            caption: "Maps.".into(),
            rows: roles.map(row).to_vec(),
        }],
        method_panels: vec![MethodPanelFigure {
            name: "panel-methods-Brain-k4".into(),
            caption: "Maps.".into(),
            side,
            images: roles.map(panel_image).to_vec(),
            variants: names.iter().map(maps).collect(),
        }],
        ranks: vec![RankFigure {
            name: "ranks-k4-best-on-test".into(),
            caption: "Ranks.".into(),
            selection: Selection::BestOnTest,
            plots: vec![rank_plot("Image AUROC by map-max"), rank_plot("Pixel AUROC")],
        }],
        costs: vec![CostFigure {
            name: "cost-k4-best-on-test".into(),
            caption: "Costs.".into(),
            selection: Selection::BestOnTest,
            plots: vec![cost_plot("Image AUROC"), cost_plot("Pixel AUROC")],
        }],
        ..ReportInput::default()
    }
}

/// Every figure's file.
fn drawn(input: &ReportInput) -> (String, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    write_report(input, folder.path()).unwrap();
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let report = fs::read_to_string(folder.path().join("report.md")).unwrap();
    (report, fs::read_dir(folder.path().join("figures")).unwrap().map(file).collect())
}

/// The words of a document, each with the box of its ink: left, right, top and bottom.
fn words(group: &Group, found: &mut Vec<(String, [f32; 4])>) {
    for node in group.children() {
        match node {
            Node::Group(group) => words(group, found),
            Node::Text(text) => {
                let ink = text.flattened().abs_bounding_box();
                let said = text.chunks().iter().map(|chunk| chunk.text()).collect::<String>();
                found.push((said.trim().to_owned(), [ink.left(), ink.right(), ink.top(), ink.bottom()]));
            }
            _ => {}
        }
    }
}

/// The font of the figures alone, as a machine without it would not show.
fn options() -> Options<'static> {
    let mut fonts = Database::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fonts/DejaVuSans.ttf");
    fonts.load_font_source(Source::Binary(Arc::new(fs::read(file).unwrap())));
    Options { fontdb: Arc::new(fonts), ..Options::default() }
}

#[test]
fn no_text_leaves_a_picture_or_stands_on_another() {
    let options = options();
    for (count, line) in [(2, Line::Page), (8, Line::Column), (20, Line::Page)] {
        let input = ReportInput {
            printing: Printing { figure_width: line, ..Printing::default() },
            smoke: count == 2,
            ..study(count)
        };
        let (report, files) = drawn(&input);
        show(&files.iter().map(|(name, bytes)| (format!("{count}-{name}"), bytes.clone())).collect());
        for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
            let tree = Tree::from_str(&String::from_utf8_lossy(bytes), &options).unwrap();
            let (width, height) = (tree.size().width(), tree.size().height());
            // What a printed page has room for.
            assert!(height < 96.0 / 25.4 * 245.0, "{name} with {count}: {height} pixels tall");
            let mut found = Vec::new();
            words(tree.root(), &mut found);
            assert!(found.len() > 5, "{name}: {found:?}");
            for (at, (said, [left, right, top, bottom])) in found.iter().enumerate() {
                let within = *left >= 0.0 && *right <= width && *top >= 0.0 && *bottom <= height;
                assert!(
                    within,
                    "{name} with {count}: `{said}` leaves {width} x {height}: {left} {right} {top} {bottom}"
                );
                for (other, [l, r, t, b]) in &found[at + 1..] {
                    let apart = right <= l || r <= left || bottom <= t || b <= top;
                    assert!(apart, "{name} with {count}: `{said}` and `{other}`");
                }
            }
        }
        assert!(report.matches("![").count() <= 9, "{report}");
        assert!(count == 2 || report.contains("\nFurther figures:\n"), "{report}");
    }
}

#[test]
fn beyond_six_variants_each_has_a_plot_beside_the_base_with_the_same_axes_and_its_own_colour() {
    let of = |count| drawn(&ReportInput { printing: Printing::default(), ..study(count) }).1;
    let (few, many) = (of(4), of(8));
    let svg = |files: &BTreeMap<String, Vec<u8>>, name: &str| String::from_utf8(files[name].clone()).unwrap();
    // Four have one plot with a legend; no bands, which would hide one another.
    let together = svg(&few, "roc-Brain-k4.svg");
    assert!(!together.contains("<polygon fill-opacity"), "{together}");
    let apart = svg(&many, "roc-Brain-k4.svg");
    assert_eq!(apart.matches("fill-opacity=\"0.16\"").count(), 2 * 7, "the base and one other in each of seven plots");
    // The base's colour is in each plot, and each other's where it was among fewer.
    let blue = "#0072B2";
    assert!(apart.matches(blue).count() >= 7 * 2);
    // One axis for all plots: the same numbers at each left edge.
    let shots = svg(&many, "shots-Brain-best-on-test-pixel-auroc.svg");
    let rows = 4;
    for tick in ["\n0.75\n", "\n0.80\n"] {
        let count = shots.matches(tick).count();
        assert!(count == 0 || count == rows, "{tick} {count}");
    }
    let in_parts = |name: &&String| name.contains("part") && !name.starts_with("panel");
    assert_eq!(many.keys().find(in_parts), None);
}

#[test]
fn figures_that_were_not_asked_for_are_not_drawn_and_labels_stand_for_names() {
    let mut input = study(2);
    input.printing.figures = Some(vec![harness_experiment::FigureKind::Ablation]);
    input.labels = vec![("contrastive".into(), "w/o prompts".into())];
    let (report, files) = drawn(&input);
    let kinds: Vec<&String> = files.keys().collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    let svg = String::from_utf8(files["ablation-Brain-k4-best-on-test.svg"].clone()).unwrap();
    assert!(svg.contains("\nw/o prompts\n") && !svg.contains("contrastive"), "{svg}");
    assert!(report.contains("[PDF](figures/ablation-Brain-k4-best-on-test.pdf)"), "{report}");
}

#[test]
fn a_pdf_has_the_text_of_its_figure_and_a_png_its_size() {
    let (_, files) = drawn(&ReportInput { printing: Printing::default(), ..study(2) });
    let pdf = &files["roc-Brain-k4.pdf"];
    assert!(pdf.starts_with(b"%PDF-1.7"));
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for part in [&b"/ToUnicode"[..], b"/FontFile2", b"/MediaBox [0 0 240.9", b"+DejaVuSans"] {
        assert!(has(pdf, part), "{}", String::from_utf8_lossy(part));
    }
    // Pictures are those of the SVG.
    assert!(has(&files["panel-Brain-k4.pdf"], b"/Predictor 15") && !has(pdf, b"/Predictor"));
    // pHYs: 1640 pixels in 85 mm are 19,294 in a metre.
    let png = &files["roc-Brain-k4.png"];
    let at = png.windows(4).position(|name| name == b"pHYs").unwrap();
    assert_eq!(u32::from_be_bytes(png[at + 4..at + 8].try_into().unwrap()), 19_294);
    assert_eq!(png[at + 12], 1, "metres");
}
