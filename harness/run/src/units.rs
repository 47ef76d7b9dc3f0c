//! Which trainings and evaluations are to be made, and in which order. Making them is `scheduler`'s.

use std::collections::{HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Plan, Training, TrainingId};
use harness_records::reads;

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
    let of_evaluation: HashMap<EvaluationId, TrainingId> =
        plan.evaluations.iter().map(|evaluation| (evaluation.id, evaluation.training)).collect();
    let places: HashMap<TrainingId, &'a Training> =
        plan.trainings.iter().map(|training| (training.id, training)).collect();
    let mut ordered: Vec<&'a Training> = Vec::new();
    let mut placed = HashSet::new();
    for training in &plan.trainings {
        let choosers = evaluations.get(&training.id).into_iter().flatten().flat_map(|e| &e.chosen_by);
        let before = choosers.filter_map(|chooser| of_evaluation.get(chooser)).chain([&training.id]);
        for id in before {
            if placed.insert(*id) {
                ordered.extend(places.get(id));
            }
        }
    }
    let of_backend = |backend: &String| -> Vec<Unit<'a>> {
        let trainings = ordered.iter().filter(|training| training.backend.name == *backend);
        trainings
            .filter_map(|training| {
                let evaluations = evaluations.get(&training.id)?.clone();
                Some(Unit { training, evaluations })
            })
            .collect()
    };
    let backends = plan.backends.iter().map(|backend| backend.name.clone());
    backends.map(|backend| (backend.clone(), of_backend(&backend))).filter(|(_, units)| !units.is_empty()).collect()
}

/// Names of the variants that come to a training, in the plan's order.
pub(crate) fn variants(plan: &Plan, training: TrainingId) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let evaluations = plan.evaluations.iter().filter(|evaluation| evaluation.training == training);
    let ids: HashSet<EvaluationId> = evaluations.map(|evaluation| evaluation.id).collect();
    for cell in plan.cells.iter().filter(|cell| reads(cell).any(|id| ids.contains(&id))) {
        if !names.contains(&cell.variant.as_str()) {
            names.push(&cell.variant);
        }
    }
    names
}
