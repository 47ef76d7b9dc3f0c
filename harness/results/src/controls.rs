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
    levels(&controls, results)
}

/// The rows of variants that are controls.
fn levels(controls: &BTreeSet<&str>, results: &[ResultRow]) -> Vec<ControlRow> {
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

#[cfg(test)]
mod tests {
    use harness_experiment::ImageScore;

    use super::*;

    #[test]
    fn a_level_is_the_median_of_directions_whatever_their_sign_and_cells_of_one_record_count_once() {
        let row = |variant: &str, evaluation: &str, value: f64| ResultRow {
            variant: variant.to_owned(),
            dataset: "Busi".to_owned(),
            evaluation: evaluation.to_owned(),
            status: Status::Done,
            metric: Some(Metric::ImageAuroc),
            image_score: Some(ImageScore::Detection),
            value: Some(value),
            ..ResultRow::default()
        };
        // Three directions, the first of them printed for two K; a control of one seed; and what is none.
        let results = [
            row("control", "a", 0.1),
            row("control", "a", 0.1),
            row("control", "b", 0.75),
            row("control", "c", 0.5),
            row("once", "d", 0.9),
            row("bank", "e", 0.8),
            row("bank", "f", 0.8),
        ];
        let [level] = &levels(&["control", "once"].into(), &results)[..] else { panic!("one row") };
        assert_eq!((level.variant.as_str(), level.directions), ("control", 3));
        assert!((level.level - 0.75).abs() < 1e-12, "the median of 0.9, 0.75 and 0.5 is {}", level.level);
    }
}
