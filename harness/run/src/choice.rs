//! Which cells of a plan a run is about, and taking away what it shall make again. Making it is `scheduler`'s.

use std::collections::HashSet;

use harness_experiment::{EvaluationId, Filter, Plan, TrainingId};
use harness_records::Folder;
use harness_records::Statuses;
use harness_records::now;
use harness_records::reads;
use harness_records::{Entry, Journal};

use crate::error::Error;

/// Places, in the plan, of the cells that meet all of `filters`.
pub(crate) fn chosen(plan: &Plan, folder: &Folder, filters: &[&Filter]) -> Result<HashSet<usize>, Error> {
    if filters.is_empty() {
        return Ok((0..plan.cells.len()).collect());
    }
    let statuses = Statuses::read(plan, folder)?;
    let mut chosen = HashSet::new();
    for (place, cell) in plan.cells.iter().enumerate() {
        let status = statuses.of(folder, cell)?;
        if filters.iter().all(|filter| filter.meets(cell, status)) {
            chosen.insert(place);
        }
    }
    Ok(chosen)
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
    for (place, cell) in plan.cells.iter().enumerate() {
        if !chosen.contains(&place) {
            needed.extend(reads(cell));
            trained.insert(cell.training);
        }
    }
    let of_needed = plan.evaluations.iter().filter(|evaluation| needed.contains(&evaluation.id));
    trained.extend(of_needed.map(|evaluation| evaluation.training));
    let cells = || chosen.iter().filter_map(|place| plan.cells.get(*place));
    let wanted: HashSet<EvaluationId> = cells().flat_map(reads).collect();
    let mut removed = Removed { records: 0, kept: cells().filter(|cell| needed.contains(&cell.evaluation)).count() };
    // Evaluations first: predictions without their training would be no record.
    for evaluation in plan.evaluations.iter().filter(|evaluation| wanted.contains(&evaluation.id)) {
        if !needed.contains(&evaluation.id) && folder.remove(&folder.evaluation(evaluation.id))? {
            removed.records += 1;
            let (record, id) = ("evaluation".to_owned(), evaluation.id.to_string());
            journal.append(&Entry::Removed { at: now(), record, id })?;
        }
    }
    let of_wanted = plan.evaluations.iter().filter(|evaluation| wanted.contains(&evaluation.id));
    let trainings: HashSet<TrainingId> = of_wanted.map(|evaluation| evaluation.training).collect();
    for training in plan.trainings.iter().filter(|training| trainings.contains(&training.id)) {
        if !trained.contains(&training.id) && folder.remove(&folder.training(training.id))? {
            removed.records += 1;
            let (record, id) = ("training".to_owned(), training.id.to_string());
            journal.append(&Entry::Removed { at: now(), record, id })?;
        }
    }
    Ok(removed)
}
