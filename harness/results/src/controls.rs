//! The level that a dataset gives for nothing: that of directions which know nothing, each a seed of a control.

use std::collections::{BTreeMap, BTreeSet};

use harness_experiment::Plan;
use harness_methods::Sees;
use harness_metrics::{Metric, median};
use harness_tables::{ControlRow, ResultRow, Status};

/// Where a direction's sign is arbitrary, this is how well it parts the classes.
fn unsigned(auroc: f64) -> f64 {
    (auroc - 0.5).abs() + 0.5
}

/// A row for each control, dataset, backend and image score with several directions, in the order of the results.
pub(crate) fn controls(plan: &Plan, results: &[ResultRow]) -> Vec<ControlRow> {
    // What sees nothing, reads nothing and still depends on a seed is a direction at random.
    let controls: BTreeSet<&str> = plan
        .variants
        .iter()
        .filter(|variant| {
            let options = &variant.options;
            options.sees() == Sees::Nothing && options.depends_on_seed() && !options.names_objects()
        })
        .map(|variant| variant.name.as_str())
        .collect();
    let mut rows: Vec<ControlRow> = Vec::new();
    let mut places = BTreeMap::new();
    let mut directions: Vec<BTreeMap<&str, f64>> = Vec::new();
    for row in results.iter().filter(|row| row.status == Status::Done && controls.contains(row.variant.as_str())) {
        let (Some(Metric::ImageAuroc), Some(value)) = (row.metric, row.value) else { continue };
        let key = (row.variant.as_str(), row.dataset.as_str(), row.backend.as_str(), row.image_score);
        let place = *places.entry(key).or_insert_with(|| {
            rows.push(ControlRow {
                variant: row.variant.clone(),
                dataset: row.dataset.clone(),
                backend: row.backend.clone(),
                image_score: row.image_score,
                ..ControlRow::default()
            });
            directions.push(BTreeMap::new());
            rows.len() - 1
        });
        // Cells of several K and draws are one.
        directions[place].insert(&row.evaluation, unsigned(value));
    }
    for (row, directions) in rows.iter_mut().zip(&directions) {
        row.level = median(&directions.values().copied().collect::<Vec<_>>()).unwrap_or(f64::NAN);
        row.directions = directions.len() as u64;
    }
    rows.retain(|row| row.directions > 1);
    rows
}
