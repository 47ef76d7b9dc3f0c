//! What became of each cell of a plan: done by its records, failed by the journal, or neither.

use std::collections::HashMap;

use harness_experiment::{Cell, CellStatus, EvaluationId, Plan, TrainingId};

use crate::cell_result::CellResult;
use crate::class::Class;
use crate::error::Error;
use crate::folder::Folder;
use crate::journal;

/// The failures of a folder, by what cells depend on.
pub struct Statuses {
    failures: HashMap<String, (Class, String)>,
    trainings: HashMap<EvaluationId, TrainingId>,
}

impl Statuses {
    /// Reads the journal.
    pub fn read(plan: &Plan, folder: &Folder) -> Result<Self, Error> {
        let trainings = plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.training)).collect();
        Ok(Self { failures: journal::failures(&folder.journal())?, trainings })
    }

    /// The first failure among what a cell depends on.
    pub fn failure(&self, cell: &Cell) -> Option<&(Class, String)> {
        let choosers = cell.chosen_by.iter().flat_map(|id| {
            let training = self.trainings.get(id).map(ToString::to_string);
            training.into_iter().chain([id.to_string()])
        });
        let own = [cell.training.to_string(), cell.evaluation.to_string()];
        choosers.chain(own).find_map(|id| self.failures.get(&id))
    }

    /// What became of a cell.
    pub fn of(&self, folder: &Folder, cell: &Cell) -> Result<CellStatus, Error> {
        Ok(match CellResult::read(folder, cell)? {
            Some(_) => CellStatus::Done,
            None if self.failure(cell).is_some() => CellStatus::Failed,
            None => CellStatus::NotRun,
        })
    }
}
