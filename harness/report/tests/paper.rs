//! Promises of the tables that go into a paper: what they say line by line, what they leave out, and that TeX reads
//! them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "paper/answer.rs"]
mod answer;
#[path = "paper/inputs.rs"]
mod inputs;
#[path = "paper/printed.rs"]
mod printed;

use std::collections::BTreeMap;

use harness_method::{ImageScore, Shots};
use harness_metrics::Metric;
use harness_report::{ReportInput, published, write_report};
use harness_tables::{DifferenceRow, MethodRow, ResultRow, Status};

use inputs::*;

#[test]
fn the_few_shot_table_has_a_line_a_k_and_says_why_a_number_is_missing() {
    let files = tables(&few_shot());
    assert_eq!(
        table(&files["few-shot.md"]),
        [
            "| method |   K |      n |      Brain AC |      Brain AS |      Liver AC |      Liver AS |  HIS AC |            mean AC |       mean AS |",
            "|--------|----:|-------:|--------------:|--------------:|--------------:|--------------:|--------:|-------------------:|--------------:|",
            "| base   |   4 | 1 to 2 | 0.920 ± 0.014 | 0.970 ± 0.014 | 0.800 ± 0.014 | 0.990 ± 0.014 |   0.820 |              0.847 |         0.980 |",
            "| base   |  16 |      2 | 0.950 ± 0.014 | 0.980 ± 0.014 |    failed (1) |    failed (1) | not run | Liver, HIS missing | Liver missing |",
        ]
    );
    assert!(files["few-shot.md"].contains("\n(1) out_of_memory: 12 GiB asked for.\n"), "{}", files["few-shot.md"]);
    // What is too wide for a line goes on in a further table beside the columns that tell rows apart.
    let tex = &files["few-shot.tex"];
    assert_eq!(
        tabular(tex),
        [
            "\\begin{tabular}{@{}lrrrrrr@{}}",
            "\\toprule",
            " &  &  & \\multicolumn{2}{c}{Brain} & \\multicolumn{2}{c}{Liver} \\tabularnewline",
            "\\cmidrule(lr){4-5}\\cmidrule(lr){6-7}",
            "method & K & n & AC & AS & AC & AS \\tabularnewline",
            "\\midrule",
            "base & 4 & 1 to 2 & 0.920~$\\pm$~0.014 & 0.970~$\\pm$~0.014 & 0.800~$\\pm$~0.014 & 0.990~$\\pm$~0.014 \\tabularnewline",
            "\\midrule",
            "base & 16 & 2\\hphantom{ to 2} & 0.950~$\\pm$~0.014 & 0.980~$\\pm$~0.014 & \\multicolumn{1}{c}{failed (1)} & \\multicolumn{1}{c}{failed (1)} \\tabularnewline",
            "\\bottomrule",
            "\\end{tabular}",
        ]
    );
    assert!(tex.contains("\n\\par\\medskip\n\\begin{tabular}{@{}rrrrr@{}}\n"), "{tex}");
    assert!(tex.contains("\nK & n & AC & AC & AS \\tabularnewline\n"), "{tex}");
    let csv: Vec<&str> = files["few-shot.csv"].lines().collect();
    assert_eq!(
        csv[0],
        "run,selection,method,backend,precision,dataset,measure,image_score,mark,shots,mean,deviation,count,failed,not_run,message,no_choice,no_support,normal_shots,abnormal_shots"
    );
    assert!(csv[1].starts_with("here,last,base,flex,f32,Brain,AC,map-max,\"\",4,0.92,0.0141"), "{}", csv[1]);
    assert_eq!(csv.len(), 1 + 2 * 5);
}

