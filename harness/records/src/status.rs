//! What became of each cell of a plan: done by its records, failed by the journal, or neither.

use std::collections::HashMap;

use harness_experiment::{Cell, CellStatus, EvaluationId, Plan, TrainingId};

use crate::cells::CellState;
use crate::error::Error;
use crate::folder::Folder;
use crate::ids::RecordId;
use crate::journal::{self, Failure};

/// The failures of a folder, by what cells depend on.
pub struct Statuses {
    failures: HashMap<RecordId, Failure>,
    trainings: HashMap<EvaluationId, TrainingId>,
}

impl Statuses {
    /// Reads the journal.
    ///
    /// # Errors
    /// The system's.
    pub fn read(plan: &Plan, folder: &Folder) -> Result<Self, Error> {
        let trainings = plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.training)).collect();
        Ok(Self { failures: journal::failures(&folder.journal())?, trainings })
    }

    /// The first failure among what a cell depends on.
    pub fn failure(&self, cell: &Cell) -> Option<&Failure> {
        let choosers = cell.chosen_by.iter().flat_map(|id| {
            let training = self.trainings.get(id).map(|training| RecordId::from(*training));
            training.into_iter().chain([RecordId::from(*id)])
        });
        let own = [RecordId::from(cell.training), RecordId::from(cell.evaluation)];
        choosers.chain(own).find_map(|id| self.failures.get(&id))
    }

    /// What became of a cell that the records say this of. A record that can't be read is one that failed.
    pub fn of(&self, cell: &Cell, state: &CellState<'_>) -> CellStatus {
        match state {
            CellState::Done(_) => CellStatus::Done,
            CellState::Unreadable(_) => CellStatus::Failed,
            CellState::Missing if self.failure(cell).is_some() => CellStatus::Failed,
            CellState::Missing => CellStatus::NotRun,
        }
    }
}
