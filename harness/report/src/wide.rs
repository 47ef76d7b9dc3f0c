//! The summary as people read it: a line a group, a column a metric. The numbers are from `summary`.

use harness_tables::{Frame, Values};

use crate::{ReportError, SummaryRow};

/// What stands under a table with numbers chosen on the test set, each marked with a dagger.
pub const BEST_ON_TEST_NOTE: &str =
    "† best-on-test: the epoch was chosen on the test set itself; optimistic by construction.";

/// A line a group, a column a metric and image score: `0.934 ± 0.009, n = 3` (mean, sample standard deviation, values).
/// A metric that a group has not is a dash. Numbers chosen on the test set carry a dagger. Columns that say
/// nothing (no transfer, f32 alone, no overlap) are left out.
///
/// # Errors
/// Polars' own.
pub fn wide(rows: &[SummaryRow]) -> Result<Frame, ReportError> {
    let same = |a: &SummaryRow, b: &SummaryRow| key(a) == key(b);
    let groups: Vec<&[SummaryRow]> = rows.chunk_by(same).collect();
    let heads: Vec<&SummaryRow> = groups.iter().filter_map(|group| group.first()).collect();
    let text = |of: fn(&SummaryRow) -> &str| Values::Text(heads.iter().map(|row| of(row).to_owned()).collect());
    let any = |of: fn(&SummaryRow) -> bool| heads.iter().any(|row| of(row));

    let mut columns =
        vec![("variant".to_owned(), text(|row| &row.variant)), ("dataset".to_owned(), text(|row| &row.dataset))];
    if any(|row| row.trained_on != row.dataset) {
        columns.push(("trained on".to_owned(), text(|row| &row.trained_on)));
    }
    columns.push(("shots".to_owned(), Values::Count(heads.iter().map(|row| u64::from(row.shots)).collect())));
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
    for (metric, score) in metrics(&groups) {
        let name = if score.is_empty() { metric.to_owned() } else { format!("{metric} ({score})") };
        let cell = |group: &&[SummaryRow]| {
            let found = group.iter().find(|row| row.metric == metric && row.image_score == score);
            found.map_or_else(|| absent(group), number)
        };
        columns.push((name, Values::Measure(groups.iter().map(cell).collect())));
    }
    if any(|row| row.failed + row.not_run > 0) {
        columns.push(("not done".to_owned(), Values::Text(heads.iter().map(|row| not_done(row)).collect())));
    }
    Ok(Frame::new(columns)?)
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

/// Metrics and image scores of all groups, in the order in which groups have them.
fn metrics<'a>(groups: &[&'a [SummaryRow]]) -> Vec<(&'a str, &'a str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for group in groups {
        let mut after = 0;
        for row in group.iter().filter(|row| !row.metric.is_empty()) {
            let pair = (row.metric.as_str(), row.image_score.as_str());
            // A metric new to the table stands where its group has it.
            after = 1 + found.iter().position(|known| *known == pair).unwrap_or_else(|| {
                found.insert(after, pair);
                after
            });
        }
    }
    found
}

/// A number with all that must go with it.
fn number(row: &SummaryRow) -> String {
    let Some(mean) = row.mean else { return "–".to_owned() };
    let mark = if row.selection == "best-on-test" { "†" } else { "" };
    match row.deviation {
        Some(deviation) => format!("{mean:.3} ± {deviation:.3}, n = {}{mark}", row.count),
        None => format!("{mean:.3}, n = {}{mark}", row.count),
    }
}

/// What stands in place of a number.
fn absent(group: &[SummaryRow]) -> String {
    match group.first() {
        Some(row) if row.metric.is_empty() && row.failed > 0 => "failed".to_owned(),
        Some(row) if row.metric.is_empty() => "not run".to_owned(),
        _ => "–".to_owned(),
    }
}

fn not_done(row: &SummaryRow) -> String {
    let mut parts = Vec::new();
    let counted = |count: u64, word: &str| if count > 1 { format!("{count} {word}") } else { word.to_owned() };
    if row.failed > 0 {
        let reason = if row.message.is_empty() { "no reason recorded".to_owned() } else { short(&row.message) };
        parts.push(format!("{}: {reason}", counted(row.failed, "failed")));
    }
    if row.not_run > 0 {
        parts.push(counted(row.not_run, "not run"));
    }
    parts.join("; ")
}

/// A reason that leaves the table readable; the report lists it in full.
fn short(message: &str) -> String {
    const MOST: usize = 80;
    let cut = message.char_indices().nth(MOST).map(|(at, _)| &message[..at]);
    cut.map_or_else(|| message.to_owned(), |start| format!("{}…", start.trim_end()))
}
