//! A big study with long names, and what its tables are in LaTeX: nothing wider than its line, nothing too small to
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use harness_experiment::{Line, Numbers, Printing};
use harness_method::Shots;
use harness_report::ReportInput;
use harness_tables::{ControlRow, DeLongRow, DifferenceRow, MethodRow, ResultRow, Status};

use super::inputs::*;

/// Twenty variants with names that are long and alike, on two datasets at three K.
fn study() -> ReportInput {
    let mut names = vec![BASE.to_owned()];
    names.extend((1..20).map(|i| format!("adapter-residual_alpha-0.{i}-contrastive_loss-with-prompts-fixed")));
    let mut input = ReportInput {
        variants: names.clone(),
        base: BASE.into(),
        // Tables alone.
        printing: Printing { figures: Some(Vec::new()), ..Printing::default() },
        datasets: vec![dataset("Brain_AD_of_a_long_name", true, Some("BrainMRI")), dataset("Liver_AD", true, None)],
        backends: backends().backends,
        optimism: optimism().optimism,
        ..ReportInput::default()
    };
    for (at, name) in names.iter().enumerate() {
        for (set, k) in input.datasets.clone().iter().flat_map(|set| [(set, 4), (set, 8), (set, 16)]) {
            let value = 0.7 + 0.01 * at as f64;
            if (at, k) == (7, 8) {
                input.results.push(undone(
                    name,
                    &set.name,
                    k,
                    Status::Failed,
                    "numeric: epoch 1, batch 0: a loss is NaN",
                ));
                continue;
            }
            input.results.extend(masked(name, &set.name, k, value, value - 0.1));
            if name == BASE {
                continue;
            }
            for (metric, by) in [("image_auroc", "map-max"), ("image_auroc", "detection"), ("pixel_auroc", "")] {
                let row = difference(name, metric, by, 0.01 * at as f64 - 0.1, 0.04, 0.03 * at as f64);
                let shots = Shots::each(k);
                input.differences.push(DifferenceRow {
                    dataset: set.name.clone(),
                    trained_on: set.name.clone(),
                    shots,
                    ..row
                });
            }
            if (k, set.name.as_str()) == (4, "Liver_AD") {
                let test = DeLongRow { variant: name.clone(), ..optimism().delong[0].clone() };
                input.delong.extend((0..3).map(|seed| DeLongRow { seed, p: Some(0.01 * at as f64), ..test.clone() }));
            }
        }
        let transfer =
            done(name, "Liver_AD", 4, 0, "last", &[("image_auroc", "map-max", 0.6), ("pixel_auroc", "", 0.7)]);
        let from = |row| ResultRow { trained_on: "Brain_AD_of_a_long_name".into(), ..row };
        input.results.extend(transfer.into_iter().map(from));
        input.of_methods.push(MethodRow {
            variant: name.clone(),
            method: "memory-bank".into(),
            sees: "both".into(),
            shots: Shots::each(4),
            image_auroc: Some(0.9),
            pixel_auroc: Some(0.8),
            fit_secs: Some(0.5 * at as f64),
            score_rate: Some(20.0),
            ..MethodRow::default()
        });
    }
    let control = |name: &String| ControlRow {
        variant: name.clone(),
        dataset: "Liver_AD".into(),
        level: 0.6,
        ..ControlRow::default()
    };
    input.controls = names.iter().skip(1).map(control).collect();
    input
}

/// A TeX that is there: the program and what it is told.
fn tex() -> Option<(&'static str, &'static [&'static str])> {
    let known: [(&str, &[&str]); 3] = [
        ("pdflatex", &["-interaction=nonstopmode", "-halt-on-error", "-draftmode"]),
        ("latex", &["-interaction=nonstopmode", "-halt-on-error"]),
        ("tectonic", &[]),
    ];
    known
        .into_iter()
        .find(|(program, _)| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success()))
}

