//! The summary as people read it: a line a group, a column a metric. The numbers are from `summary`.

use harness_tables::{Frame, Values};

use crate::{ReportError, SummaryRow};

/// What stands under a table with numbers chosen on the test set, each marked with a dagger.
pub const BEST_ON_TEST_NOTE: &str =
    "† best-on-test: the epoch was chosen on the test set itself; optimistic by construction.";

/// A line a group and image score, a column a metric: `0.934 ± 0.009` (mean, sample standard deviation), and how many values
/// are behind it. Pixel metrics that do not depend on the image score stand in every line of their group. A metric that a
/// group has not is a dash. Numbers chosen on the test set carry a dagger. Columns that say nothing (no transfer, f32
/// alone, no overlap) are left out.
///
/// # Errors
/// Polars' own.
pub fn wide(rows: &[SummaryRow]) -> Result<Frame, ReportError> {
    let same = |a: &SummaryRow, b: &SummaryRow| key(a) == key(b);
    let groups: Vec<&[SummaryRow]> = rows.chunk_by(same).collect();
    let lines: Vec<Line<'_>> = groups.iter().flat_map(|group| Line::of(group)).collect();
    let text = |of: fn(&SummaryRow) -> &str| Values::Text(lines.iter().map(|line| of(line.head).to_owned()).collect());
    let any = |of: fn(&SummaryRow) -> bool| lines.iter().any(|line| of(line.head));

    let mut columns =
        vec![("variant".to_owned(), text(|row| &row.variant)), ("dataset".to_owned(), text(|row| &row.dataset))];
    if any(|row| row.trained_on != row.dataset) {
        columns.push(("trained on".to_owned(), text(|row| &row.trained_on)));
    }
    columns.push(("shots".to_owned(), Values::Count(lines.iter().map(|line| u64::from(line.head.shots)).collect())));
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
    columns.push(("selection".to_owned(), text(|row| &row.selection)));
    if lines.iter().any(|line| !line.score.is_empty()) {
        let score = lines.iter().map(|line| line.score.to_owned()).collect();
        columns.push(("image score".to_owned(), Values::Text(score)));
    }
    columns.push(("n".to_owned(), Values::Measure(lines.iter().map(Line::count).collect())));
    for metric in metrics(&groups) {
        columns.push((metric.to_owned(), Values::Measure(lines.iter().map(|line| line.cell(metric)).collect())));
    }
    if any(|row| row.failed + row.not_run > 0) {
        columns.push(("not done".to_owned(), Values::Text(lines.iter().map(|line| not_done(line.head)).collect())));
    }
    Ok(Frame::new(columns)?)
}

/// A group's numbers by one image score.
struct Line<'a> {
    head: &'a SummaryRow,
    /// Empty where the group has pixel metrics alone, or nothing.
    score: &'a str,
    rows: Vec<&'a SummaryRow>,
}

impl<'a> Line<'a> {
    /// The lines of a group: one for each image score, in the order in which the group has them.
    fn of(group: &'a [SummaryRow]) -> Vec<Self> {
        let Some(head) = group.first() else { return Vec::new() };
        let mut scores: Vec<&str> = Vec::new();
        for row in group {
            if !row.image_score.is_empty() && !scores.contains(&row.image_score.as_str()) {
                scores.push(&row.image_score);
            }
        }
        if scores.is_empty() {
            scores.push("");
        }
        let line = |score| {
            let belongs = |row: &&SummaryRow| row.image_score == score || row.image_score.is_empty();
            Self { head, score, rows: group.iter().filter(belongs).collect() }
        };
        scores.into_iter().map(line).collect()
    }

    fn cell(&self, metric: &str) -> String {
        match self.rows.iter().find(|row| row.metric == metric) {
            Some(row) => number(row),
            None if self.head.metric.is_empty() && self.head.failed > 0 => "failed".to_owned(),
            None if self.head.metric.is_empty() => "not run".to_owned(),
            None => "–".to_owned(),
        }
    }

    /// Values behind each number of the line.
    fn count(&self) -> String {
        let counts = || self.rows.iter().filter(|row| !row.metric.is_empty()).map(|row| row.count);
        match (counts().min(), counts().max()) {
            (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
            (Some(count), _) => count.to_string(),
            _ => "0".to_owned(),
        }
    }
}

type Key<'a> = (&'a str, &'a str, &'a str, u32, &'a str, &'a str, bool, &'a str);

fn key(row: &SummaryRow) -> Key<'_> {
    (
        &row.variant,
        &row.dataset,
        &row.trained_on,
        row.shots,
        &row.backend,
        &row.precision,
        row.allow_overlap,
        &row.selection,
    )
}

/// Metrics of all groups, in the order in which groups have them.
fn metrics<'a>(groups: &[&'a [SummaryRow]]) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for group in groups {
        let mut after = 0;
        for row in group.iter().filter(|row| !row.metric.is_empty()) {
            let metric = row.metric.as_str();
            // A metric new to the table stands where its group has it.
            after = 1 + found.iter().position(|known| *known == metric).unwrap_or_else(|| {
                found.insert(after, metric);
                after
            });
        }
    }
    found
}

/// A number with all that must go with it.
pub(crate) fn number(row: &SummaryRow) -> String {
    let Some(mean) = row.mean else { return "–".to_owned() };
    let mark = if row.selection == "best-on-test" { "†" } else { "" };
    match row.deviation {
        Some(deviation) => format!("{mean:.3} ± {deviation:.3}{mark}"),
        None => format!("{mean:.3}{mark}"),
    }
}

fn not_done(row: &SummaryRow) -> String {
    let mut parts = Vec::new();
    let counted = |count: u64, word: &str| if count > 1 { format!("{count} {word}") } else { word.to_owned() };
    if row.failed > 0 {
        let reason = if row.message.is_empty() { "no reason recorded".to_owned() } else { short(&row.message, 80) };
        parts.push(format!("{}: {reason}", counted(row.failed, "failed")));
    }
    if row.not_run > 0 {
        parts.push(counted(row.not_run, "not run"));
    }
    parts.join("; ")
}

/// A reason that leaves the table readable; the report lists it in full.
pub(crate) fn short(message: &str, most: usize) -> String {
    let cut = message.char_indices().nth(most).map(|(at, _)| &message[..at]);
    cut.map_or_else(|| message.to_owned(), |start| format!("{}…", start.trim_end()))
}
