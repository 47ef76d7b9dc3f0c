//! The ablation table: each variant's numbers and what it differs by from the base, with the best marked. Intervals and
//! p-values come from the caller.

use harness_tables::{DifferenceRow, Frame, Values};

use crate::best::{Mark, NOTE, marks};
use crate::comparisons::{Ablation, Block};
use crate::measure::{Measure, cell, fraction, p_value, signed};
use crate::sheet::{Sheet, Table};
use crate::{ReportError, SummaryRow};

/// One variant's measure in a block.
struct Entry {
    /// As printed.
    words: String,
    value: Option<f64>,
    /// Against the base; none for the base itself.
    difference: Option<DifferenceRow>,
    mark: Mark,
}

impl<'a> Ablation<'a> {
    fn entries(&self, block: &Block<'a>, measure: Measure) -> Vec<Entry> {
        let variants = self.variants(block);
        let mut entries: Vec<Entry> = variants.iter().map(|variant| self.entry(block, measure, variant)).collect();
        let numbers: Vec<(&str, Option<f64>)> =
            variants.iter().zip(&entries).map(|(variant, entry)| (*variant, entry.value)).collect();
        let p = |variant: &str, best: &str| Some(self.difference(block, measure, variant, best)?.p_holm);
        for (entry, mark) in entries.iter_mut().zip(marks(&numbers, p)) {
            entry.mark = mark;
        }
        entries
    }

    fn entry(&self, block: &Block<'a>, measure: Measure, variant: &str) -> Entry {
        let difference = self.difference(block, measure, variant, self.base).cloned();
        let interval = self.intervals.iter().find(|row| {
            row.variant == variant
                && block.has((&row.dataset, &row.trained_on), row.shots, &row.backend, &row.selection)
                && measure.is(&row.metric, &row.image_score, block.score)
        });
        let group: Vec<&SummaryRow> = self
            .rows
            .iter()
            .filter(|row| {
                row.variant == variant
                    && block.has((&row.dataset, &row.trained_on), row.shots, &row.backend, &row.selection)
            })
            .collect();
        let mean = measure.find(&group, block.score).and_then(|row| row.mean);
        let value = mean.or(interval.map(|row| row.mean));
        let words = match interval {
            _ if !block.dataset.is_empty() => cell(&group, measure, block.score),
            Some(row) => fraction(row.mean, block.selection()),
            None => "a data set is missing".to_owned(),
        };
        Entry { words, value, difference, mark: Mark::None }
    }
}

/// The ablation table; `None` where there are no differences from the base.
pub(crate) fn ablation(from: &Ablation<'_>) -> Result<Option<Table>, ReportError> {
    let blocks = from.blocks();
    if blocks.is_empty() {
        return Ok(None);
    }
    let mut sheet = Sheet::new(&["data set", "selection", "backend", "image score"], &["K"]);
    sheet.words_after(&["variant"]);
    const FIRST: usize = 6;
    let has = |measure: &Measure| from.differences.iter().any(|row| row.metric == measure.metric());
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(has).collect();
    for measure in &measures {
        sheet.under(measure.name(), &["value", "difference", "p"]);
    }
    let mut long = Long::default();
    for block in &blocks {
        sheet.block();
        let entries: Vec<Vec<Entry>> = measures.iter().map(|measure| from.entries(block, *measure)).collect();
        for (number, variant) in from.variants(block).iter().enumerate() {
            let mut words = vec![
                from.words(block),
                block.selection().to_owned(),
                block.backend.to_owned(),
                block.score.to_owned(),
                block.shots.to_string(),
                (*variant).to_owned(),
            ];
            let line = || entries.iter().filter_map(|entries| entries.get(number));
            for entry in line() {
                words.extend(entry_words(entry, *variant == from.base));
            }
            sheet.push(words);
            for (at, entry) in line().enumerate() {
                if entry.mark == Mark::Best {
                    sheet.embolden(FIRST + 3 * at);
                }
                long.push(block, variant, measures[at], entry);
            }
        }
    }
    let level = from.differences.first().map_or(0.95, |row| row.level) * 100.0;
    let (sheet, everywhere) = sheet.without_constant(&["data set", "selection", "backend", "image score", "K"]);
    Ok(Some(Table {
        name: "ablation",
        heading: "Ablation",
        sentence: format!(
            "Each variant's mean and its difference from `{}` on the same test images, draws and seeds: a positive difference \
             is better than the base.",
            from.base
        ),
        notes: everywhere.into_iter().chain([
            format!(
                "AC: image AUROC; AS: pixel AUROC. Differences from the base with {level:.0} % intervals of the paired bootstrap; \
                 p: two-sided, of no difference from the base, adjusted by Holm over all variants of a block for the measure."
            ),
            NOTE.to_owned(),
        ]).collect(),
        shown: sheet.frame()?,
        whole: None,
        long: long.frame()?,
    }))
}

fn entry_words(entry: &Entry, base: bool) -> [String; 3] {
    let mark = entry.mark.sign();
    let (difference, p) = match &entry.difference {
        Some(row) => {
            (format!("{} [{}, {}]", signed(row.difference), signed(row.low), signed(row.high)), p_value(row.p_holm))
        }
        None if base && entry.value.is_some() => ("base".to_owned(), "–".to_owned()),
        None => ("–".to_owned(), "–".to_owned()),
    };
    [format!("{}{mark}", entry.words), difference, p]
}

/// One number a row.
#[derive(Default)]
struct Long {
    words: [Vec<String>; 9],
    shots: Vec<u64>,
    numbers: [Vec<Option<f64>>; 6],
}

impl Long {
    fn push(&mut self, block: &Block<'_>, variant: &str, measure: Measure, entry: &Entry) {
        let message = if entry.value.is_some() { "" } else { &entry.words };
        let dataset = if block.dataset.is_empty() { "mean" } else { block.dataset };
        let words = [
            dataset,
            block.trained_on,
            block.backend,
            block.selection(),
            block.score,
            variant,
            measure.name(),
            entry.mark.word(),
            message,
        ];
        self.words.iter_mut().zip(words).for_each(|(column, word)| column.push(word.to_owned()));
        self.shots.push(u64::from(block.shots));
        let of = |of: fn(&DifferenceRow) -> f64| entry.difference.as_ref().map(of);
        let numbers = [entry.value, of(|d| d.difference), of(|d| d.low), of(|d| d.high), of(|d| d.p), of(|d| d.p_holm)];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }

    fn frame(self) -> Result<Frame, ReportError> {
        let words =
            ["dataset", "trained_on", "backend", "selection", "image_score", "variant", "measure", "mark", "message"];
        let numbers = ["mean", "difference", "low", "high", "p", "p_holm"];
        let mut columns: Vec<(String, Values)> =
            words.into_iter().zip(self.words).map(|(name, v)| (name.to_owned(), Values::Text(v))).collect();
        columns.push(("shots".to_owned(), Values::Count(self.shots)));
        columns.extend(numbers.into_iter().zip(self.numbers).map(|(name, v)| (name.to_owned(), Values::Number(v))));
        Ok(Frame::new(columns)?)
    }
}
