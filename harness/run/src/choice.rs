//! Which cells of a plan a run is about, and taking away what it shall make again.

use std::collections::HashSet;

use harness_experiment::{Cell, EvaluationId, Filter, Plan, TrainingId};
use harness_records::{CellRecords, Detail, Entry, Folder, Journal, Statuses, now, reads};

use crate::error::Error;

/// Indices, in the plan, of the cells that meet all of `filters`.
pub(crate) fn chosen(plan: &Plan, folder: &Folder, filters: &[&Filter]) -> Result<HashSet<usize>, Error> {
    if filters.is_empty() {
        return Ok((0..plan.cells.len()).collect());
    }
    let statuses = Statuses::read(plan, folder)?;
    let records = CellRecords::read(folder, plan.cells.iter(), Detail::Metrics);
    let meets = |cell: &Cell| {
        let status = statuses.of(cell, &records.cell(cell));
        filters.iter().all(|filter| filter.meets(cell, status))
    };
    let cells = plan.cells.iter().enumerate();
    Ok(cells.filter(|(_, cell)| meets(cell)).map(|(index, _)| index).collect())
}

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) records: usize,
    /// Chosen cells whose own evaluation stays, since a cell that isn't chosen needs it.
    pub(crate) kept: usize,
}

/// Removes the records of chosen cells that no other cell of the plan needs.
pub(crate) fn remove(
    plan: &Plan,
    folder: &Folder,
    journal: &Journal,
    chosen: &HashSet<usize>,
) -> Result<Removed, Error> {
    let mut needed: HashSet<EvaluationId> = HashSet::new();
    let mut trained: HashSet<TrainingId> = HashSet::new();
    for (index, cell) in plan.cells.iter().enumerate() {
        if !chosen.contains(&index) {
            needed.extend(reads(cell));
            trained.insert(cell.training);
        }
    }
    let of_needed = plan.evaluations.iter().filter(|evaluation| needed.contains(&evaluation.id));
    trained.extend(of_needed.map(|evaluation| evaluation.training));
    let cells = || chosen.iter().filter_map(|index| plan.cells.get(*index));
    let wanted: HashSet<EvaluationId> = cells().flat_map(reads).collect();
    let mut removed = Removed { records: 0, kept: cells().filter(|cell| needed.contains(&cell.evaluation)).count() };
    // Evaluations first: predictions without their training would be no record.
    for evaluation in plan.evaluations.iter().filter(|evaluation| wanted.contains(&evaluation.id)) {
        if !needed.contains(&evaluation.id) && folder.remove(&folder.evaluation(evaluation.id))? {
            removed.records += 1;
            journal.append(&Entry::Removed { at: now(), record: evaluation.id.into(), why: None })?;
        }
    }
    let of_wanted = plan.evaluations.iter().filter(|evaluation| wanted.contains(&evaluation.id));
    let trainings: HashSet<TrainingId> = of_wanted.map(|evaluation| evaluation.training).collect();
    for training in plan.trainings.iter().filter(|training| trainings.contains(&training.id)) {
        if trained.contains(&training.id) {
            continue;
        }
        let went_on = folder.forget_unfinished(training.id)?;
        if folder.remove(&folder.training(training.id))? || went_on {
            removed.records += 1;
            journal.append(&Entry::Removed { at: now(), record: training.id.into(), why: None })?;
        }
    }
    Ok(removed)
}
