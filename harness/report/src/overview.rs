//! The main numbers of a report, few enough for a terminal: a line a variant, by one rule, on one dataset or in the
//! mean over datasets.

use std::collections::BTreeSet;

use harness_method::{ImageScore, Selection};
use harness_tables::Status;

use crate::SummaryRow;
use crate::ablation::Filled;
use crate::answer::{answer, evidence, headline};
use crate::best::Mark;
use crate::comparisons::ALPHA;
use crate::material::Material;
use crate::measure::{Measure, dataset_words, paper_score, rule};
use crate::words::{chosen_by, k_name, rule_name};

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// What the numbers are of: dataset, K, draws, seeds, test images, selection.
    pub title: String,
    /// What the lines are named by.
    pub head: &'static str,
    /// Names of the measures.
    pub measures: Vec<&'static str>,
    /// The lines.
    pub lines: Vec<OverviewLine>,
    /// Other datasets, K, rules and backends whose numbers the report has.
    pub further: usize,
    /// What the comparisons come to, a sentence each.
    pub answer: Vec<String>,
}

/// A line of an [`Overview`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewLine {
    /// The variant, or what else lines are named by.
    pub name: String,
    /// Of each measure its number.
    pub numbers: Vec<OverviewNumber>,
    /// Cells that failed, of the whole experiment.
    pub failed: usize,
    /// Cells that were not run, likewise.
    pub not_run: usize,
}

/// A number of an [`Overview`], as printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewNumber {
    /// The number; empty where there is none.
    pub value: String,
    /// The difference from the base; empty for the base and where there is none.
    pub difference: String,
    /// It differs significantly from the base's, after Holm's correction.
    pub differs: bool,
    /// It is the best.
    pub best: bool,
    /// It was compared with the best and is not significantly worse.
    pub near: bool,
}

/// The overview of a report.
pub(crate) fn overview(from: &Material<'_>, compared: &[Filled<'_>]) -> Overview {
    let blocks = headline(from, compared);
    let largest = blocks.iter().map(|filled| filled.block.shots).max();
    let Some(main) = blocks.into_iter().find(|filled| Some(filled.block.shots) == largest) else {
        return alone(from);
    };
    let block = &main.block;
    let columns: Vec<_> = main.columns.iter().filter(|(column, _)| column.is_main(block)).collect();
    let names = columns.first().map(|(_, entries)| entries.iter().map(|entry| entry.variant)).into_iter().flatten();
    let line = |(at, name): (usize, &str)| {
        let number = |(_, entries): &&(_, Vec<crate::ablation::Entry<'_>>)| {
            let Some(entry) = entries.get(at) else { return OverviewNumber::default() };
            let value =
                entry.value.map(|value| from.print.fraction(value, chosen_by(block.selection, entry.no_choice)));
            OverviewNumber {
                value: value.unwrap_or_default(),
                difference: entry.difference.map(|row| from.print.signed(row.difference)).unwrap_or_default(),
                differs: entry.difference.is_some_and(|row| row.p_holm < ALPHA),
                best: entry.mark == Mark::Best,
                near: entry.mark == Mark::Near,
            }
        };
        named(from, name, columns.iter().map(number).collect())
    };
    let rule = rule_name(block.selection, false);
    Overview {
        title: format!(
            "{}, K = {}, {}, selection {rule}",
            from.ablation().words(block),
            block.shots,
            evidence(from.input, block).words()
        ),
        head: "variant",
        measures: columns.iter().map(|(column, _)| column.measure.name()).collect(),
        lines: names.enumerate().map(line).collect(),
        further: compared.len() - 1,
        answer: answer(from, compared),
    }
}

/// A line of a variant, with what of all its cells is missing.
fn named(from: &Material<'_>, variant: &str, numbers: Vec<OverviewNumber>) -> OverviewLine {
    let cells = |status: Status| {
        let rows = from.input.results.iter().filter(|row| row.variant == variant && row.status == status);
        rows.map(|row| row.cell.as_str()).collect::<BTreeSet<_>>().len()
    };
    let (failed, not_run) = (cells(Status::Failed), cells(Status::NotRun));
    OverviewLine { name: from.print.variant(variant).to_owned(), numbers, failed, not_run }
}

