//! The report's folder: tables, figures and `report.md`. What is in a table or figure is in the module of its name.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use harness_tables::{
    BackendRow, DeLongRow, DifferenceRow, Frame, IntervalRow, ResultRow, Status, Values, write_durable,
};

use crate::marks::MOST_SERIES;
use crate::{
    BEST_ON_TEST_NOTE, CurveFigure, PanelFigure, Rendered, ReportError, RocFigure, panel, roc, summary, summary_frame,
    training_curve, wide,
};

/// All a report is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportInput {
    /// Name of the experiment.
    pub experiment: String,
    /// A smoke test: report and figures say that they are no result.
    pub smoke: bool,
    /// Versions, hashes and the like: a name and what it is, in the order to print.
    pub provenance: Vec<(String, String)>,
    /// Names of the variants, in the order to print.
    pub variants: Vec<String>,
    /// Rows of the results table.
    pub results: Vec<ResultRow>,
    /// ROC figures. One with more than six curves becomes several.
    pub roc: Vec<RocFigure>,
    /// Figures of losses. One with more than six trainings becomes several.
    pub curves: Vec<CurveFigure>,
    /// Figures of images.
    pub panels: Vec<PanelFigure>,
    /// Name of the variant that the others are compared with; empty where there is nothing to compare.
    pub base: String,
    /// Means with their intervals.
    pub intervals: Vec<IntervalRow>,
    /// Variants less the base.
    pub differences: Vec<DifferenceRow>,
    /// What `best-on-test` adds over `last` on the same trainings: `base` is "last", `selection` "best-on-test".
    pub optimism: Vec<DifferenceRow>,
    /// What a reader should know of intervals and tests, a paragraph each.
    pub notes: Vec<String>,
    /// DeLong's test of each pair of trainings.
    pub delong: Vec<DeLongRow>,
    /// Backends side by side, the reference first; empty for a single one.
    pub backends: Vec<BackendRow>,
}

/// Writes `tables/summary.{csv,parquet,md,tex}`, `figures/*.{svg,png}` and, last, `report.md` below `folder`: the same input
/// gives the same bytes. Returns the summary table in Markdown, with its notes.
///
/// # Errors
/// The system's, and data that make no figure.
pub fn write_report(input: &ReportInput, folder: &Path) -> Result<String, ReportError> {
    let rows = summary(&input.results, &input.variants);
    let long = summary_frame(&rows)?;
    let table = wide(&rows)?;
    let mut markdown = if rows.is_empty() { "No cells.\n".to_owned() } else { table.to_markdown()? };
    let mut latex = table.to_latex()?;
    if input.results.iter().any(|row| row.status == Status::Done && row.selection == "best-on-test") {
        let _ = write!(markdown, "\n{BEST_ON_TEST_NOTE}\n");
        let _ = write!(latex, "\n{{\\footnotesize {}}}\n", BEST_ON_TEST_NOTE.replace('†', "\\dag{}"));
    }
    let tables = folder.join("tables");
    long.write_csv(&tables.join("summary.csv"))?;
    long.write_parquet(&tables.join("summary.parquet"), "summary")?;
    write_durable(&tables.join("summary.md"), markdown.as_bytes())?;
    write_durable(&tables.join("summary.tex"), latex.as_bytes())?;

    let mut figures = Figures { folder, names: BTreeSet::new(), listed: String::new() };
    for figure in &input.roc {
        for (part, series) in parts(&figure.series) {
            let figure = RocFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
            figures.write(&figure.name, &figure.caption, &roc(&figure, input.smoke)?)?;
        }
    }
    for figure in &input.curves {
        for (part, series) in parts(&figure.series) {
            let figure = CurveFigure { name: figure.name.clone() + &part, series, ..figure.clone() };
            figures.write(&figure.name, &figure.caption, &training_curve(&figure, input.smoke)?)?;
        }
    }
    for figure in &input.panels {
        figures.write(&figure.name, &figure.caption, &panel(figure, input.smoke)?)?;
    }
    let report = compose(input, &markdown, &figures.listed)?;
    write_durable(&folder.join("report.md"), report.as_bytes())?;
    Ok(markdown)
}

/// Series in lots that a figure can tell apart, each with what its name ends in.
fn parts<T: Clone>(series: &[T]) -> Vec<(String, Vec<T>)> {
    if series.len() <= MOST_SERIES {
        return vec![(String::new(), series.to_vec())];
    }
    series.chunks(MOST_SERIES).enumerate().map(|(i, lot)| (format!("-part{}", i + 1), lot.to_vec())).collect()
}

