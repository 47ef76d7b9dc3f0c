//! The report's folder: tables, figures and `report.md`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use harness_disk::write_durable;
use harness_results::ReportInput;
use harness_tables::{Frame, ResultRow, Status, Values};
use harness_text::count;

use crate::ablation::Filled;
use crate::answer::failures;
use crate::figures::write_figures;
use crate::material::Material;
use crate::overview::{Overview, overview};
use crate::print::{Print, Reasons};
use crate::sheet::{TableText, columns_of};
use crate::tables::{remove_others, statistics, tables};
use crate::wide::wide_in;
use crate::words::line;
use crate::{ReportError, SummaryRow};

/// Writes `tables/*.{csv,parquet,md,tex}`, `figures/*.{svg,png}` and, last, `report.md` below `folder`: the same input
/// gives the same bytes. A table or figure that the results can't fill is left out, the summary excepted. Returns the
/// summary table in Markdown, with its notes.
///
/// # Errors
/// The system's, and data that don't make a figure.
pub fn write_report(input: &ReportInput, folder: &Path) -> Result<String, ReportError> {
    write_parts(input, folder)?.write(folder)
}

/// A report whose tables and figures are written, but not `report.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportParts {
    /// The summary table in Markdown, with its notes.
    summary: String,
    /// `report.md`.
    report: String,
    /// The main numbers.
    overview: Overview,
}

/// Does all that [`write_report`] does but `report.md`, so that other files can be written meanwhile and that one last.
///
/// # Errors
/// The system's, and data that don't make a figure.
pub fn write_parts(input: &ReportInput, folder: &Path) -> Result<ReportParts, ReportError> {
    let material = Material::of(input)?;
    let compared = material.compared()?;
    let (tables, figures) =
        rayon::join(|| write_tables(&material, &compared, folder), || write_figures(&material, &compared, folder));
    let ((summary, sections), figures) = (tables?, figures?);
    let overview = overview(&material, &compared);
    let report = compose(input, &overview.answer, &summary, &sections, &figures)?;
    Ok(ReportParts { summary, report, overview })
}

impl ReportParts {
    /// The main numbers and what they come to, for a terminal.
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// Writes `report.md` and returns the summary table.
    ///
    /// # Errors
    /// The system's.
    pub fn write(self, folder: &Path) -> Result<String, ReportError> {
        write_durable(&folder.join("report.md"), self.report.as_bytes())?;
        Ok(self.summary)
    }
}

