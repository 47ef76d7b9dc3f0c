//! The ablation table: each variant's numbers and its differences from the base, with the best marked. Where variants
//! have several methods it is the table of differences between methods.

use std::collections::BTreeSet;

use harness_method::{ImageScore, Selection};
use harness_tables::{DifferenceRow, Frame, row};

use crate::ReportError;
use crate::best::{BRIEF, Mark, NOTE, marks};
use crate::comparisons::{Ablation, Block, Column, Differences, Intervals};
use crate::measure::score_name;
use crate::numbers::{Number, Wanted, numbers};
use crate::print::{Print, Reasons};
use crate::sheet::{Sheet, Table};
use crate::words::{Limit, chosen_by, p_value, rule_name};

/// One variant's measure in a block.
pub(crate) struct Entry<'a> {
    pub(crate) variant: &'a str,
    /// What the summary has of it.
    pub(crate) number: Number,
    pub(crate) value: Option<f64>,
    /// From the base; absent for the base itself.
    pub(crate) difference: Option<&'a DifferenceRow>,
    /// There is one state alone, so that no rule chose it.
    pub(crate) no_choice: bool,
    pub(crate) mark: Mark,
}

/// A block with its entries.
pub(crate) struct Filled<'a> {
    pub(crate) block: Block<'a>,
    /// Of each column that has differences an entry for each variant.
    pub(crate) columns: Vec<(Column, Vec<Entry<'a>>)>,
}

impl Filled<'_> {
    /// The entries variant by variant, as the lines of the table are.
    fn lines(&self) -> impl Iterator<Item = Vec<(Column, &Entry<'_>)>> {
        let variants = self.columns.first().map_or(0, |(_, column)| column.len());
        let line = |number: usize| {
            self.columns.iter().filter_map(|(column, entries)| Some((*column, entries.get(number)?))).collect()
        };
        (0..variants).map(line)
    }
}

/// Columns of the summary that an entry is of.
const KEYS: [&str; 7] = ["variant", "dataset", "trained_on", "normal_shots", "abnormal_shots", "backend", "selection"];

impl<'a> Ablation<'a> {
    /// The blocks with an entry for each column that has differences and each variant.
    ///
    /// # Errors
    /// Polars' own.
    pub(crate) fn filled(&self) -> Result<Vec<Filled<'a>>, ReportError> {
        let columns = self.columns();
        let (differences, intervals) = (Differences::of(self.differences), Intervals::of(self.intervals));
        let blocks = self.blocks();
        let variants = self.variants(&blocks);
        let single: BTreeSet<&str> =
            self.rows.iter().filter(|row| row.no_choice).map(|row| row.variant.as_str()).collect();
        let mut wanted = Vec::new();
        for (block, variants) in blocks.iter().zip(&variants) {
            for column in &columns {
                wanted.extend(variants.iter().map(|variant| block.wanted(*column, variant)));
            }
        }
        let mut found = numbers(&wanted, self.rows, &KEYS)?.into_iter();
        let mut filled = Vec::new();
        for (block, variants) in blocks.into_iter().zip(&variants) {
            let mut with_entries = Vec::new();
            for column in &columns {
                let condition = block.condition(*column);
                let entry = |(&variant, number): (&&'a str, Number)| {
                    let interval = intervals.get(condition, variant).map(|row| row.mean);
                    Entry {
                        variant,
                        no_choice: single.contains(variant),
                        value: number.mean.or(interval),
                        number,
                        difference: differences.get(condition, variant, self.base),
                        mark: Mark::None,
                    }
                };
                let mut entries: Vec<Entry<'a>> = variants.iter().zip(&mut found).map(entry).collect();
                let values: Vec<(&str, Option<f64>)> =
                    entries.iter().map(|entry| (entry.variant, entry.value)).collect();
                let marks = marks(&values, |variant, best| Some(differences.get(condition, variant, best)?.p_holm));
                entries.iter_mut().zip(marks).for_each(|(entry, mark)| entry.mark = mark);
                with_entries.push((*column, entries));
            }
            filled.push(Filled { block, columns: with_entries });
        }
        Ok(filled)
    }
}