struct Figures<'a> {
    folder: &'a Path,
    names: BTreeSet<String>,
    listed: String,
}

impl Figures<'_> {
    fn write(&mut self, name: &str, caption: &str, figure: &Rendered) -> Result<(), ReportError> {
        let name = self.file_name(name);
        write_durable(&self.folder.join(format!("figures/{name}.svg")), figure.svg.as_bytes())?;
        write_durable(&self.folder.join(format!("figures/{name}.png")), &figure.png)?;
        let caption = line(caption);
        let alternative = caption.replace(['[', ']'], "");
        let _ = write!(
            self.listed,
            "\n![{alternative}](figures/{name}.png)\n\n{caption} ([SVG](figures/{name}.svg), [PNG](figures/{name}.png))\n"
        );
        Ok(())
    }

    /// A name that is a plain file name and not taken yet.
    fn file_name(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let plain: String = name.trim_start_matches('.').chars().map(plain).take(120).collect();
        let plain = if plain.is_empty() { "figure".to_owned() } else { plain };
        // Names that differ in case alone are one file on some systems.
        let free = (1..).map(|i| if i == 1 { plain.clone() } else { format!("{plain}-{i}") });
        let mut free = free.filter(|name| !self.names.contains(&name.to_ascii_lowercase()));
        let name = free.next().unwrap_or(plain);
        self.names.insert(name.to_ascii_lowercase());
        name
    }
}

fn compose(input: &ReportInput, table: &str, figures: &str) -> Result<String, ReportError> {
    let mut out = format!("# Report: {}\n", line(&input.experiment));
    if input.smoke {
        out.push_str("\n> **Smoke test: not a result.** It shows that the program runs; its numbers mean nothing.\n");
    }
    if !input.provenance.is_empty() {
        out.push('\n');
        for (name, value) in &input.provenance {
            let _ = writeln!(out, "- {}: {}", line(name), line(value));
        }
    }
    let _ = write!(out, "\n## Summary\n\n{table}");
    if input.results.iter().any(|row| row.status == Status::Done) {
        out.push_str("\nMean ± sample standard deviation over seeds and draws; n is the number of cells behind it.\n");
    }
    for note in &input.notes {
        let _ = write!(out, "\n{}\n", line(note));
    }
    if !figures.is_empty() {
        let _ = write!(out, "\n## Figures\n{figures}");
    }
    for (status, heading) in [(Status::Failed, "Failed cells"), (Status::NotRun, "Cells not run")] {
        let mut rows: Vec<&ResultRow> = input.results.iter().filter(|row| row.status == status).collect();
        rows.sort_by_key(|row| {
            (
                &row.dataset,
                &row.trained_on,
                row.shots,
                &row.variant,
                &row.backend,
                &row.selection,
                row.draw,
                row.seed,
                &row.cell,
            )
        });
        if !rows.is_empty() {
            let _ = write!(out, "\n## {heading}\n\n{}", cells(&rows, status)?.to_markdown()?);
        }
    }
    Ok(out)
}

/// Cells that gave no number.
fn cells(rows: &[&ResultRow], status: Status) -> Result<Frame, ReportError> {
    let text = |of: fn(&ResultRow) -> &str| Values::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let count = |of: fn(&ResultRow) -> u64| Values::Count(rows.iter().map(|row| of(row)).collect());
    let mut columns = vec![
        ("cell".to_owned(), text(|row| &row.cell)),
        ("variant".to_owned(), text(|row| &row.variant)),
        ("dataset".to_owned(), text(|row| &row.dataset)),
    ];
    if rows.iter().any(|row| row.trained_on != row.dataset) {
        columns.push(("trained on".to_owned(), text(|row| &row.trained_on)));
    }
    columns.extend([
        ("shots".to_owned(), count(|row| u64::from(row.shots))),
        ("draw".to_owned(), count(|row| row.draw)),
        ("seed".to_owned(), count(|row| row.seed)),
        ("backend".to_owned(), text(|row| &row.backend)),
        ("selection".to_owned(), text(|row| &row.selection)),
    ]);
    if status == Status::Failed || rows.iter().any(|row| !row.message.is_empty()) {
        let reason = text(|row| if row.message.is_empty() { "no reason recorded" } else { &row.message });
        columns.push(("reason".to_owned(), reason));
    }
    Ok(Frame::new(columns)?)
}

/// Text on one line.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
