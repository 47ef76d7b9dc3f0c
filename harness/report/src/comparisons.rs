//! What variants are compared on: the blocks of the ablation's table and figures, and the tests of a report by what
//! they compare.

use std::collections::{BTreeSet, HashMap};

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_results::ReportDataset;
use harness_tables::{DifferenceRow, IntervalRow};

use crate::SummaryRow;
use crate::measure::{Measure, asked_by, dataset_words, rank, rule};

/// Level below which a p value is significant.
pub(crate) const ALPHA: f64 = 0.05;

/// What numbers of several variants have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Condition<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) trained_on: &'a str,
    pub(crate) shots: Shots,
    pub(crate) backend: &'a str,
    pub(crate) selection: Selection,
    pub(crate) metric: Metric,
    pub(crate) image_score: Option<ImageScore>,
}

/// A row of statistics, which stands under a condition.
pub(crate) trait Conditioned {
    /// The condition as the row has it; another image score may ask for it too ([`asked_by`]).
    fn condition(&self) -> Condition<'_>;
}

/// Both rows have these fields; a trait can't ask for fields.
macro_rules! conditioned {
    ($($row:ty),*) => {$(
        impl Conditioned for $row {
            fn condition(&self) -> Condition<'_> {
                Condition {
                    dataset: &self.dataset,
                    trained_on: &self.trained_on,
                    shots: self.shots,
                    backend: &self.backend,
                    selection: self.selection,
                    metric: self.metric,
                    image_score: self.image_score,
                }
            }
        }
    )*};
}

conditioned!(DifferenceRow, IntervalRow);

/// Rows by each condition that can ask for them and what more names them; of equals the first.
fn by_condition<'a, R: Conditioned, K: Eq + std::hash::Hash>(
    rows: &'a [R],
    name: impl Fn(&'a R) -> K,
) -> HashMap<(Condition<'a>, K), &'a R> {
    let mut found = HashMap::new();
    for row in rows {
        let condition = row.condition();
        for image_score in asked_by(condition.metric, condition.image_score) {
            found.entry((Condition { image_score, ..condition }, name(row))).or_insert(row);
        }
    }
    found
}

/// Tests of differences by condition, variant and what it is compared with. An index rather than a query: whom a
/// variant is compared with is known only when the best of a column is.
pub(crate) struct Differences<'a>(HashMap<(Condition<'a>, (&'a str, &'a str)), &'a DifferenceRow>);

impl<'a> Differences<'a> {
    /// Those of a report.
    pub(crate) fn of(rows: &'a [DifferenceRow]) -> Self {
        Self(by_condition(rows, |row| (row.variant.as_str(), row.base.as_str())))
    }

    /// A variant's difference from a base.
    pub(crate) fn get(&self, condition: Condition<'_>, variant: &str, base: &str) -> Option<&'a DifferenceRow> {
        self.0.get(&(condition, (variant, base))).copied()
    }
}

/// Means with intervals by condition and variant.
pub(crate) struct Intervals<'a>(HashMap<(Condition<'a>, &'a str), &'a IntervalRow>);

impl<'a> Intervals<'a> {
    /// Those of a report.
    pub(crate) fn of(rows: &'a [IntervalRow]) -> Self {
        Self(by_condition(rows, |row| row.variant.as_str()))
    }

    /// A variant's mean.
    pub(crate) fn get(&self, condition: Condition<'_>, variant: &str) -> Option<&'a IntervalRow> {
        self.0.get(&(condition, variant)).copied()
    }
}

/// What the ablation's table and figures are made of.
pub(crate) struct Ablation<'a> {
    pub(crate) rows: &'a [SummaryRow],
    pub(crate) datasets: &'a [ReportDataset],
    pub(crate) variants: &'a [String],
    pub(crate) backends: &'a [String],
    /// The method of each variant.
    pub(crate) methods: &'a [String],
    pub(crate) base: &'a str,
    pub(crate) intervals: &'a [IntervalRow],
    pub(crate) differences: &'a [DifferenceRow],
}

/// What the variants of one block share, in the order to print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block<'a> {
    rule: u8,
    pub(crate) selection: Selection,
    backend_rank: usize,
    pub(crate) backend: &'a str,
    pub(crate) shots: Shots,
    /// The mean over datasets comes last.
    is_mean: bool,
    rank: usize,
    pub(crate) dataset: &'a str,
    pub(crate) trained_on: &'a str,
    pub(crate) score: Option<ImageScore>,
}

/// A measure of a block's variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) measure: Measure,
    /// The image score, where it is not the block's.
    pub(crate) score: Option<ImageScore>,
}

impl Column {
    /// As tables name it.
    pub(crate) fn name(self) -> String {
        let by = self.score.map(|score| format!(" by {}", score.name())).unwrap_or_default();
        self.measure.name().to_owned() + &by
    }

    /// Whether it is the block's own number, and not one by a further image score.
    pub(crate) fn is_main(self, block: &Block<'_>) -> bool {
        self.score.is_none_or(|score| Some(score) == block.score)
    }

    /// As names of files have it.
    pub(crate) fn file_name(self) -> String {
        self.name().replace(" by ", "-")
    }

    /// The measure in words, within a sentence.
    pub(crate) fn words_within(self) -> String {
        let by = self.score.map(|score| format!(", {}", score.name())).unwrap_or_default();
        self.measure.words_within().to_owned() + &by
    }
}

