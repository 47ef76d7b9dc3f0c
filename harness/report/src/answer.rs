//! What the comparisons of a report come to, in sentences: what differs from the base, by how much and over how much
//! evidence, or that nothing was shown to. They read the rows of the ablation and test nothing anew.

use std::collections::BTreeSet;

use harness_method::Selection;
use harness_results::ReportInput;
use harness_tables::{ResultRow, Status};
use harness_text::{all_of, count};

use crate::ablation::{Entry, Filled};
use crate::comparisons::{ALPHA, Block, Column};
use crate::material::Material;
use crate::words::{Limit, p_value, rule_name};

/// Blocks of the ablation that are put into words; the others are in its table.
const MOST: usize = 6;

/// Differences that a sentence names.
const NAMED: usize = 4;

/// The answer: a sentence for each K and dataset, or for the mean over datasets, by the first rule and backend; then
/// what limits it. Empty where nothing is compared.
pub(crate) fn answer(from: &Material<'_>, compared: &[Filled<'_>]) -> Vec<String> {
    let chosen = headline(from, compared);
    let mut sentences: Vec<String> =
        chosen.iter().take(MOST).filter_map(|filled| sentence(from, filled, compared)).collect();
    if sentences.is_empty() {
        return sentences;
    }
    if chosen.len() > MOST {
        sentences.push(format!("{} further comparisons are in the table of differences.", chosen.len() - MOST));
    }
    let limits = chosen.iter().filter_map(|filled| evidence(from.input, &filled.block).limit());
    sentences.extend(limits.min().map(|limit| limit.sentence().to_owned()));
    sentences.extend(from.print.unit());
    sentences
}

/// The blocks that an answer is about: of the rule that looks at the least, on the first backend; means over datasets
/// where there are some.
pub(crate) fn headline<'c, 'a>(from: &Material<'_>, compared: &'c [Filled<'a>]) -> Vec<&'c Filled<'a>> {
    let Some(first) = compared.first() else { return Vec::new() };
    // Where there are several, the reference leads.
    let reference = from.input.backends.first().map(|row| row.backend.as_str());
    let of_rule = || compared.iter().filter(|filled| filled.block.selection == first.block.selection);
    let has = |backend: &&str| of_rule().any(|filled| filled.block.backend == *backend);
    let backend = reference.filter(has).unwrap_or(first.block.backend);
    let alike =
        |filled: &&Filled<'_>| (filled.block.selection, filled.block.backend) == (first.block.selection, backend);
    let blocks: Vec<&Filled<'_>> = compared.iter().filter(alike).collect();
    let means: Vec<&Filled<'_>> = blocks.iter().copied().filter(|filled| filled.block.dataset.is_empty()).collect();
    if means.is_empty() { blocks } else { means }
}

/// What numbers of a block rest on.
pub(crate) struct Evidence {
    datasets: usize,
    draws: usize,
    seeds: usize,
    /// Test images of all datasets.
    images: u64,
    /// Nothing but test images decides the numbers: no support set is seen, and one seed was run.
    only_images: bool,
}

impl Evidence {
    /// What intervals of these numbers do not know that would change them.
    pub(crate) fn limit(&self) -> Option<Limit> {
        match (self.draws, self.seeds) {
            _ if self.only_images => None,
            (1, 1) => Some(Limit::Alone),
            (1, _) => Some(Limit::OneSet),
            _ => None,
        }
    }

    /// In words: `3 datasets, 1 draw, 3 seeds, 61 test images`.
    pub(crate) fn words(&self) -> String {
        let mut parts = Vec::new();
        if self.datasets > 1 {
            parts.push(count(self.datasets as u64, "dataset"));
        }
        parts.push(count(self.draws as u64, "draw"));
        parts.push(count(self.seeds as u64, "seed"));
        if self.images > 0 {
            parts.push(count(self.images, "test image"));
        }
        parts.join(", ")
    }
}

/// What the done cells of a block rest on.
pub(crate) fn evidence(input: &ReportInput, block: &Block<'_>) -> Evidence {
    let rows: Vec<&ResultRow> = rows_of(input, block).filter(|row| row.status == Status::Done).collect();
    let sets: BTreeSet<(&str, u64)> =
        rows.iter().map(|row| (row.dataset.as_str(), row.n_images.unwrap_or(0))).collect();
    Evidence {
        datasets: sets.len(),
        draws: rows.iter().map(|row| row.draw).collect::<BTreeSet<_>>().len(),
        seeds: rows.iter().map(|row| row.seed).collect::<BTreeSet<_>>().len(),
        images: sets.iter().map(|(_, images)| images).sum(),
        only_images: rows.iter().all(|row| row.no_support),
    }
}

/// The rows of a block's cells, whatever became of them.
fn rows_of<'i>(input: &'i ReportInput, block: &'i Block<'_>) -> impl Iterator<Item = &'i ResultRow> {
    input.results.iter().filter(|row| {
        let datasets = block.dataset.is_empty() || (row.dataset == block.dataset && row.trained_on == block.trained_on);
        datasets && row.backend == block.backend && row.selection == block.selection && row.shots == block.shots
    })
}

/// A variant's difference from the base in one column.
struct Finding<'f> {
    variant: &'f str,
    difference: f64,
    words: String,
    is_significant: bool,
}

