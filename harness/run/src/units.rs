//! Which trainings and evaluations are to be made, and in which order.

use std::collections::{HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Plan, Training, TrainingId};

/// A training and what is evaluated of it.
pub(crate) struct Unit<'a> {
    pub(crate) training: &'a Training,
    pub(crate) evaluations: Vec<&'a Evaluation>,
}

/// The units of the evaluations `missing`, backend by backend, in the plan's order; those of folds before the trainings whose
/// epochs they choose.
pub(crate) fn units<'a>(plan: &'a Plan, missing: &HashSet<EvaluationId>) -> Vec<(String, Vec<Unit<'a>>)> {
    let mut evaluations: HashMap<TrainingId, Vec<&'a Evaluation>> = HashMap::new();
    for evaluation in plan.evaluations.iter().filter(|evaluation| missing.contains(&evaluation.id)) {
        evaluations.entry(evaluation.training).or_default().push(evaluation);
    }
    let trained: HashMap<EvaluationId, TrainingId> =
        plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.training)).collect();
    let trainings: HashMap<TrainingId, &'a Training> =
        plan.trainings.iter().map(|training| (training.id, training)).collect();
    let mut by_backend: HashMap<&str, Vec<Unit<'a>>> = HashMap::new();
    let mut placed = HashSet::new();
    for training in &plan.trainings {
        let choosers = evaluations.get(&training.id).into_iter().flatten().flat_map(|e| &e.chosen_by);
        let before: Vec<TrainingId> = choosers.filter_map(|chooser| trained.get(chooser)).copied().collect();
        for id in before.into_iter().chain([training.id]) {
            if !placed.insert(id) {
                continue;
            }
            if let (Some(training), Some(evaluations)) = (trainings.get(&id), evaluations.remove(&id)) {
                by_backend.entry(&training.backend.name).or_default().push(Unit { training, evaluations });
            }
        }
    }
    let backends = plan.backends.iter().map(|backend| &backend.name);
    backends.filter_map(|name| Some((name.clone(), by_backend.remove(name.as_str())?))).collect()
}