impl<'a> Block<'a> {
    /// The condition of a column in this block.
    pub(crate) fn condition(&self, Column { measure, score }: Column) -> Condition<'a> {
        Condition {
            dataset: self.dataset,
            trained_on: self.trained_on,
            shots: self.shots,
            backend: self.backend,
            selection: self.selection,
            metric: measure.metric(),
            image_score: score.or(self.score),
        }
    }
}

impl<'a> Ablation<'a> {
    /// Whether variants have several methods, which are compared by every image score: none of them is the one that all
    /// were made for.
    pub(crate) fn of_methods(&self) -> bool {
        self.methods.iter().any(|method| Some(method) != self.methods.first())
    }

    /// The method of a variant; empty where it is not known.
    pub(crate) fn method(&self, variant: &str) -> &'a str {
        let mut known = self.variants.iter().zip(self.methods);
        known.find(|(name, _)| *name == variant).map_or("", |(_, method)| method.as_str())
    }

    /// The columns that have differences: image AUROC by the block's image score and by the detection heads, or by each
    /// image score that methods have, and pixel AUROC.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let of_base = |measure: Measure| {
            self.differences.iter().filter(move |row| row.base == self.base && row.metric == measure.metric())
        };
        let mut columns = Vec::new();
        for measure in Measure::ALL.into_iter().filter(|measure| of_base(*measure).next().is_some()) {
            if measure == Measure::Ac && self.of_methods() {
                let scores: BTreeSet<ImageScore> = of_base(measure).filter_map(|row| row.image_score).collect();
                columns.extend(scores.into_iter().map(|score| Column { measure, score: Some(score) }));
            } else {
                columns.push(Column { measure, score: None });
                let has = |score: ImageScore| of_base(measure).any(|row| row.image_score == Some(score));
                // Where a block has no maps, its own score is that of the heads.
                if measure == Measure::Ac && has(ImageScore::MapMax) && has(ImageScore::Detection) {
                    columns.push(Column { measure, score: Some(ImageScore::Detection) });
                }
            }
        }
        columns
    }

    /// The blocks that have differences from the base, each by the paper's image score of the dataset where it is among
    /// them.
    pub(crate) fn blocks(&self) -> Vec<Block<'a>> {
        let of_base = |measure: Measure| {
            self.differences.iter().filter(move |row| row.base == self.base && row.metric == measure.metric())
        };
        let images: BTreeSet<Block<'a>> = of_base(Measure::Ac).map(|row| self.block(row)).collect();
        // The map's maximum where maps are scored; the detection heads where they are all there is.
        let by_maps = |block: &Block<'a>| Block { score: Some(ImageScore::MapMax), ..block.clone() };
        let mut found: BTreeSet<Block<'a>> = images
            .iter()
            .filter(|block| block.score == Some(ImageScore::MapMax) || !images.contains(&by_maps(block)))
            .cloned()
            .collect();
        let without = |block: &Block<'a>| Block { score: None, ..block.clone() };
        let mut conditions: BTreeSet<Block<'a>> = found.iter().map(without).collect();
        for pixel in of_base(Measure::As).map(|row| self.block(row)) {
            if conditions.insert(without(&pixel)) {
                found.insert(pixel);
            }
        }
        found.into_iter().collect()
    }

    fn block(&self, row: &'a DifferenceRow) -> Block<'a> {
        let place = self.datasets.iter().position(|dataset| dataset.name == row.dataset);
        Block {
            rule: rule(row.selection),
            selection: row.selection,
            backend_rank: rank(self.backends, &row.backend).0,
            backend: &row.backend,
            shots: row.shots,
            is_mean: row.dataset.is_empty(),
            rank: place.unwrap_or(self.datasets.len()),
            dataset: &row.dataset,
            trained_on: &row.trained_on,
            score: row.image_score,
        }
    }

    /// The dataset of a block in words.
    pub(crate) fn words(&self, block: &Block<'_>) -> String {
        // Columns by one image score are over other datasets than columns by another.
        if block.dataset.is_empty() && self.of_methods() && self.datasets.iter().any(|dataset| !dataset.masks) {
            return "mean of datasets that have it".to_owned();
        }
        dataset_words(self.datasets, block.dataset, block.trained_on, block.score)
    }

    /// The variants of each block in the order to print, the base first.
    pub(crate) fn variants(&self, blocks: &[Block<'a>]) -> Vec<Vec<&'a str>> {
        let compared: BTreeSet<&str> =
            self.differences.iter().filter(|row| row.base == self.base).map(|row| row.variant.as_str()).collect();
        let mut planned: HashMap<(&str, &str), BTreeSet<&str>> = HashMap::new();
        for row in self.rows {
            planned.entry((row.dataset.as_str(), row.trained_on.as_str())).or_default().insert(&row.variant);
        }
        let of_block = |block: &Block<'a>| {
            let planned = planned.get(&(block.dataset, block.trained_on)).into_iter().flatten();
            let mut names: Vec<&str> = compared.iter().chain(planned).copied().chain([self.base]).collect();
            names.sort_by_key(|name| (*name != self.base, rank(self.variants, name)));
            names.dedup();
            names
        };
        blocks.iter().map(of_block).collect()
    }
}
