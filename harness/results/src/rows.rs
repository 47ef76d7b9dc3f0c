//! The rows of `results.csv` and `results.parquet`: one for each cell and metric. A cell without numbers has one row
//! that says why.

use std::collections::HashMap;

use harness_experiment::{Cell, Evaluation, Plan, Training};
use harness_records::{CellRecords, CellResult, CellState, Failure, Folder, Number, Statuses};
use harness_tables::{ResultRow, Smoke, Status};

use crate::error::Error;

/// All rows of a plan, in the order of its cells.
pub(crate) fn rows(
    plan: &Plan,
    folder: &Folder,
    records: &CellRecords,
    allow_overlap: bool,
) -> Result<Vec<ResultRow>, Error> {
    let statuses = Statuses::read(plan, folder)?;
    let trainings: HashMap<_, _> = plan.trainings.iter().map(|training| (training.id, training)).collect();
    let evaluations: HashMap<_, _> = plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation)).collect();
    let mut rows = Vec::new();
    for cell in &plan.cells {
        let (Some(training), Some(evaluation)) = (trainings.get(&cell.training), evaluations.get(&cell.evaluation))
        else {
            return Err(Error::record(&folder.path().join("plan.toml"), "a cell without training or evaluation"));
        };
        let head = head(plan, cell, training, evaluation, allow_overlap);
        match records.cell(cell) {
            CellState::Done(done) => rows.extend(results(&costs(head, &done), &done)),
            CellState::Unreadable(why) => {
                let message = format!("{why}; running the experiment again makes the record again");
                rows.push(ResultRow { status: Status::Failed, message, ..head });
            }
            CellState::Missing => {
                let failure = statuses.failure(cell).map(|Failure { class, message }| format!("{class}: {message}"));
                let status = if failure.is_some() { Status::Failed } else { Status::NotRun };
                rows.push(ResultRow { status, message: failure.unwrap_or_default(), ..head });
            }
        }
    }
    Ok(rows)
}

/// The rows of the results table: where there is nothing to choose from, a number that every rule reports stands once,
/// under the first of `last`, `best-on-test` and `best-on-support` that is done; and what sees no support set once,
/// under the first K and draw. What is not done stands under each of them.
pub(crate) fn once(rows: &[ResultRow]) -> Vec<ResultRow> {
    let place = |row: &ResultRow| (row.shots, row.draw, row.seed);
    let key = |row: &ResultRow| {
        let (variant, dataset, source) = (row.variant.clone(), row.dataset.clone(), row.trained_on.clone());
        let decided = if row.no_support { Err(row.evaluation.clone()) } else { Ok(place(row)) };
        (variant, dataset, source, row.backend.clone(), decided)
    };
    let repeats = |row: &&ResultRow| row.no_choice && row.status == Status::Done;
    let mut first = HashMap::new();
    for row in rows.iter().filter(repeats) {
        let kept = first.entry(key(row)).or_insert((row.selection, place(row)));
        if row.selection < kept.0 {
            *kept = (row.selection, place(row));
        }
    }
    let is_first = |row: &ResultRow| first.get(&key(row)) == Some(&(row.selection, place(row)));
    rows.iter().filter(|row| !repeats(row) || is_first(row)).cloned().collect()
}

/// What all rows of a cell share.
fn head(plan: &Plan, cell: &Cell, training: &Training, evaluation: &Evaluation, allow_overlap: bool) -> ResultRow {
    let (encoder, store) = (training.precision.name(), training.store.name());
    ResultRow {
        cell: cell.id.to_string(),
        experiment: plan.name.clone(),
        variant: cell.variant.clone(),
        dataset: cell.dataset.clone(),
        trained_on: cell.trained_on.clone(),
        shots: cell.shots,
        draw: cell.draw,
        seed: cell.seed,
        backend: cell.backend.clone(),
        selection: cell.selection,
        n_images: Some(evaluation.test_images),
        support_hash: training.support.map(|hash| hash.to_string()).unwrap_or_default(),
        weights_hash: training.weights.to_string(),
        training: cell.training.to_string(),
        evaluation: cell.evaluation.to_string(),
        device: training.backend.device.clone(),
        precision: if encoder == store { encoder.to_owned() } else { format!("{encoder}, taps {store}") },
        allow_overlap,
        no_choice: training.epochs == 1,
        no_support: training.support.is_none(),
        smoke: Smoke(plan.smoke),
        ..ResultRow::default()
    }
}

/// Adds the times and memory of a cell.
fn costs(row: ResultRow, done: &CellResult<'_>) -> ResultRow {
    let (train, eval) = (done.trained, &done.evaluated.record.cost);
    let reduced = train.reduced_encode_batch.or(eval.reduced_encode_batch);
    ResultRow {
        status: Status::Done,
        train_secs: Some(train.compute_secs),
        eval_secs: Some(eval.compute_secs),
        encode_secs: Some(train.encode_secs + eval.encode_secs),
        peak_memory_bytes: train.peak_memory_bytes.max(eval.peak_memory_bytes),
        message: reduced.map(|batch| format!("encoded {batch} images at once for lack of memory")).unwrap_or_default(),
        ..row
    }
}

/// The metrics of a cell.
fn results(head: &ResultRow, done: &CellResult<'_>) -> Vec<ResultRow> {
    let row = |number: &Number| ResultRow {
        epoch: Some(number.epoch),
        image_score: number.score,
        metric: Some(number.metric),
        value: Some(number.value),
        ..head.clone()
    };
    done.numbers().iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_experiment::{Selection, Shots};

    #[test]
    fn what_every_rule_reports_stands_once_and_what_is_not_done_under_each() {
        let row = |variant: &str, selection, status, no_choice| ResultRow {
            variant: variant.to_owned(),
            selection,
            status,
            no_choice,
            ..ResultRow::default()
        };
        use Selection::{BestOnSupport, BestOnTest, Last};
        use Status::{Done, Failed};
        let rows = [
            row("a", BestOnTest, Done, false),
            row("a", Last, Done, false),
            row("bank", BestOnTest, Done, true),
            row("bank", Last, Done, true),
            row("bank", BestOnSupport, Failed, true),
            // Its `last` is not done.
            row("probe", Last, Failed, true),
            row("probe", BestOnTest, Done, true),
            row("probe", BestOnSupport, Done, true),
        ];
        let kept: Vec<(String, Selection)> = once(&rows).into_iter().map(|row| (row.variant, row.selection)).collect();
        let expected = [
            ("a", BestOnTest),
            ("a", Last),
            ("bank", Last),
            ("bank", BestOnSupport),
            ("probe", Last),
            ("probe", BestOnTest),
        ];
        assert_eq!(kept, expected.map(|(variant, rule)| (variant.to_owned(), rule)));
    }

    #[test]
    fn what_sees_no_support_set_stands_once() {
        let row = |k, draw: u64, (seed, evaluation): (u64, &str)| ResultRow {
            shots: Shots::each(k),
            draw: draw.into(),
            seed,
            evaluation: evaluation.to_owned(),
            status: Status::Done,
            no_choice: true,
            no_support: true,
            ..ResultRow::default()
        };
        let cells = [(4, 0), (4, 1), (2, 0)]
            .into_iter()
            .flat_map(|(k, draw)| [(0, "a"), (1, "b")].map(|seed| row(k, draw, seed)));
        let cells: Vec<ResultRow> = cells.collect();
        assert_eq!(once(&cells), cells[..2], "each seed is a direction of its own");
    }
}