impl Block<'_> {
    fn wanted(&self, column: Column, variant: &str) -> Wanted {
        let condition = self.condition(column);
        Wanted {
            variant: variant.to_owned(),
            dataset: self.dataset.to_owned(),
            trained_on: self.trained_on.to_owned(),
            shots: self.shots,
            backend: self.backend.to_owned(),
            selection: self.selection,
            metric: Some(condition.metric),
            image_score: condition.image_score,
            ..Wanted::default()
        }
    }

    /// A number as printed. The summary has none of a mean over datasets.
    fn value_words(&self, entry: &Entry<'_>, print: &Print, reasons: &mut Reasons) -> String {
        match entry.value {
            _ if !self.dataset.is_empty() => entry.number.words(print, reasons),
            Some(mean) => print.fraction(mean, chosen_by(self.selection, entry.no_choice)),
            None => MISSING.to_owned(),
        }
    }

    /// Why an entry has no number, for programs.
    fn message(&self, entry: &Entry<'_>) -> String {
        match entry.value {
            Some(_) => String::new(),
            None if self.dataset.is_empty() => MISSING.to_owned(),
            None => entry.number.message(),
        }
    }
}

/// What stands in place of a mean over datasets that some have no number for.
const MISSING: &str = "a dataset is missing";

row! {
    /// One number a row: the table as programs read it.
    LongRow is "ablation" {
        dataset: String,
        trained_on: String,
        backend: String,
        selection: Selection,
        image_score: Option<ImageScore>,
        variant: String,
        measure: String,
        mark: String,
        message: String,
        shots: Option<u64>,
        mean: Option<f64>,
        difference: Option<f64>,
        low: Option<f64>,
        high: Option<f64>,
        p: Option<f64>,
        p_holm: Option<f64>,
        no_choice: bool,
        method: String,
        normal_shots: u64,
        abnormal_shots: u64,
    }
}

/// The ablation table; `None` where there are no differences from the base. `limit` is
/// what its intervals do not know.
///
/// # Errors
/// Polars' own.
pub(crate) fn ablation(
    from: &Ablation<'_>,
    filled: &[Filled<'_>],
    limit: Option<Limit>,
    print: &Print,
) -> Result<Option<Table>, ReportError> {
    if filled.is_empty() {
        return Ok(None);
    }
    let level = from.differences.first().map_or(0.95, |row| row.level) * 100.0;
    let mut reasons = Reasons::default();
    let sheet = sheet(from, filled, print, &mut reasons);
    let (sheet, everywhere) = sheet.without_constant(&["dataset", "selection", "backend", "image score", "K"]);
    let (what, method) = match from.of_methods() {
        true => (" by each image score that both have", format!(" ({})", from.method(from.base))),
        false => ("", String::new()),
    };
    let by_heads = match from.columns().iter().any(|column| column.score.is_some()) && !from.of_methods() {
        true => " by the block's image score, and by that of the detection heads",
        false => "",
    };
    let p = match from.of_methods() {
        true => {
            "p: two-sided, of no difference from the base; Holm: the same, adjusted over all methods of a block for the column."
        }
        false => {
            "p: two-sided, of no difference from the base, adjusted by Holm over all variants of a block for the measure."
        }
    };
    Ok(Some(Table {
        name: "ablation",
        heading: if from.of_methods() { "Differences between methods" } else { "Ablation" },
        sentence: format!(
            "Each variant's mean and its difference from `{}`{method} on the same test images, draws and seeds{what}: a positive \
             difference is better than the base.",
            print.variant(from.base)
        ),
        brief: vec![
            format!("AC: image AUROC; AS: pixel AUROC. Brackets: {level:.0} % intervals; p adjusted by Holm."),
            BRIEF.to_owned(),
        ],
        notes: everywhere
            .into_iter()
            .chain(limit.map(|limit| limit.sentence().to_owned()))
            .chain([
                format!(
                    "AC: image AUROC{by_heads}; AS: pixel AUROC. Differences from the base with {level:.0} % intervals of the paired bootstrap; {p}"
                ),
                NOTE.to_owned(),
            ])
            .chain(reasons.note())
            .collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(&long(from, filled))?,
    }))
}

/// The table as people read it: a line a variant.
fn sheet(from: &Ablation<'_>, filled: &[Filled<'_>], print: &Print, reasons: &mut Reasons) -> Sheet {
    let of_methods = from.of_methods();
    let mut sheet = Sheet::new(&["dataset", "selection", "backend", "image score"], &["K"]);
    sheet.stub_after(if of_methods { &["variant", "method"] } else { &["variant"] });
    let first = if of_methods { 7 } else { 6 };
    let below: &[&str] = if of_methods { &["value", "difference", "p", "Holm"] } else { &["value", "difference", "p"] };
    for column in from.columns() {
        sheet.under(&column.name(), below);
    }
    for filled in filled {
        let block = &filled.block;
        sheet.block();
        for line in filled.lines() {
            let variant = line.first().map_or("", |(_, entry)| entry.variant);
            let mut words = vec![
                from.words(block),
                rule_name(block.selection, line.first().is_some_and(|(_, entry)| entry.no_choice)).to_owned(),
                block.backend.to_owned(),
                // The columns of methods name their own.
                if of_methods { "" } else { score_name(block.score) }.to_owned(),
                block.shots.to_string(),
                print.variant(variant).to_owned(),
            ];
            if of_methods {
                words.push(from.method(variant).to_owned());
            }
            for (_, entry) in &line {
                words.push(block.value_words(entry, print, reasons) + entry.mark.sign());
                words.extend(entry_words(entry, entry.variant == from.base, of_methods, print));
            }
            sheet.push(words);
            let best = line.iter().enumerate().filter(|(_, (_, entry))| entry.mark == Mark::Best);
            best.for_each(|(at, _)| sheet.embolden(first + below.len() * at));
        }
    }
    sheet
}

