//! Which trainings and evaluations are to be made, and in which order.

use std::collections::{HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Plan, Training, TrainingId};

/// A training and what is evaluated of it.
pub(crate) struct Unit<'a> {
    pub(crate) training: &'a Training,
    pub(crate) evaluations: Vec<&'a Evaluation>,
}

/// The units of the evaluations `missing`, backend by backend, in the plan's order; those that choose epochs before the
/// trainings that wait for the choice, in whatever order a plan lists them.
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
        // Below a training on the stack are those that wait for it: what chooses its epochs, itself excepted, comes
        // first.
        let mut waiting = vec![training.id];
        while let Some(id) = waiting.last().copied() {
            let choosers = evaluations.get(&id).into_iter().flatten().flat_map(|evaluation| &evaluation.chosen_by);
            let before = choosers.filter_map(|chooser| trained.get(chooser)).copied();
            let before: Vec<TrainingId> = before.filter(|id| !placed.contains(id) && !waiting.contains(id)).collect();
            if !before.is_empty() {
                waiting.extend(before.into_iter().rev());
                continue;
            }
            waiting.pop();
            if placed.insert(id)
                && let (Some(training), Some(evaluations)) = (trainings.get(&id), evaluations.remove(&id))
            {
                by_backend.entry(&training.backend.name).or_default().push(Unit { training, evaluations });
            }
        }
    }
    let backends = plan.backends.iter().map(|backend| &backend.name);
    backends.filter_map(|name| Some((name.clone(), by_backend.remove(name.as_str())?))).collect()
}
