//! Means over datasets, as the few-shot table has them: of our numbers and of published ones.

use std::collections::BTreeSet;

use harness_method::ImageScore;
use harness_results::ReportDataset;

use crate::measure::{Measure, paper_score};

/// The datasets that have a measure.
fn having<'a>(datasets: &[&'a ReportDataset], measure: Measure) -> Vec<&'a ReportDataset> {
    datasets.iter().copied().filter(|dataset| Measure::of_dataset(dataset).any(|m| m == measure)).collect()
}

/// The dataset that numbers of a measure over all datasets are compared on: the mean, which has no name, or the only
/// one that has the measure.
pub(crate) fn compared_on<'a>(datasets: &[&'a ReportDataset], measure: Measure) -> &'a str {
    match having(datasets, measure).as_slice() {
        [one] => &one.name,
        _ => "",
    }
}

/// Whether a measure has a mean: more than one dataset has it.
pub(crate) fn has_mean(datasets: &[&ReportDataset], measure: Measure) -> bool {
    having(datasets, measure).len() > 1
}

/// The mean of a value over the datasets that have the measure, or which of them are missing.
pub(crate) fn mean_over(
    datasets: &[&ReportDataset],
    measure: Measure,
    value: impl Fn(&ReportDataset) -> Option<f64>,
) -> Result<f64, String> {
    let having = having(datasets, measure);
    let (mut sum, mut missing) = (0.0, Vec::new());
    for dataset in &having {
        match value(dataset) {
            Some(value) => sum += value,
            None => missing.push(dataset.name.as_str()),
        }
    }
    match missing.as_slice() {
        [] => Ok(sum / having.len() as f64),
        [_] | [_, _] => Err(format!("{} missing", missing.join(", "))),
        _ => Err(format!("{} missing", missing.len())),
    }
}

/// The image score of a mean over datasets; `None` where it is not the same on all that have the measure.
pub(crate) fn score_of_mean(datasets: &[&ReportDataset], measure: Measure) -> Option<ImageScore> {
    let scores: BTreeSet<ImageScore> =
        having(datasets, measure).iter().map(|dataset| paper_score(dataset.masks)).collect();
    scores.first().copied().filter(|_| scores.len() == 1)
}
