//! A plan's lists by what is asked of them, made once: a plan of a hundred thousand cells is never walked for one of
//! them.

use std::collections::{HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Plan, Training, TrainingId};
use harness_records::reads;

use crate::error::Error;

/// Where everything is in a plan.
pub(crate) struct Index<'a> {
    plan: &'a Plan,
    trainings: HashMap<TrainingId, &'a Training>,
    evaluations: HashMap<TrainingId, Vec<&'a Evaluation>>,
    /// Indices of the cells that an evaluation is of.
    cells: HashMap<EvaluationId, Vec<usize>>,
    /// Indices of the cells that read an evaluation: its own, and those it chooses for.
    readers: HashMap<EvaluationId, Vec<usize>>,
}

impl<'a> Index<'a> {
    /// Of a plan.
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let mut evaluations: HashMap<TrainingId, Vec<&'a Evaluation>> = HashMap::new();
        for evaluation in &plan.evaluations {
            evaluations.entry(evaluation.training).or_default().push(evaluation);
        }
        let (mut cells, mut readers) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        for (index, cell) in plan.cells.iter().enumerate() {
            cells.entry(cell.evaluation).or_default().push(index);
            for evaluation in reads(cell) {
                readers.entry(evaluation).or_default().push(index);
            }
        }
        let trainings = plan.trainings.iter().map(|training| (training.id, training)).collect();
        Self { plan, trainings, evaluations, cells, readers }
    }

    /// The training of an evaluation.
    pub(crate) fn training(&self, evaluation: &Evaluation) -> Result<&'a Training, Error> {
        self.trainings.get(&evaluation.training).copied().ok_or_else(|| Error::Unusable {
            what: format!("the plan has an evaluation without its training, {}: make it again", evaluation.training),
        })
    }

    /// What is evaluated of a training, in the plan's order.
    pub(crate) fn evaluations(&self, training: TrainingId) -> &[&'a Evaluation] {
        self.evaluations.get(&training).map_or(&[], Vec::as_slice)
    }

    /// Indices of the cells that an evaluation is of, ascending.
    pub(crate) fn cells(&self, evaluation: EvaluationId) -> &[usize] {
        self.cells.get(&evaluation).map_or(&[], Vec::as_slice)
    }

    /// Indices of the cells that read some of these evaluations, ascending.
    pub(crate) fn readers(&self, evaluations: impl IntoIterator<Item = EvaluationId>) -> Vec<usize> {
        let mut readers: Vec<usize> = Vec::new();
        for evaluation in evaluations {
            readers.extend(self.readers.get(&evaluation).into_iter().flatten());
        }
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// Names of the variants that come to a training, in the plan's order.
    pub(crate) fn variants(&self, training: TrainingId) -> Vec<&'a str> {
        let readers = self.readers(self.evaluations(training).iter().map(|evaluation| evaluation.id));
        let mut seen = HashSet::new();
        let names = readers.into_iter().map(|index| self.plan.cells[index].variant.as_str());
        names.filter(|name| seen.insert(*name)).collect()
    }
}
