//! Published numbers as lines below the few-shot table. The table of each with ours is in `published`.

use std::collections::{BTreeMap, BTreeSet};

use harness_results::ReportDataset;
use harness_tables::PublishedRow;

use crate::few_shot::over;
use crate::measure::{Measure, fraction};
use crate::published::{fraction_of, named};

/// What published lines are chosen from.
pub(crate) struct Context<'a> {
    pub(crate) rows: &'a [PublishedRow],
    pub(crate) datasets: &'a [&'a ReportDataset],
    pub(crate) shots: &'a BTreeSet<u32>,
}

/// A published line.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Other<'a> {
    pub(crate) protocol: &'a str,
    pub(crate) selection: &'a str,
    method: &'a str,
    run_by: &'a str,
    /// Another transcription of numbers that have a line already.
    again: bool,
    pub(crate) shots: u32,
}

/// Published fractions by the published name of the data set and the metric.
pub(crate) type Published<'a> = BTreeMap<(&'a str, &'a str), f64>;

impl<'a> Context<'a> {
    /// Published lines at the K of the table, on its data sets.
    pub(crate) fn lines(&self) -> BTreeMap<Other<'a>, Published<'a>> {
        let mut lines: BTreeMap<Other<'a>, Published<'a>> = BTreeMap::new();
        for row in self.rows {
            let here = |dataset: &&ReportDataset| dataset.published.as_ref() == Some(&row.dataset);
            let Some(shots) = row.shots.filter(|shots| *shots > 0 && self.shots.contains(shots)) else { continue };
            if !self.datasets.iter().any(here) {
                continue;
            }
            let place = (row.dataset.as_str(), row.metric.as_str());
            let line = |again| Other {
                protocol: &row.protocol,
                selection: &row.selection,
                method: &row.method,
                run_by: &row.run_by,
                again,
                shots,
            };
            let again = lines.get(&line(false)).is_some_and(|line| line.contains_key(&place));
            lines.entry(line(again)).or_default().insert(place, fraction_of(row));
        }
        lines
    }
}

impl Other<'_> {
    pub(crate) fn name(&self) -> String {
        let by = named(self.method, self.run_by);
        if self.again { format!("{by}, other transcription") } else { by }
    }

    pub(crate) fn protocol(&self) -> String {
        let selection = if self.selection == "not stated" { "selection not stated" } else { self.selection };
        format!("not run here: {}, {selection}", self.protocol)
    }

    pub(crate) fn value(&self, values: &Published<'_>, dataset: &ReportDataset, measure: Measure) -> Option<f64> {
        values.get(&(dataset.published.as_deref()?, measure.metric())).copied()
    }

    pub(crate) fn cell(&self, values: &Published<'_>, dataset: &ReportDataset, measure: Measure) -> String {
        self.value(values, dataset, measure).map_or_else(|| "–".to_owned(), |v| fraction(v, self.selection))
    }

    pub(crate) fn mean(&self, values: &Published<'_>, datasets: &[&ReportDataset], measure: Measure) -> String {
        over(datasets, measure, |dataset| self.value(values, dataset, measure))
            .map_or_else(|_| "–".to_owned(), |mean| fraction(mean, self.selection))
    }
}
