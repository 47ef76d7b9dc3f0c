//! How far a results folder is: what became of each cell of a plan, why cells failed, and what is left to make.

use std::collections::HashSet;

use harness_experiment::{Cell, CellStatus, EvaluationId, Plan, TrainingId};
use harness_records::{CellRecords, CellState, Detail, Failure, Folder, Statuses, reads};

use crate::error::Error;

/// Cells by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They have their numbers.
    pub done: usize,
    /// Something they need failed, or can't be read, and was not made since.
    pub failed: usize,
    /// Neither.
    pub not_run: usize,
}

impl Counts {
    /// All of them.
    pub fn all(self) -> usize {
        self.done + self.failed + self.not_run
    }

    fn add(&mut self, status: CellStatus) {
        *match status {
            CellStatus::Done => &mut self.done,
            CellStatus::Failed => &mut self.failed,
            CellStatus::NotRun => &mut self.not_run,
        } += 1;
    }
}

/// How far a plan is in a results folder.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    /// All cells.
    pub cells: Counts,
    /// Those of each variant, in the plan's order.
    pub variants: Vec<(&'a str, Counts)>,
    /// Cells that failed, each with the reason.
    pub failed: Vec<(&'a Cell, String)>,
    /// What cells without numbers wait for, as a plan: its evaluations, and the trainings that those are of.
    pub left: Plan,
    /// Trainings among them whose record is not there.
    pub trainings: usize,
}

/// Looks up what became of a plan in `folder`, which may not exist. Reads records and the journal, and writes nothing.
///
/// # Errors
/// A journal that can't be read.
pub fn standing<'a>(plan: &'a Plan, folder: &Folder) -> Result<Standing<'a>, Error> {
    let statuses = Statuses::read(plan, folder)?;
    let records = CellRecords::read(folder, plan.cells.iter(), Detail::Metrics);
    let mut cells = Counts::default();
    let mut variants: Vec<(&str, Counts)> =
        plan.variants.iter().map(|variant| (variant.name.as_str(), Counts::default())).collect();
    let (mut failed, mut left) = (Vec::new(), Vec::new());
    for cell in &plan.cells {
        let state = records.cell(cell);
        let status = statuses.of(cell, &state);
        cells.add(status);
        if let Some((_, counts)) = variants.iter_mut().find(|(name, _)| *name == cell.variant) {
            counts.add(status);
        }
        if status == CellStatus::Failed {
            let journalled = || statuses.failure(cell).map(|Failure { class, message }| format!("{class}: {message}"));
            let why = if let CellState::Unreadable(why) = state { Some(why) } else { journalled() };
            failed.push((cell, why.unwrap_or_default()));
        }
        if status != CellStatus::Done {
            left.push(cell);
        }
    }
    let missing: HashSet<EvaluationId> =
        left.iter().copied().flat_map(reads).filter(|id| records.evaluation(*id).is_none()).collect();
    let left = part(plan, left, &missing);
    let trainings = left.trainings.iter().filter(|training| !folder.read_training(training.id).is_whole()).count();
    Ok(Standing { cells, variants, failed, left, trainings })
}

/// A plan of some cells and evaluations alone, with the trainings that those are of.
pub(crate) fn part(plan: &Plan, cells: Vec<&Cell>, evaluations: &HashSet<EvaluationId>) -> Plan {
    let evaluations: Vec<_> =
        plan.evaluations.iter().filter(|evaluation| evaluations.contains(&evaluation.id)).cloned().collect();
    let needed: HashSet<TrainingId> = evaluations.iter().map(|evaluation| evaluation.training).collect();
    let trainings = plan.trainings.iter().filter(|training| needed.contains(&training.id)).cloned().collect();
    Plan { trainings, evaluations, cells: cells.into_iter().cloned().collect(), ..plan.clone() }
}
