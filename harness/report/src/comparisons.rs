//! What variants are compared on: the blocks of the ablation's table and figures. The table is in `ablation`.

use std::collections::BTreeSet;

use harness_results::ReportDataset;
use harness_tables::{DifferenceRow, IntervalRow};

use crate::SummaryRow;
use crate::measure::{Measure, place, place_words, rule};

/// What is significant.
pub(crate) const ALPHA: f64 = 0.05;

/// What the table is made of.
pub(crate) struct Ablation<'a> {
    pub(crate) rows: &'a [SummaryRow],
    pub(crate) datasets: &'a [ReportDataset],
    pub(crate) variants: &'a [String],
    pub(crate) base: &'a str,
    pub(crate) intervals: &'a [IntervalRow],
    pub(crate) differences: &'a [DifferenceRow],
}

/// What the variants of one block share, in the order to print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block<'a> {
    rule: (usize, &'a str),
    pub(crate) backend: &'a str,
    pub(crate) shots: u32,
    /// The mean over data sets comes last.
    place: (bool, usize),
    pub(crate) dataset: &'a str,
    pub(crate) trained_on: &'a str,
    pub(crate) score: &'a str,
}

impl<'a> Block<'a> {
    /// Rule that chose the epoch.
    pub(crate) fn selection(&self) -> &'a str {
        self.rule.1
    }

    /// Whether a row of these belongs to the block.
    pub(crate) fn has(&self, (dataset, trained_on): (&str, &str), shots: u32, backend: &str, selection: &str) -> bool {
        (self.dataset, self.trained_on, self.shots, self.backend, self.selection())
            == (dataset, trained_on, shots, backend, selection)
    }
}

impl<'a> Ablation<'a> {
    /// The blocks there are differences for, by the paper's image score of the data set where it is among them.
    pub(crate) fn blocks(&self) -> BTreeSet<Block<'a>> {
        let block = |row: &'a DifferenceRow, score: &'a str| {
            let place = self.datasets.iter().position(|dataset| dataset.name == row.dataset);
            Block {
                rule: rule(&row.selection),
                backend: &row.backend,
                shots: row.shots,
                place: (row.dataset.is_empty(), place.unwrap_or(self.datasets.len())),
                dataset: &row.dataset,
                trained_on: &row.trained_on,
                score,
            }
        };
        let of_base = || self.differences.iter().filter(|row| row.base == self.base);
        let images: BTreeSet<Block<'a>> = of_base()
            .filter(|row| row.metric == Measure::Ac.metric())
            .map(|row| block(row, &row.image_score))
            .collect();
        let mut found: BTreeSet<Block<'a>> = images
            .iter()
            .filter(|candidate| {
                // The map's maximum where maps are scored; the detection heads alone where they are all there is.
                let other = Block { score: "map-max", ..(*candidate).clone() };
                candidate.score == "map-max" || !images.contains(&other)
            })
            .cloned()
            .collect();
        for row in of_base().filter(|row| row.metric == Measure::As.metric()) {
            let pixel = block(row, &row.image_score);
            let same = |b: &Block<'_>| Block { score: "", ..b.clone() } == Block { score: "", ..pixel.clone() };
            if !found.iter().any(same) {
                found.insert(pixel);
            }
        }
        found
    }

    /// The data set of a block in words.
    pub(crate) fn words(&self, block: &Block<'_>) -> String {
        place_words(self.datasets, block.dataset, block.trained_on, block.score)
    }

    /// A variant's difference from a base in a block.
    pub(crate) fn difference(
        &self,
        block: &Block<'_>,
        measure: Measure,
        variant: &str,
        base: &str,
    ) -> Option<&'a DifferenceRow> {
        self.differences.iter().find(|row| {
            row.variant == variant
                && row.base == base
                && block.has((&row.dataset, &row.trained_on), row.shots, &row.backend, &row.selection)
                && measure.is(&row.metric, &row.image_score, block.score)
        })
    }

    /// The variants of a block in the order to print, the base first.
    pub(crate) fn variants(&self, block: &Block<'_>) -> Vec<&'a str> {
        let here = self.differences.iter().filter(|row| row.base == self.base).map(|row| row.variant.as_str());
        let planned = self.rows.iter().filter(|row| row.dataset == block.dataset && row.trained_on == block.trained_on);
        let mut names: Vec<&str> = here.chain(planned.map(|row| row.variant.as_str())).chain([self.base]).collect();
        names.sort_by_key(|name| (*name != self.base, place(self.variants, name)));
        names.dedup();
        names
    }
}
