//! The rows of a report put in order once, for its tables and figures.

use std::collections::{BTreeSet, HashSet};

use harness_method::ImageScore;
use harness_metrics::Metric;
use harness_results::{ReportDataset, ReportInput};

use crate::ReportError;
use crate::ablation::Filled;
use crate::comparisons::Ablation;
use crate::cross_dataset::{Matrix, matrices};
use crate::marks::MOST_SERIES;
use crate::plots::Style;
use crate::print::Print;
use crate::summary::{Axes, SummaryRow, summary};

/// What tables and figures are made of.
pub(crate) struct Material<'a> {
    pub(crate) input: &'a ReportInput,
    pub(crate) print: Print,
    pub(crate) rows: Vec<SummaryRow>,
    pub(crate) datasets: Vec<ReportDataset>,
    pub(crate) matrices: Vec<Matrix>,
    /// Variants with one state alone, of which no rule chooses.
    pub(crate) no_choice: BTreeSet<String>,
}

impl<'a> Material<'a> {
    /// The material of these results.
    ///
    /// # Errors
    /// Polars' own.
    pub(crate) fn of(input: &'a ReportInput) -> Result<Self, ReportError> {
        let names: Vec<String> = input.datasets.iter().map(|dataset| dataset.name.clone()).collect();
        let axes = Axes { datasets: &names, variants: &input.variants, backends: &input.backend_names };
        let rows = summary(&input.results, axes)?;
        let datasets = datasets(&input.datasets, &rows);
        let matrices = matrices(&rows, &datasets, &input.variants, &input.backend_names)?;
        let single = rows.iter().filter(|row| row.no_choice);
        let no_choice = single.map(|row| row.variant.clone()).collect();
        Ok(Self { input, print: Print::of(input), rows, datasets, matrices, no_choice })
    }

    /// The variant that stands for the experiment beside methods that it does not have.
    pub(crate) fn base(&self) -> &str {
        let first = || self.input.variants.first().map_or("", String::as_str);
        if self.input.base.is_empty() { first() } else { &self.input.base }
    }

    /// How a line of a variant is drawn in every figure: the base first, then the others in the order of the
    /// experiment. What is no variant is drawn by its place in a figure of so many, and all alike where they are too
    /// many.
    pub(crate) fn style(&self, name: &str, at: usize, count: usize) -> Style {
        let base = self.base();
        let label = Some(self.print.variant(name).to_owned());
        let others = self.input.variants.iter().filter(|known| *known != base);
        let style = match others.enumerate().find(|(_, known)| *known == name) {
            _ if name == base => 0,
            Some((number, _)) if self.input.variants.len() <= MOST_SERIES => number + 1,
            // More than there are colours, which are told apart beside the base's.
            Some((number, _)) => 1 + number % (MOST_SERIES - 1),
            None if count <= MOST_SERIES => at,
            None => 0,
        };
        Style { label, style, is_base: name == base }
    }

    /// What the ablation's table and figures are made of.
    pub(crate) fn ablation(&self) -> Ablation<'_> {
        Ablation {
            rows: &self.rows,
            datasets: &self.datasets,
            variants: &self.input.variants,
            backends: &self.input.backend_names,
            methods: &self.input.variant_methods,
            base: &self.input.base,
            intervals: &self.input.intervals,
            differences: &self.input.differences,
        }
    }

    /// The ablation's blocks with their numbers.
    ///
    /// # Errors
    /// Polars' own.
    pub(crate) fn compared(&self) -> Result<Vec<Filled<'_>>, ReportError> {
        self.ablation().filled()
    }
}

/// The datasets of the rows: those given, in their order, then the others by name, with masks where a number needs
/// them.
fn datasets(given: &[ReportDataset], rows: &[SummaryRow]) -> Vec<ReportDataset> {
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| [row.dataset.as_str(), row.trained_on.as_str()]).collect();
    let needs_masks =
        |row: &&SummaryRow| row.metric.is_some_and(Metric::needs_masks) || row.image_score == Some(ImageScore::MapMax);
    let masked: HashSet<&str> = rows.iter().filter(needs_masks).map(|row| row.dataset.as_str()).collect();
    let known: HashSet<&str> = given.iter().map(|dataset| dataset.name.as_str()).collect();
    let other = |name: &&str| ReportDataset { name: (*name).to_owned(), masks: masked.contains(name), published: None };
    let given = given.iter().filter(|dataset| named.contains(dataset.name.as_str())).cloned();
    given.chain(named.iter().filter(|name| !known.contains(**name)).map(other)).collect()
}
