//! Published numbers as lines below the few-shot table.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::Selection;
use harness_metrics::Metric;
use harness_results::ReportDataset;
use harness_tables::PublishedRow;

use crate::means::mean_over;
use crate::measure::Measure;
use crate::print::Print;
use crate::published::{fraction_of, named};

/// What a published line is of, in the order to print.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PublishedLine<'a> {
    pub(crate) protocol: &'a str,
    /// The rule's name; what states none follows the others.
    rule: &'static str,
    selection: Option<Selection>,
    method: &'a str,
    run_by: &'a str,
    /// Another transcription of numbers that have a line already.
    again: bool,
    pub(crate) shots: u32,
}

/// Published fractions by the published name of the dataset and the metric.
pub(crate) type Published<'a> = BTreeMap<(&'a str, Metric), f64>;

/// Published lines at the K of a table, on its datasets.
pub(crate) fn published_lines<'a>(
    rows: &'a [PublishedRow],
    datasets: &[&ReportDataset],
    shots: &BTreeSet<u32>,
) -> BTreeMap<PublishedLine<'a>, Published<'a>> {
    let here: BTreeSet<&str> = datasets.iter().filter_map(|dataset| dataset.published.as_deref()).collect();
    let mut lines: BTreeMap<PublishedLine<'a>, Published<'a>> = BTreeMap::new();
    for row in rows.iter().filter(|row| here.contains(row.dataset.as_str())) {
        let Some(shots) = row.shots.filter(|known| *known > 0 && shots.contains(known)) else { continue };
        let number = (row.dataset.as_str(), row.metric);
        let line = |again| PublishedLine {
            protocol: &row.protocol,
            rule: row.selection.name(),
            selection: row.selection.0,
            method: &row.method,
            run_by: &row.run_by,
            again,
            shots,
        };
        let again = lines.get(&line(false)).is_some_and(|line| line.contains_key(&number));
        lines.entry(line(again)).or_default().insert(number, fraction_of(row));
    }
    lines
}

impl PublishedLine<'_> {
    pub(crate) fn name(&self) -> String {
        let by = named(self.method, self.run_by);
        if self.again { format!("{by}, other transcription") } else { by }
    }

    /// The rule that chose the epoch, or that none is stated.
    pub(crate) fn selection_name(&self) -> &'static str {
        self.rule
    }

    pub(crate) fn protocol(&self) -> String {
        let rule = if self.selection.is_none() { "selection not stated" } else { self.rule };
        format!("not run here: {}, {rule}", self.protocol)
    }

    pub(crate) fn value(&self, values: &Published<'_>, dataset: &ReportDataset, measure: Measure) -> Option<f64> {
        values.get(&(dataset.published.as_deref()?, measure.metric())).copied()
    }

    pub(crate) fn cell(
        &self,
        values: &Published<'_>,
        dataset: &ReportDataset,
        measure: Measure,
        print: &Print,
    ) -> String {
        self.value(values, dataset, measure).map_or_else(|| "–".to_owned(), |v| print.fraction(v, self.selection))
    }

    pub(crate) fn mean(
        &self,
        values: &Published<'_>,
        datasets: &[&ReportDataset],
        measure: Measure,
        print: &Print,
    ) -> String {
        mean_over(datasets, measure, |dataset| self.value(values, dataset, measure))
            .map_or_else(|_| "–".to_owned(), |mean| print.fraction(mean, self.selection))
    }
}
