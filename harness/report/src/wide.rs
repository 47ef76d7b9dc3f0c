//! The summary as people read it: a line for each group and image score, a column for each metric.

use std::collections::HashMap;

use harness_method::{ImageScore, Selection};
use harness_metrics::Metric;
use harness_tables::{Frame, Query, Values, row};

use crate::measure::{metric_words, rule, score_name};
use crate::print::{Print, Reasons};
use crate::words::{NO_CHOICE, chosen_by, k_name, range};
use crate::{ReportError, SummaryRow};

/// The note below a table with numbers chosen on the test set, each marked with a dagger.
pub const BEST_ON_TEST_NOTE: &str =
    "† best-on-test: the epoch was chosen on the test set itself; optimistic by construction.";

/// A line for each group and image score, a column for each metric: `0.934 ± 0.009` (mean, sample standard deviation),
/// and how many values are behind it. Pixel metrics that do not depend on the image score stand in every line of their
/// group. A metric that a group does not have is a dash. Numbers chosen on the test set carry a dagger. Columns that
/// say nothing (no transfer, f32 alone, no overlap) are left out. What has one state alone stands once, under "no
/// choice" where there are other rules than `last`; what sees no support set stands once, with K "any".
///
/// # Errors
/// Polars' own.
pub fn wide(rows: &[SummaryRow]) -> Result<Frame, ReportError> {
    wide_in(rows, &Print::default(), &mut Reasons::default())
}

/// The same in an experiment's print; the reasons of what failed stand below it.
pub(crate) fn wide_in(rows: &[SummaryRow], print: &Print, reasons: &mut Reasons) -> Result<Frame, ReportError> {
    let several = rows.iter().any(|row| row.selection != Selection::Last);
    let rows = once(rows);
    let groups: Vec<&[SummaryRow]> = rows.chunk_by(same_group).collect();
    let lines: Vec<Line<'_>> = groups.iter().flat_map(|group| Line::of(group)).collect();
    let text = |of: fn(&SummaryRow) -> &str| Values::Text(lines.iter().map(|line| of(line.head).to_owned()).collect());
    let variants = lines.iter().map(|line| print.variant(&line.head.variant).to_owned()).collect();
    let variants = Values::Text(variants);
    let any = |of: fn(&SummaryRow) -> bool| lines.iter().any(|line| of(line.head));

    let mut columns = vec![("variant".to_owned(), variants), ("dataset".to_owned(), text(|row| &row.dataset))];
    if any(|row| row.trained_on != row.dataset) {
        columns.push(("trained on".to_owned(), text(|row| &row.trained_on)));
    }
    let shots = lines.iter().map(|line| k_name(line.head.shots, line.head.no_support)).collect();
    columns.push(("shots".to_owned(), Values::Measure(shots)));
    columns.push(("backend".to_owned(), text(|row| &row.backend)));
    if any(|row| row.device.contains(" + ")) {
        columns.push(("device".to_owned(), text(|row| &row.device)));
    }
    if any(|row| row.precision != "f32" && !row.precision.is_empty()) {
        columns.push(("precision".to_owned(), text(|row| &row.precision)));
    }
    if any(|row| row.allow_overlap) {
        columns.push(("overlap".to_owned(), text(|row| if row.allow_overlap { "allowed" } else { "none" })));
    }
    let rule_of = |line: &Line<'_>| {
        let word = if several && line.head.no_choice { NO_CHOICE } else { line.head.selection.name() };
        word.to_owned()
    };
    columns.push(("selection".to_owned(), Values::Text(lines.iter().map(rule_of).collect())));
    if lines.iter().any(|line| line.score.is_some()) {
        let score = lines.iter().map(|line| score_name(line.score).to_owned()).collect();
        columns.push(("image score".to_owned(), Values::Text(score)));
    }
    columns.push(("n".to_owned(), Values::Measure(lines.iter().map(Line::count).collect())));
    let stub = columns.len();
    columns.extend(metrics(&lines, print)?);
    if any(|row| row.failed + row.not_run > 0) {
        columns.push((
            "not done".to_owned(),
            Values::Text(lines.iter().map(|line| not_done(line.head, reasons)).collect()),
        ));
    }
    Ok(Frame::new(columns)?.with_stub(stub))
}