fn awkward() -> ReportInput {
    let name = "[a] & b_c%$#{d}~^\\<e>|\"é–…Δ \u{4e2d}";
    let mut input = few_shot();
    input.results.iter_mut().for_each(|row| row.variant = name.into());
    input.datasets[0].name = "*Br_ain".into();
    input.results.iter_mut().filter(|row| row.dataset == "Brain").for_each(|row| {
        row.dataset = "*Br_ain".into();
        row.trained_on = "*Br_ain".into();
    });
    ReportInput { variants: vec![name.into()], ..input }
}

/// Widths of the line in millimetres, each with what fits it.
const LINES: [(Line, &str); 2] = [(Line::Page, "120mm"), (Line::Column, "85mm")];

fn printed(input: ReportInput, line: Line) -> BTreeMap<String, String> {
    tables(&ReportInput { printing: Printing { table_width: line, ..input.printing.clone() }, ..input })
}

#[test]
fn tex_reads_every_table_and_none_is_wider_than_its_line() {
    let Some((program, arguments)) = tex() else {
        println!("skipped: no TeX");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let keep = std::env::var_os("HARNESS_TEST_TABLES").map(std::path::PathBuf::from);
    let folder = keep.as_deref().unwrap_or(folder.path());
    for (line, width) in LINES {
        let mut body = String::new();
        let small = [few_shot(), ablation(), cross(), backends(), published_input(), optimism(), awkward()];
        let smoke = ReportInput { smoke: true, ..ablation() };
        for (number, input) in small.into_iter().chain([smoke, study()]).enumerate() {
            let files = printed(input, line);
            for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".tex") || keep.is_some()) {
                fs::write(folder.join(format!("{number}-{width}-{name}")), text).unwrap();
            }
            for (name, text) in &files {
                let Some(name) = name.strip_suffix(".tex").filter(|name| !name.ends_with(".caption")) else { continue };
                let here = format!("{number}-{width}-{name}");
                body += &match text.contains("longtable") {
                    true => format!("\\input{{{here}.tex}}\\clearpage\n"),
                    false => format!(
                        "\\begin{{table}}\\input{{{here}.caption.tex}}\\input{{{here}.tex}}\\end{{table}}\\clearpage\n"
                    ),
                };
            }
        }
        let document = format!(
            "\\documentclass[10pt]{{article}}\n\\usepackage[textwidth={width},textheight=193mm]{{geometry}}\n\
             \\usepackage{{booktabs,longtable}}\n\\begin{{document}}\n{body}\\end{{document}}\n"
        );
        compile(folder, program, arguments, &document);
    }
}

fn compile(folder: &Path, program: &str, arguments: &[&str], document: &str) {
    fs::write(folder.join("all.tex"), document).unwrap();
    // What a table of other columns was as wide as.
    let _ = fs::remove_file(folder.join("all.aux"));
    let out = Command::new(program).args(arguments).arg("all.tex").current_dir(folder).output().unwrap();
    let log = String::from_utf8_lossy(&out.stdout);
    if ["booktabs", "longtable", "geometry"].iter().any(|name| log.contains(&format!("`{name}.sty' not found"))) {
        println!("skipped: no TeX with booktabs, longtable and geometry");
        return;
    }
    assert!(out.status.success(), "{log}");
    for wrong in ["Overfull \\hbox", "Float too large"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(wrong)).collect();
        assert!(lines.is_empty(), "{lines:#?}");
    }
}