/// Lines that are printed where variants are not compared.
const MOST: usize = 24;

/// The overview where nothing is compared: a line for each variant, dataset and K, by the first rule and backend.
fn alone(from: &Material<'_>) -> Overview {
    let rows = &from.rows;
    let selection = rows.iter().map(|row| row.selection).min_by_key(|selection| rule(*selection));
    let backend = from.input.backends.first().map(|row| row.backend.as_str());
    let backend = backend.or_else(|| rows.first().map(|row| row.backend.as_str()));
    let here: Vec<&SummaryRow> =
        rows.iter().filter(|row| Some(row.selection) == selection && Some(row.backend.as_str()) == backend).collect();
    let key = |row: &SummaryRow| {
        (row.variant.clone(), row.dataset.clone(), row.trained_on.clone(), row.shots, row.no_support)
    };
    let mut keys = Vec::new();
    for row in &here {
        if !keys.contains(&key(row)) {
            keys.push(key(row));
        }
    }
    let several =
        |part: &dyn Fn(&SummaryRow) -> String| here.iter().map(|row| part(row)).collect::<BTreeSet<_>>().len() > 1;
    let dataset = |row: &SummaryRow| dataset_words(&from.datasets, &row.dataset, &row.trained_on, None);
    let k = |row: &SummaryRow| format!("K = {}", k_name(row.shots, row.no_support));
    let variants = several(&|row| row.variant.clone());
    let (datasets, shots) = (several(&dataset), several(&k));
    let mut lines = Vec::new();
    for wanted in keys.iter().take(MOST) {
        let of_line: Vec<&&SummaryRow> = here.iter().filter(|row| key(row) == *wanted).collect();
        let Some(first) = of_line.first() else { continue };
        let parts = [
            (variants || !(datasets || shots), from.print.variant(&first.variant).to_owned()),
            (datasets, dataset(first)),
            (shots, k(first)),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|(shown, _)| *shown).map(|(_, part)| part).collect();
        let masks = of_line.iter().any(|row| row.image_score == Some(ImageScore::MapMax));
        let number = |measure: Measure| {
            let score = (measure == Measure::Ac).then(|| paper_score(masks));
            let found = of_line.iter().find(|row| {
                let by = score.is_none_or(|score| row.image_score == Some(score));
                row.metric == Some(measure.metric()) && by
            });
            let value =
                found.and_then(|row| Some(from.print.fraction(row.mean?, chosen_by(row.selection, row.no_choice))));
            OverviewNumber { value: value.unwrap_or_default(), ..OverviewNumber::default() }
        };
        let line = named(from, &first.variant, Measure::ALL.map(number).into());
        let undone = |of: fn(&SummaryRow) -> u64| of_line.iter().map(|row| of(row)).max().unwrap_or(0) as usize;
        lines.push(OverviewLine {
            name: parts.join(", "),
            failed: undone(|row| row.failed),
            not_run: undone(|row| row.not_run),
            ..line
        });
    }
    let mut title = Vec::new();
    if let Some(first) = here.first() {
        title.extend((!datasets).then(|| dataset(first)));
        title.extend((!shots).then(|| k(first)));
    }
    title.push(format!("selection {}", rule_name(selection.unwrap_or(Selection::Last), false)));
    let all: BTreeSet<_> = rows.iter().map(|row| (key(row), row.selection.name(), &row.backend)).collect();
    Overview {
        title: title.join(", "),
        head: match (variants, datasets, shots) {
            (false, true, _) => "dataset",
            (false, false, true) => "K",
            _ => "variant",
        },
        measures: Measure::ALL.map(Measure::name).into(),
        further: all.len().saturating_sub(lines.len()),
        lines,
        answer: Vec::new(),
    }
}