/// Writes all tables; returns the summary and the sections of the others.
fn write_tables(
    material: &Material<'_>,
    compared: &[Filled<'_>],
    folder: &Path,
) -> Result<(String, String), ReportError> {
    let (summary, mut columns) = write_summary(&material.rows, &material.print, folder)?;
    let tables = tables(material, compared)?;
    remove_others(folder, &tables)?;
    let mut sections = String::new();
    for table in &tables {
        columns.extend(table.columns()?);
        sections.push_str(&table.write(folder, &material.print)?);
    }
    // A name that was mistyped hides nothing.
    for name in &material.print.hide {
        let is = |column: &String| {
            column == name || column.ends_with(&format!(" {name}")) || column.starts_with(&format!("{name} "))
        };
        if !columns.iter().any(is) {
            let _ = write!(sections, "\n> `hide` names `{}`, and no table here has such a column.\n", line(name));
        }
    }
    Ok((summary, sections))
}

/// Writes the summary: a row for each metric for programs, a line for each group for people. Returns it, and its
/// columns.
fn write_summary(rows: &[SummaryRow], print: &Print, folder: &Path) -> Result<(String, Vec<String>), ReportError> {
    let mut reasons = Reasons::default();
    let whole = wide_in(rows, print, &mut reasons)?;
    let columns = columns_of(&whole)?;
    let table = whole.without(&print.hide)?;
    let brief = ["Each metric, mean ± standard deviation over draws and seeds; n: trainings.".to_owned()];
    let notes: Vec<String> = reasons.note().into_iter().collect();
    let mut text = TableText::of(&table, None, (&brief, &notes), print)?;
    if rows.is_empty() {
        text.shown = "No cells.\n".to_owned();
    }
    text.write(folder, "summary")?;
    let tables = folder.join("tables");
    let long = Frame::of(rows)?;
    let long = if print.smoke { long.with_flag("smoke", true)? } else { long };
    long.write_csv(&tables.join("summary.csv"))?;
    long.write_parquet(&tables.join("summary.parquet"), "summary")?;
    Ok((text.shown + &text.below, columns))
}

fn compose(
    input: &ReportInput,
    answer: &[String],
    table: &str,
    sections: &str,
    figures: &str,
) -> Result<String, ReportError> {
    let mut out = format!("# Report: {}\n", line(&input.experiment));
    if input.smoke {
        out.push_str("\n> **Smoke test: not a result.** It shows that the program runs; its numbers mean nothing.\n");
    }
    for sentence in answer {
        let _ = write!(out, "\n{}\n", line(sentence));
    }
    out.push_str(&undone(input));
    out.push_str("\nFor research, not for diagnosis.\n");
    if !input.provenance.is_empty() {
        out.push('\n');
        for (name, value) in &input.provenance {
            let _ = writeln!(out, "- {}: {}", line(name), line(value));
        }
    }
    if !input.variant_options.is_empty() {
        out.push_str("\n## Variants\n\n");
        for (name, options) in input.variants.iter().zip(&input.variant_options) {
            let _ = writeln!(out, "- `{}`: {}", line(name), line(options));
        }
    }
    if !input.data_notes.is_empty() {
        out.push_str("\n## Notes on the data\n\n");
        for note in &input.data_notes {
            let _ = writeln!(out, "- {}", line(note));
        }
    }
    let _ = write!(out, "\n## Summary\n\n{table}");
    if input.results.iter().any(|row| row.status == Status::Done) {
        out.push_str("\nMean ± sample standard deviation over seeds and draws; n is the number of cells behind it.\n");
    }
    out.push_str(sections);
    let notes = statistics(input);
    if !notes.is_empty() {
        out.push_str("\n## Statistics\n\n");
        for note in &notes {
            let _ = writeln!(out, "- {note}");
        }
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
                row.selection.name(),
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

/// How many cells have no number, and why cells failed; the sections at the end name each.
fn undone(input: &ReportInput) -> String {
    let cells = |status: Option<Status>| {
        let rows = input.results.iter().filter(|row| status.is_none_or(|status| row.status == status));
        rows.map(|row| &row.cell).collect::<BTreeSet<_>>().len()
    };
    let (all, failed, not_run) = (cells(None), cells(Some(Status::Failed)), cells(Some(Status::NotRun)));
    let mut out = String::new();
    if failed > 0 {
        let _ = write!(out, "\n**{failed} of {} failed** ([list](#failed-cells)):\n\n", count(all as u64, "cell"));
        for reason in failures(input) {
            let _ = writeln!(out, "- {}", line(&reason));
        }
    }
    if not_run > 0 {
        let _ = write!(
            out,
            "\n{not_run} of {} {} not run ([list](#cells-not-run)).\n",
            count(all as u64, "cell"),
            if not_run == 1 { "was" } else { "were" }
        );
    }
    out
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
        ("K".to_owned(), Values::Measure(rows.iter().map(|row| row.shots.to_string()).collect())),
        ("draw".to_owned(), Values::Measure(rows.iter().map(|row| row.draw.to_string()).collect())),
        ("seed".to_owned(), count(|row| row.seed)),
        ("backend".to_owned(), text(|row| &row.backend)),
        ("selection".to_owned(), text(|row| row.selection.name())),
    ]);
    if status == Status::Failed || rows.iter().any(|row| !row.message.is_empty()) {
        let reason = text(|row| if row.message.is_empty() { "no reason recorded" } else { &row.message });
        columns.push(("reason".to_owned(), reason));
    }
    Ok(Frame::new(columns)?)
}