#[test]
fn latex_tables_have_a_cell_for_each_column_and_no_type_below_seven_points() {
    for (line, _) in LINES {
        let files = printed(study(), line);
        let mut names = BTreeSet::new();
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".tex") && !name.contains("caption")) {
            names.insert(name.as_str());
            for small in ["\\resizebox", "\\scalebox", "\\tiny", "\\textsuperscript"] {
                assert!(!text.contains(small), "{name}: {small}");
            }
            // Notes are comments, so that a page has room for the table.
            let first = text.lines().position(|line| !line.starts_with('%')).unwrap();
            assert!(first > 0, "{name}: {text}");
            let mut columns = 0;
            for row in text.lines() {
                if let Some((_, align)) = row.split_once("{@{}").filter(|_| row.starts_with("\\begin{")) {
                    let align = align.trim_end_matches("@{}}");
                    columns = align.matches(['l', 'r']).count() + align.matches("p{").count();
                }
                if row.ends_with("\\tabularnewline") && !row.contains("\\multicolumn") {
                    assert_eq!(row.matches(" & ").count() + 1, columns, "{name}: {row}");
                }
            }
            assert!(columns > 0, "{name}: {text}");
        }
        assert!(names.len() >= 9, "{names:?}");
        assert!(files["few-shot.tex"].contains("\\begin{longtable}"), "sixty lines are more than a page");
    }
}

#[test]
fn tables_print_labels_percent_and_the_columns_that_were_asked_for() {
    let mut input = ablation();
    input.labels = vec![("fixed_prompts".into(), "w/o learned prompts".into())];
    input.printing = Printing {
        numbers: Numbers::Percent,
        hide: vec!["AS".into(), "n".into(), "pixel AUROC".into()],
        ..Printing::default()
    };
    let files = tables(&input);
    let few = &files["few-shot.md"];
    assert!(few.contains("| w/o learned prompts |") && few.contains("90.0 ± 1.4 ≈"), "{few}");
    assert!(few.contains("Metrics and their differences in percent."), "{few}");
    assert!(!few.contains("Brain AS") && !few.contains("|   n |"), "{few}");
    let ablation = &files["ablation.md"];
    assert!(ablation.contains("−2.0 [−5.0, +1.0]") && !ablation.contains("AS difference"), "{ablation}");
    assert!(!files["summary.md"].contains("pixel AUROC"), "{}", files["summary.md"]);
    assert!(!files["report.md"].contains("and no table here has such a column"), "{}", files["report.md"]);
    input.printing.hide.push("ASS".into());
    assert!(tables(&input)["report.md"].contains("> `hide` names `ASS`, and no table here has such a column."));
    // Programs read names and fractions.
    assert!(files["few-shot.csv"].contains(",fixed_prompts,") && files["few-shot.csv"].contains(",AS,"));
    assert!(files["few-shot.caption.tex"].starts_with("\\caption{Each variant at each K"));
}

#[test]
fn a_smoke_test_says_so_in_every_table() {
    let files = tables(&ReportInput { smoke: true, ..study() });
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".md") || name.ends_with(".tex")) {
        assert!(text.contains("Smoke test: not a result"), "{name}");
    }
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".csv")) {
        assert!(text.lines().next().unwrap().ends_with(",smoke"), "{name}");
    }
}

#[test]
fn what_has_one_state_has_one_line_in_the_few_shot_table() {
    let of = |variant: &str, rule: &str, value: f64, no_choice: bool| {
        let rows = done(variant, "Brain", 4, 0, rule, &[("image_auroc", "map-max", value)]);
        rows.into_iter().map(move |row| ResultRow { no_choice, ..row })
    };
    let rows =
        |rule: &str, value: f64| of("bank", rule, 0.8, true).chain(of(BASE, rule, value, false)).collect::<Vec<_>>();
    let results = [rows("last", 0.7), rows("best-on-test", 0.9)].concat();
    let input = ReportInput { variants: vec![BASE.into(), "bank".into()], results, ..ReportInput::default() };
    let files = tables(&input);
    let lines: Vec<Vec<&str>> = table(&files["few-shot.md"]).into_iter().skip(2).map(cells).collect();
    assert_eq!(
        lines.iter().map(|line| (line[0], line[1])).collect::<Vec<_>>(),
        [("last", BASE), ("no choice", "bank"), ("best-on-test", BASE)]
    );
}