#[test]
fn the_ablation_table_marks_the_best_and_what_is_not_significantly_worse() {
    let files = tables(&ablation());
    let lines = table(&files["ablation.md"]).into_iter().map(cells).collect::<Vec<_>>();
    let headings =
        ["AC", "AC by detection", "AS"].map(|of| ["value", "difference", "*p*"].map(|what| format!("{of} {what}")));
    assert_eq!(lines[0], [&["variant".to_owned()][..], &headings.concat()].concat());
    // The score of the detection heads, which is that of chance, stands between.
    let lines: Vec<Vec<&str>> = lines.into_iter().map(|line| [&line[..4], &line[7..]].concat()).collect();
    assert_eq!(
        lines[2..],
        [
            ["base", "**0.920 ± 0.014**", "base", "–", "**0.970 ± 0.014**", "base", "–"],
            [
                "fixed_prompts",
                "0.900 ± 0.014 ≈",
                "−0.020 [−0.050, +0.010]",
                "0.210",
                "**0.970 ± 0.014**",
                "0.000 [−0.010, +0.010]",
                "1.000"
            ],
            [
                "single & alone",
                "0.800 ± 0.014",
                "−0.120 [−0.150, −0.090]",
                "< 0.001",
                "0.900 ± 0.014",
                "−0.070 [−0.080, −0.060]",
                "0.020"
            ],
            ["free", "failed (1)", "–", "–", "failed (1)", "–", "–"],
        ]
    );
    let tex = tabular(&files["ablation.tex"]);
    assert_eq!(tex[2], " & \\multicolumn{3}{c}{AC} \\tabularnewline");
    assert!(tex[4].ends_with("value & difference & \\textit{p} \\tabularnewline"), "{}", tex[4]);
    assert!(tex[6].starts_with("base & \\harnessbest{0.920}~$\\pm$~0.014\\makebox"), "{}", tex[6]);
    assert!(tex[7].starts_with("fixed\\_prompts & 0.900~$\\pm$~0.014\\makebox"), "{}", tex[7]);
    assert!(tex[7].contains("[l]{\\,$\\approx$} & $-$0.020~[$-$0.050,~+0.010] &"), "{}", tex[7]);
    assert!(tex[8].starts_with("single \\& alone & "), "{}", tex[8]);
    assert!(files["report.md"].contains("\n## Statistics\n\n- Intervals are 95 % intervals"));
}

#[test]
fn a_mean_that_leaves_out_datasets_says_which_it_is_of() {
    let mut input = ablation();
    let mean = DifferenceRow {
        dataset: String::new(),
        trained_on: String::new(),
        ..difference("fixed_prompts", "image_auroc", "map-max", -0.01, 0.02, 0.3)
    };
    input.differences.push(mean);
    let last = |input: &ReportInput| {
        let files = tables(input);
        table(&files["ablation.md"]).last().map(|line| cells(line)[0].to_owned()).unwrap()
    };
    assert_eq!(last(&input), "mean of datasets");
    input.results.extend(done(BASE, "HIS", 4, 0, "last", &[("image_auroc", "detection", 0.82)]));
    input.datasets.push(dataset("HIS", false, None));
    assert_eq!(last(&input), "mean of datasets with masks");
}

/// [`ablation`] with a variant as the best by image AUROC: by 0.94 beside 0.92 and 0.80.
fn variant_is_best() -> ReportInput {
    let mut input = ablation();
    let better = input.results.iter_mut().filter(|row| row.variant == "fixed_prompts");
    better
        .filter(|row| row.image_score == Some(ImageScore::MapMax))
        .for_each(|row| row.value = row.value.map(|v| v + 0.04));
    input
}

/// Rows of a difference from `fixed_prompts` in image AUROC.
fn from_best(variant: &str, value: f64, p: f64) -> DifferenceRow {
    DifferenceRow { base: "fixed_prompts".into(), ..difference(variant, "image_auroc", "map-max", value, 0.01, p) }
}

/// The cells of a column of a table.
fn column(files: &BTreeMap<String, String>, name: &str, column: &str) -> Vec<String> {
    let lines: Vec<Vec<&str>> = table(&files[name]).into_iter().map(cells).collect();
    let at = lines[0].iter().position(|found| *found == column).unwrap();
    lines[2..].iter().map(|line| line[at].to_owned()).collect()
}