impl<'f> Finding<'f> {
    fn of(from: &Material<'_>, block: &Block<'_>, column: Column, entry: &'f Entry<'_>) -> Option<Self> {
        let (row, print) = (entry.difference?, &from.print);
        let compared = [entry.variant, from.ablation().base];
        let missing = |row: &ResultRow| row.status != Status::Done && compared.contains(&row.variant.as_str());
        let over = match rows_of(from.input, block).any(missing) {
            true => format!(" over {} alone, as cells are missing", count(row.count, "pair")),
            false => String::new(),
        };
        let p = p_value(row.p_holm);
        let p = if p.starts_with('<') { format!("p {p}") } else { format!("p = {p}") };
        let words = format!(
            "`{}` {} {} [{}, {}], {p}{over}",
            print.variant(entry.variant),
            column.name(),
            print.signed(row.difference),
            print.signed(row.low),
            print.signed(row.high)
        );
        let is_significant = row.p_holm < ALPHA;
        Some(Self { variant: entry.variant, difference: row.difference, words, is_significant })
    }
}

/// One block in words; `None` where nothing in it was compared.
fn sentence(from: &Material<'_>, filled: &Filled<'_>, all: &[Filled<'_>]) -> Option<String> {
    let block = &filled.block;
    let ablation = from.ablation();
    let mut findings: Vec<Finding<'_>> = filled
        .columns
        .iter()
        .flat_map(|(column, entries)| entries.iter().filter_map(move |entry| Finding::of(from, block, *column, entry)))
        .collect();
    findings.sort_by(|a, b| b.difference.abs().total_cmp(&a.difference.abs()));
    let largest = findings.first()?;
    let mut measures: Vec<String> = Vec::new();
    for (column, entries) in &filled.columns {
        if entries.iter().any(|entry| entry.difference.is_some()) {
            measures.push(column.name());
        }
    }
    let measures = format!("{}; Holm", measures.join(", "));
    let variants: BTreeSet<&str> = findings.iter().map(|finding| finding.variant).collect();
    let significant: Vec<&Finding<'_>> = findings.iter().filter(|finding| finding.is_significant).collect();
    let what = if significant.is_empty() {
        let none = match variants.first() {
            Some(only) if variants.len() == 1 => format!("`{}` was not shown to differ", from.print.variant(only)),
            _ => "no variant was shown to differ".to_owned(),
        };
        format!("{none} ({measures}). Largest: {}.", largest.words)
    } else {
        let side = |better: bool| {
            let here = significant.iter().filter(|finding| (finding.difference > 0.0) == better);
            let more = here.clone().count().saturating_sub(NAMED);
            let named: Vec<&str> = here.take(NAMED).map(|finding| finding.words.as_str()).collect();
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            (!named.is_empty()).then(|| format!("{}{more}.", named.join("; ")))
        };
        let sides = match (side(true), side(false)) {
            (Some(better), Some(worse)) => format!("better: {better} Worse: {worse}"),
            (Some(better), None) => format!("better: {better}"),
            (None, worse) => format!("worse: {}", worse.unwrap_or_default()),
        };
        let rest = match significant.len() < findings.len() {
            true => format!("No other difference is significant ({measures})."),
            false => format!("All differences are significant ({measures})."),
        };
        format!("{sides} {rest}")
    };
    Some(format!("Against `{}` {}: {what}", from.print.variant(ablation.base), place(from, block, all)))
}

/// Where a block's numbers are from.
fn place(from: &Material<'_>, block: &Block<'_>, all: &[Filled<'_>]) -> String {
    let ablation = from.ablation();
    let dataset = match ablation.words(block) {
        mean if block.dataset.is_empty() => format!("in the {mean}"),
        dataset => format!("on {dataset}"),
    };
    let mut parts = vec![dataset, format!("K = {}", block.shots)];
    if block.selection != Selection::Last || all.iter().any(|other| other.block.selection != block.selection) {
        parts.push(format!("selection {}", rule_name(block.selection, false)));
    }
    if all.iter().any(|other| other.block.backend != block.backend) {
        parts.push(block.backend.to_owned());
    }
    parts.push(evidence(from.input, block).words());
    parts.join(", ")
}

/// How many cells failed and why, a line for each reason with its cells' variants; empty where none did.
pub(crate) fn failures(input: &ReportInput) -> Vec<String> {
    let mut reasons: Vec<(&str, BTreeSet<&str>, BTreeSet<&str>)> = Vec::new();
    for row in input.results.iter().filter(|row| row.status == Status::Failed) {
        let reason = if row.message.is_empty() { "no reason recorded" } else { &row.message };
        let place = reasons.iter().position(|(known, ..)| *known == reason).unwrap_or(reasons.len());
        if place == reasons.len() {
            reasons.push((reason, BTreeSet::new(), BTreeSet::new()));
        }
        reasons[place].1.insert(&row.cell);
        reasons[place].2.insert(&row.variant);
    }
    let line = |(reason, cells, variants): &(&str, BTreeSet<&str>, BTreeSet<&str>)| {
        let variants: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
        format!("{} of {}: {reason}", count(cells.len() as u64, "cell"), all_of(&variants))
    };
    reasons.iter().map(line).collect()
}