/// The rows without those that repeat what stands under another rule, as there was nothing to choose from, or at
/// another K, as no support set was seen. Groups that are not done stay.
fn once(rows: &[SummaryRow]) -> Vec<SummaryRow> {
    let key = |row: &SummaryRow| {
        let (variant, dataset, source) = (row.variant.clone(), row.dataset.clone(), row.trained_on.clone());
        let shots = (!row.no_support).then_some(row.shots);
        (variant, dataset, source, shots, row.backend.clone(), row.precision.clone(), row.allow_overlap)
    };
    let repeats = |row: &&SummaryRow| row.no_choice && row.metric.is_some() && row.failed + row.not_run == 0;
    let mut first = HashMap::new();
    for row in rows.iter().filter(repeats) {
        let here = (rule(row.selection), row.shots);
        let least = first.entry(key(row)).or_insert(here);
        *least = here.min(*least);
    }
    let is_first = |row: &SummaryRow| first.get(&key(row)) == Some(&(rule(row.selection), row.shots));
    rows.iter().filter(|row| !repeats(row) || is_first(row)).cloned().collect()
}

/// A group's numbers by one image score.
struct Line<'a> {
    head: &'a SummaryRow,
    /// Absent where the group has pixel metrics alone, or nothing.
    score: Option<ImageScore>,
    rows: Vec<&'a SummaryRow>,
}

impl<'a> Line<'a> {
    /// The lines of a group: one for each image score that it has.
    fn of(group: &'a [SummaryRow]) -> Vec<Self> {
        let Some(head) = group.first() else { return Vec::new() };
        let mut scores: Vec<Option<ImageScore>> = ImageScore::ALL
            .map(Some)
            .into_iter()
            .filter(|score| group.iter().any(|r| r.image_score == *score))
            .collect();
        if scores.is_empty() {
            scores.push(None);
        }
        let line = |score| {
            let belongs = |row: &&SummaryRow| row.image_score == score || row.image_score.is_none();
            Self { head, score, rows: group.iter().filter(belongs).collect() }
        };
        scores.into_iter().map(line).collect()
    }

    /// What stands below a metric that the line does not have.
    fn blank(&self) -> &'static str {
        match self.head.metric {
            None if self.head.failed > 0 => "failed",
            None => "not run",
            Some(_) => "–",
        }
    }

    /// Values behind each number of the line.
    fn count(&self) -> String {
        range(self.rows.iter().filter(|row| row.metric.is_some()).map(|row| row.count))
    }
}

row! {
    /// A number of a line, for the pivot.
    Word is "words" {
        line: u32,
        metric: Option<Metric>,
        words: String,
    }
}

/// The columns of metrics: those that some line has.
fn metrics(lines: &[Line<'_>], print: &Print) -> Result<Vec<(String, Values)>, ReportError> {
    let word = |line: u32, row: &&SummaryRow| {
        let words = row.mean.map_or_else(
            || "–".to_owned(),
            |value| print.mean(value, row.deviation, chosen_by(row.selection, row.no_choice)),
        );
        Word { line, metric: row.metric, words }
    };
    let words: Vec<Word> =
        (0..).zip(lines).flat_map(|(number, line)| line.rows.iter().map(move |row| word(number, row))).collect();
    let has = |metric: &Metric| words.iter().any(|word| word.metric == Some(*metric));
    let found: Vec<Metric> = Metric::ALL.into_iter().filter(has).collect();
    let names: Vec<String> = found.iter().map(|metric| metric.name().to_owned()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let table = Query::of(&words)?.pivot(&["line"], "metric", &names, "words")?;
    let cells = |at: usize| {
        let cell = |(line, row): (&Line<'_>, &Vec<Option<String>>)| {
            row.get(at).cloned().flatten().unwrap_or_else(|| line.blank().to_owned())
        };
        lines.iter().zip(&table).map(cell).collect()
    };
    Ok(found
        .iter()
        .enumerate()
        .map(|(at, metric)| (metric_words(*metric).to_owned(), Values::Measure(cells(at))))
        .collect())
}

fn same_group(a: &SummaryRow, b: &SummaryRow) -> bool {
    (&a.variant, &a.dataset, &a.trained_on, a.shots) == (&b.variant, &b.dataset, &b.trained_on, b.shots)
        && (&a.backend, &a.precision, a.allow_overlap, a.selection)
            == (&b.backend, &b.precision, b.allow_overlap, b.selection)
}

fn not_done(row: &SummaryRow, reasons: &mut Reasons) -> String {
    let mut parts = Vec::new();
    let counted = |count: u64, word: &str| if count > 1 { format!("{count} {word}") } else { word.to_owned() };
    if row.failed > 0 {
        let reason = if row.message.is_empty() { "no reason recorded" } else { &row.message };
        parts.push(reasons.marked(&counted(row.failed, "failed"), reason));
    }
    if row.not_run > 0 {
        parts.push(counted(row.not_run, "not run"));
    }
    parts.join("; ")
}