#[test]
fn where_a_variant_is_the_best_the_others_are_marked_by_what_they_differ_by_from_it() {
    let mut input = variant_is_best();
    input.differences.push(from_best(BASE, -0.02, 0.21));
    input.differences.push(from_best("single & alone", -0.14, 0.0004));
    let files = tables(&input);
    let expected = ["0.920 ± 0.014 ≈", "**0.940 ± 0.014**", "0.800 ± 0.014", "failed (1)"];
    assert_eq!(column(&files, "ablation.md", "AC value"), expected);
    // Differences shown are those from the base.
    assert_eq!(column(&files, "ablation.md", "AC difference")[1], "−0.020 [−0.050, +0.010]");
    assert_eq!(column(&files, "ablation.md", "AC difference")[0], "base");
    assert_eq!(column(&files, "few-shot.md", "Brain AC"), expected);
    assert!(files["few-shot.tex"].contains("\\harnessbest{0.940}~$\\pm$~0.014"), "{}", files["few-shot.tex"]);
    let mark = |name: &str, variant: &str| {
        let line = files[name].lines().find(|line| line.contains(&format!(",{variant},")) && line.contains(",AC,"));
        line.unwrap().split(',').find(|cell| ["best", "not significantly worse"].contains(cell)).map(str::to_owned)
    };
    for name in ["ablation.csv", "few-shot.csv"] {
        assert_eq!(mark(name, "base").as_deref(), Some("not significantly worse"), "{name}");
        assert_eq!(mark(name, "fixed_prompts").as_deref(), Some("best"), "{name}");
        assert_eq!(mark(name, "single & alone"), None, "{name}");
    }
    for name in ["ablation.md", "few-shot.md"] {
        assert!(files[name].contains("Holm over all that are compared with the same best"), "{name}");
        assert!(files[name].contains("(winner's curse)"), "{name}");
    }
}

#[test]
fn methods_are_compared_by_each_image_score_that_both_have_with_p_before_and_after_adjusting() {
    let mut input = ablation();
    input.variant_methods = ["madclip", "linear-probe", "memory-bank", "madclip"].map(str::to_owned).to_vec();
    let files = tables(&input);
    let lines = table(&files["ablation.md"]).into_iter().map(cells).collect::<Vec<_>>();
    let of = |heading: &str| ["value", "difference", "*p*", "Holm"].map(|name| format!("{heading} {name}"));
    let headings = ["AC by map-max", "AC by detection", "AS"].map(of).concat();
    assert_eq!(lines[0], [&["variant".to_owned(), "method".to_owned()][..], &headings].concat());
    assert_eq!(
        lines[3][..6],
        ["fixed_prompts", "linear-probe", "0.900 ± 0.014 ≈", "−0.020 [−0.050, +0.010]", "0.070", "0.210"]
    );
    assert_eq!(lines[3][6..10], ["**0.500 ± 0.000**", "0.000 [−0.010, +0.010]", "0.333", "1.000"]);
    assert!(files["report.md"].contains("its difference from `base` (madclip) on the same test images"));
    // The same rows for programs, with their method.
    let line = files["ablation.csv"].lines().find(|line| line.contains("detection,single & alone,AC")).unwrap();
    assert!(line.contains(",memory-bank,") && line.starts_with("Brain,Brain,flex,last,"), "{line}");
}

/// A row of the table of methods.
fn method(variant: &str, method: &str, numbers: [Option<f64>; 3]) -> MethodRow {
    let [image_auroc, pixel_auroc, pro] = numbers;
    MethodRow {
        variant: variant.into(),
        method: method.into(),
        sees: "both".into(),
        states: if method == "madclip" { 20 } else { 1 },
        shots: Shots::each(4),
        image_auroc,
        pixel_auroc,
        pro,
        datasets: 1,
        trainings: 2,
        fit_secs: Some(3.25),
        score_rate: Some(100.0),
        backend: "flex".into(),
        image_score: score("map-max"),
        ..MethodRow::default()
    }
}