/// Difference and the adjusted p, before which stands p itself where `both` are asked for.
fn entry_words(entry: &Entry<'_>, is_base: bool, both: bool, print: &Print) -> Vec<String> {
    let dash = || "–".to_owned();
    let difference = match entry.difference {
        Some(row) => {
            let [value, low, high] = [row.difference, row.low, row.high].map(|v| print.signed(v));
            format!("{value}\u{a0}[{low},\u{a0}{high}]")
        }
        None if is_base && entry.value.is_some() => "base".to_owned(),
        None => dash(),
    };
    let mut words = vec![difference];
    if both {
        words.push(entry.difference.map_or_else(dash, |row| p_value(row.p)));
    }
    words.push(entry.difference.map_or_else(dash, |row| p_value(row.p_holm)));
    words
}

fn long(from: &Ablation<'_>, filled: &[Filled<'_>]) -> Vec<LongRow> {
    let row = |block: &Block<'_>, column: Column, entry: &Entry<'_>| {
        let of = |of: fn(&DifferenceRow) -> f64| entry.difference.map(of);
        LongRow {
            dataset: if block.dataset.is_empty() { "mean" } else { block.dataset }.to_owned(),
            trained_on: block.trained_on.to_owned(),
            backend: block.backend.to_owned(),
            selection: block.selection,
            image_score: block.condition(column).image_score,
            variant: entry.variant.to_owned(),
            measure: column.measure.name().to_owned(),
            mark: entry.mark.word().to_owned(),
            message: block.message(entry),
            shots: block.shots.k().map(u64::from),
            mean: entry.value,
            difference: of(|row| row.difference),
            low: of(|row| row.low),
            high: of(|row| row.high),
            p: of(|row| row.p),
            p_holm: of(|row| row.p_holm),
            no_choice: entry.no_choice,
            method: from.method(entry.variant).to_owned(),
            normal_shots: u64::from(block.shots.normal),
            abnormal_shots: u64::from(block.shots.abnormal),
        }
    };
    let lines = filled.iter().flat_map(|filled| filled.lines().flatten().map(|entry| (&filled.block, entry)));
    lines.map(|(block, (column, entry))| row(block, column, entry)).collect()
}