#[test]
fn the_table_of_methods_marks_the_best_at_each_k_among_equals() {
    let mut input = ablation();
    input.of_methods = vec![
        method(BASE, "madclip", [Some(0.92), Some(0.97), Some(0.8)]),
        MethodRow { transductive: true, ..method("fixed_prompts", "mvfa", [Some(0.90), Some(0.97), Some(0.7)]) },
        method("single & alone", "linear-probe", [Some(0.80), Some(0.90), None]),
        // By another score, and over fewer datasets.
        MethodRow { image_score: score("detection"), ..method("free", "text-prototypes", [Some(0.91), None, None]) },
        MethodRow { datasets: 0, ..method("other", "memory-bank", [Some(0.99), Some(0.99), Some(0.99)]) },
        // Alone at its K.
        MethodRow {
            shots: Shots { normal: 16, abnormal: 0 },
            ..method("other", "memory-bank", [Some(0.5), None, None])
        },
    ];
    input.differences.push(difference("free", "image_auroc", "detection", 0.0, 0.1, 1.0));
    input.differences.push(difference("fixed_prompts", "pro_0_3", "", -0.1, 0.1, 0.05));
    let files = tables(&input);
    assert_eq!(column(&files, "methods.md", "AC"), ["**0.920**", "0.900 ≈", "0.800", "0.910", "0.990", "0.500"]);
    assert_eq!(column(&files, "methods.md", "AS"), ["**0.970**", "**0.970**", "0.900", "–", "0.990", "–"]);
    assert_eq!(column(&files, "methods.md", "PRO"), ["**0.800**", "0.700 ≈", "–", "–", "0.990", "–"]);
    assert_eq!(column(&files, "methods.md", "method")[1], "mvfa ‡");
    assert_eq!(column(&files, "methods.md", "K"), ["4", "4", "4", "4", "4", "16+0"]);
    assert_eq!(column(&files, "methods.md", "image score")[3], "detection");
    assert!(files["methods.csv"].contains("map-max,not significantly worse,best,not significantly worse,4,4\n"));
    assert!(files["methods.tex"].contains("\\harnessbest{0.920}"));
    // What was chosen on the test set says so, and what has one state was not chosen.
    input.of_methods.iter_mut().for_each(|row| row.selection = rule("best-on-test"));
    let files = tables(&input);
    assert_eq!(column(&files, "methods.md", "AC")[..3], ["**0.920†**", "0.900", "0.800"]);
    assert_eq!(column(&files, "methods.md", "selection")[..2], ["best-on-test", "no choice"]);
    assert!(files["methods.md"].contains("† best-on-test"));
}

#[test]
fn a_variant_that_was_not_compared_with_the_best_carries_no_mark() {
    // The comparison of the best with the base is of another family than those with the best.
    let files = tables(&variant_is_best());
    let expected = ["0.920 ± 0.014", "**0.940 ± 0.014**", "0.800 ± 0.014", "failed (1)"];
    assert_eq!(column(&files, "ablation.md", "AC value"), expected);
    assert_eq!(column(&files, "few-shot.md", "Brain AC"), expected);
}

#[test]
fn the_few_shot_table_marks_what_differs_in_the_variant_alone() {
    // The base is best at K 4, by pixel AUROC together with another.
    let mut input = ablation();
    input.results.extend(masked(BASE, "Brain", 16, 0.99, 0.99));
    let files = tables(&input);
    let single = "0.990 ± 0.014";
    let failed = "failed (1)";
    assert_eq!(column(&files, "few-shot.md", "K"), ["4", "4", "4", "4", "16"]);
    assert_eq!(
        column(&files, "few-shot.md", "Brain AC"),
        ["**0.920 ± 0.014**", "0.900 ± 0.014 ≈", "0.800 ± 0.014", failed, single]
    );
    assert_eq!(
        column(&files, "few-shot.md", "Brain AS"),
        ["**0.970 ± 0.014**", "**0.970 ± 0.014**", "0.900 ± 0.014", failed, single]
    );
    // One variant alone has nothing beside it.
    assert!(!tables(&few_shot())["few-shot.md"].contains("Bold"));
}

#[test]
fn a_mean_in_the_few_shot_table_is_marked_where_all_datasets_have_one_image_score() {
    let mut input = ablation();
    let numbers = [(BASE, 0.90), ("fixed_prompts", 0.91), ("single & alone", 0.80)];
    input.results.extend(numbers.into_iter().flat_map(|(variant, ac)| masked(variant, "Liver", 4, ac, 0.95)));
    input.datasets.push(dataset("Liver", true, None));
    let mean = DifferenceRow {
        dataset: String::new(),
        trained_on: String::new(),
        ..difference("fixed_prompts", "image_auroc", "map-max", -0.005, 0.02, 0.6)
    };
    input.differences.push(mean);
    let means = |input: &ReportInput| column(&tables(input), "few-shot.md", "mean AC")[..3].to_vec();
    assert_eq!(means(&input), ["**0.910**", "0.905 ≈", "0.800"]);
    // With a dataset by the detection heads the mean is of other numbers than its differences are.
    let numbers = numbers.map(|(variant, _)| done(variant, "HIS", 4, 0, "last", &[("image_auroc", "detection", 0.91)]));
    input.results.extend(numbers.into_iter().flatten());
    input.datasets.push(dataset("HIS", false, None));
    assert_eq!(means(&input), ["**0.910**", "0.907", "0.837"]);
}

#[test]
fn the_cross_dataset_matrix_says_what_a_source_without_masks_can_give() {
    let files = tables(&cross());
    let lines = table(&files["cross-dataset.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[0], ["measure", "trained on", "Brain", "HIS"]);
    assert_eq!(
        lines[2..],
        [
            ["AC", "Brain", "0.950", "0.610"],
            ["AC", "HIS", "0.550‡", "failed (1)"],
            ["AS", "Brain", "0.970", "no masks"],
            ["AS", "HIS", "source has no masks", "no masks"],
        ]
    );
    let tex = &files["cross-dataset.tex"];
    assert!(tex.contains("[l]{\\ddag{}} & \\multicolumn{1}{c}{failed (1)} \\tabularnewline\n\\midrule\n"), "{tex}");
    assert!(files["cross-dataset.md"].contains("‡ by the detection heads: the source has no masks"));
}

#[test]
fn the_backend_table_has_units_and_its_reference_first() {
    let files = tables(&backends());
    let lines = table(&files["backends.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[0], ["measure", "flex", "libtorch"]);
    let find = |name: &str| lines.iter().find(|line| line[0] == name).unwrap()[1..].to_vec();
    assert_eq!(find("encode (images/s)"), ["21.50", "24.00"]);
    assert_eq!(find("train step, 95th percentile (ms)"), ["131.0", "131.0"]);
    assert_eq!(find("encode, share of matrix-product rate (%)"), ["87.0", "87.0"]);
    assert_eq!(find("peak device memory (MiB)"), ["not measured", "3072"]);
    assert_eq!(find("largest map difference"), ["reference", "2.1e−5"]);
    assert_eq!(lines.len(), 2 + 16);
}

#[test]
fn a_verdict_needs_the_same_method_k_rule_and_image_score() {
    let files = tables(&published_input());
    let lines = table(&files["published.md"]).into_iter().map(cells).collect::<Vec<_>>();
    let header = &lines[0];
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let verdict = column("verdict");
    let judged: Vec<Vec<&str>> = lines[2..]
        .iter()
        .filter(|line| line[verdict] != "not run here")
        .map(|line| {
            ["dataset", "measure", "method", "theirs", "ours", "difference", "verdict"]
                .map(|n| line[column(n)])
                .to_vec()
        })
        .collect();
    assert_eq!(
        judged,
        [
            ["Brain", "AC", "MadCLIP (run by SGGP)", "0.926†", "0.920†", "−0.006†", "within 6 points"],
            ["Brain", "AS", "MadCLIP (run by SGGP)", "0.973†", "0.900†", "−0.073†", "outside 6 points"],
            ["HIS", "AC", "MadCLIP (run by SGGP)", "0.824†", "0.830†", "+0.006†", "within 6 points"],
        ]
    );
    let at_other_k = lines.iter().find(|line| line[column("method")] == "MVFA" && line[column("K")] == "16").unwrap();
    assert_eq!([at_other_k[column("ours")], at_other_k[verdict]], ["–", "not run here"]);
    assert!(!files["published.tex"].contains("zero-shot &"), "the LaTeX table keeps to K of the experiment");
    let few_shot = &files["few-shot.md"];
    assert!(few_shot.contains("| not run here: third-party, best-on-test"), "{few_shot}");
    // The numbers of a smoke test stand beside nothing.
    assert!(!tables(&ReportInput { smoke: true, ..published_input() }).contains_key("published.md"));
    // A variant that is not the published method gets no verdict.
    let other = tables(&ReportInput { methods: Vec::new(), ..published_input() });
    assert!(!other["published.csv"].contains("within") && !other["published.csv"].contains("outside"));
}

#[test]
fn the_mean_over_datasets_is_judged_where_all_of_theirs_were_run() {
    let masked = [("OCT", false, "OCT17", 0.9963), ("HIS", false, "HIS", 0.8243), ("Chest", false, "ChestXray", 0.827)];
    let more =
        [("Brain", true, "BrainMRI", 0.9264), ("Liver", true, "LiverCT", 0.8342), ("RESC", true, "RESC", 0.9428)];
    let mut input = ReportInput {
        variants: vec![BASE.into()],
        methods: vec![(BASE.into(), "MadCLIP".into())],
        ..ReportInput::default()
    };
    for (name, masks, known, value) in masked.into_iter().chain(more) {
        let score = if masks { "map-max" } else { "detection" };
        input.results.extend(done(BASE, name, 4, 0, "best-on-test", &[("image_auroc", score, value + 0.02)]));
        input.datasets.push(dataset(name, masks, Some(known)));
    }
    let csv = tables(&input)["published.csv"].clone();
    let mean = csv.lines().find(|line| line.starts_with("mean of 6,")).unwrap();
    assert!(mean.contains("outside 1 point"), "{mean}");
    input.results.pop();
    assert!(!tables(&input)["published.csv"].contains("\nmean of"));
}

#[test]
fn published_numbers_have_protocol_selection_and_source_and_keep_both_of_two_transcriptions() {
    let rows = published().unwrap();
    assert_eq!(rows.len(), 426);
    let protocols = ["few-shot", "zero-shot", "full normal training", "third-party", "few-shot, normal images alone"];
    for row in &rows {
        assert!(protocols.contains(&row.protocol.as_str()), "{row:?}");
        assert!((0.0..=100.0).contains(&row.percent) && row.percent > 1.0, "{row:?}");
        assert!([Metric::ImageAuroc, Metric::PixelAuroc].contains(&row.metric), "{row:?}");
        assert!(!row.source.is_empty(), "{row:?}");
        assert_eq!(row.shots.is_none(), row.protocol == "full normal training", "{row:?}");
        assert_eq!(row.shots == Some(0), row.protocol == "zero-shot", "{row:?}");
    }
    let twice: Vec<f64> = rows
        .iter()
        .filter(|r| r.method == "DRA" && r.dataset == "RESC" && r.shots == Some(16) && r.metric == Metric::PixelAuroc)
        .map(|row| row.percent)
        .collect();
    assert_eq!(twice, [84.01, 80.01]);
}

#[test]
fn what_choosing_on_the_test_set_adds_carries_its_mark() {
    let files = tables(&optimism());
    let lines = table(&files["optimism.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[0], ["dataset", "metric", "added", "interval", "*p*", "pairs"]);
    assert_eq!(lines[2], ["Brain", "image AUROC", "+0.020†", "[+0.005, +0.035]", "0.040", "2"]);
    assert_eq!(lines[3][0], "mean of datasets");
    assert!(files["optimism.md"].contains(harness_report::BEST_ON_TEST_NOTE));
    assert!(files["optimism.csv"].starts_with("variant,base,dataset,") && files.contains_key("optimism.parquet"));
    assert!(files["delong.csv"].starts_with("variant,base,dataset,") && files.contains_key("delong.parquet"));
    let lines = table(&files["delong.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[2].last(), Some(&"no variance"));
    assert!(files["delong.md"].contains("0.910†"));
}

#[test]
fn what_has_no_choice_adds_nothing_and_carries_no_mark() {
    let mut input = optimism();
    let single = |row: &DifferenceRow| DifferenceRow {
        variant: "bank".into(),
        difference: 0.0,
        low: 0.0,
        high: 0.0,
        p: 1.0,
        p_holm: 1.0,
        ..row.clone()
    };
    input.optimism.push(single(&input.optimism[0]));
    input.delong[0].variant = "bank".into();
    let best = |variant: &str, value: f64, no_choice: bool| {
        let rows = done(variant, "Brain", 4, 0, "best-on-test", &[("image_auroc", "map-max", value)]);
        rows.into_iter().map(move |row| ResultRow { no_choice, ..row })
    };
    input.results = best(BASE, 0.9, false).chain(best("bank", 0.8, true)).collect();
    input.variants = [BASE, "bank"].map(str::to_owned).to_vec();
    let files = tables(&input);
    let lines = table(&files["optimism.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[3], ["Brain", "bank", "image AUROC", "0", "no choice", "–", "2"]);
    assert!(files["optimism.md"].contains("no choice: there is one state, so every rule reports the same number."));
    let lines = table(&files["few-shot.md"]).into_iter().map(cells).collect::<Vec<_>>();
    assert_eq!(lines[2][..4], ["best-on-test", BASE, "4", "1"]);
    assert_eq!(lines[3][..5], ["no choice", "bank", "4", "1", "0.800"]);
    assert_eq!(lines[2][4], "**0.900†**");
    assert!(
        files["delong.md"].contains("| 0.910 |") && files["delong.md"].contains("0.930†"),
        "{}",
        files["delong.md"]
    );
}

#[test]
fn pairs_of_shots_have_lines_of_their_own_and_no_published_number() {
    let mut input = published_input();
    let pair = Shots { normal: 4, abnormal: 0 };
    let others: Vec<ResultRow> = input
        .results
        .iter()
        .map(|row| ResultRow { shots: pair, cell: format!("{}+", row.cell), ..row.clone() })
        .collect();
    let with_k = tables(&input);
    input.results.extend(others.clone());
    let files = tables(&input);
    assert_eq!(files["published.md"], with_k["published.md"]);
    let ks: Vec<&str> = table(&files["few-shot.md"]).into_iter().filter(|line| line.contains("base")).collect();
    assert!(ks.iter().any(|line| cells(line).contains(&"4+0")) && ks.len() == 4, "{ks:?}");
    assert!(files["few-shot.md"].contains("K of unequal numbers: normal support images + abnormal ones."));
    let csv: Vec<&str> = files["few-shot.csv"].lines().filter(|line| line.ends_with(",false,4,0")).collect();
    assert!(!csv.is_empty() && csv.iter().all(|line| line.contains(",\"\",,")), "{csv:?}");
    // Alone they are beside nothing that was published.
    input.results = others;
    let files = tables(&input);
    let (published, few_shot) = (&files["published.md"], &files["few-shot.md"]);
    assert!(!published.contains("| within") && !few_shot.contains("not run here"), "{published}\n{few_shot}");
}

#[test]
fn a_table_that_nothing_fills_is_not_written() {
    let files = tables(&ReportInput::default());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["report.md", "summary.caption.tex", "summary.csv", "summary.md", "summary.parquet", "summary.tex"]
    );
    // Nor is one of an earlier report left.
    let folder = tempfile::tempdir().unwrap();
    let there = || folder.path().join("tables/few-shot.parquet").exists();
    write_report(&few_shot(), folder.path()).unwrap();
    assert!(there());
    write_report(&ReportInput::default(), folder.path()).unwrap();
    assert!(!there());
    let failed = ReportInput { results: vec![undone(BASE, "Brain", 4, Status::Failed, "x")], ..ReportInput::default() };
    assert!(!tables(&failed).contains_key("few-shot.md"));
}

#[test]
fn the_same_input_gives_the_same_tables() {
    for input in [few_shot(), ablation(), cross(), backends(), published_input(), optimism()] {
        assert_eq!(tables(&input), tables(&input));
    }
}
