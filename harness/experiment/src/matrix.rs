//! The product of a plan's axes: cells, and the records they share. Nothing is checked here.

use std::collections::{HashMap, HashSet};

use crate::error::Error;
use crate::ids::{CellId, EvaluationId, METHOD_VERSION, TrainingId};
use crate::plan::{Backend, Cell, Dataset, EpochRange, Evaluation, Plan, Support, Training, Variant};
use crate::planner::SCORING_BATCH;

/// Largest number of cells of one experiment.
pub(crate) const MAX_CELLS: usize = 100_000;

/// Fills trainings, evaluations and cells from the rest of a plan.
pub(crate) fn expand(plan: &mut Plan) -> Result<(), Error> {
    let supports: HashMap<_, _> = plan
        .supports
        .iter()
        .map(|support| ((support.dataset.as_str(), support.shots, support.draw), support))
        .collect();
    let mut records = Records::default();
    for variant in &plan.variants {
        for dataset in &plan.datasets {
            for shots in &plan.shots {
                for draw in &plan.draws {
                    let support =
                        supports.get(&(dataset.name.as_str(), *shots, *draw)).ok_or_else(|| Error::Frozen {
                            what: format!("no support set of `{}`, {shots} shots, draw {draw}", dataset.name),
                        })?;
                    for seed in &plan.seeds {
                        for backend in &plan.backends {
                            records.add(plan, variant, dataset, support, *seed, backend)?;
                        }
                    }
                }
            }
        }
    }
    let Records { trainings, evaluations, cells, .. } = records;
    (plan.trainings, plan.evaluations, plan.cells) = (trainings, evaluations, cells);
    Ok(())
}

#[derive(Default)]
struct Records {
    trainings: Vec<Training>,
    evaluations: Vec<Evaluation>,
    cells: Vec<Cell>,
    known_trainings: HashSet<TrainingId>,
    known_evaluations: HashSet<EvaluationId>,
}

impl Records {
    fn add(
        &mut self,
        plan: &Plan,
        variant: &Variant,
        dataset: &Dataset,
        support: &Support,
        seed: u64,
        backend: &Backend,
    ) -> Result<(), Error> {
        let mut training = Training {
            id: TrainingId::from_bytes([0; 8]),
            method_version: METHOD_VERSION,
            dataset: dataset.name.clone(),
            shots: support.shots,
            draw: support.draw,
            support: support.hash,
            object: dataset.facts.object.clone(),
            has_masks: dataset.facts.has_masks,
            seed,
            epochs: plan.train.epochs,
            batch: plan.train.batch,
            learning_rate: plan.train.learning_rate,
            precision: plan.encoder.precision,
            store: plan.encoder.store,
            weights: plan.encoder.weights,
            backend: backend.clone(),
            arch: plan.encoder.arch.clone(),
            options: variant.options.clone(),
        };
        training.id = training.identity()?;
        let training_id = training.id;
        if self.known_trainings.insert(training_id) {
            self.trainings.push(training);
        }
        for selection in &plan.selection {
            let mut evaluation = Evaluation {
                id: EvaluationId::from_bytes([0; 8]),
                training: training_id,
                dataset: dataset.name.clone(),
                test_images: dataset.facts.test_images,
                test: dataset.facts.test_hash,
                object: dataset.facts.object.clone(),
                batch: SCORING_BATCH,
                epochs: EpochRange::needed_by(*selection, plan.train.epochs),
            };
            evaluation.id = evaluation.identity()?;
            let mut cell = Cell {
                id: CellId::from_bytes([0; 8]),
                variant: variant.name.clone(),
                dataset: dataset.name.clone(),
                shots: support.shots,
                draw: support.draw,
                seed,
                backend: backend.name.clone(),
                selection: *selection,
                training: training_id,
                evaluation: evaluation.id,
            };
            cell.id = cell.identity()?;
            self.cells.push(cell);
            if self.known_evaluations.insert(evaluation.id) {
                self.evaluations.push(evaluation);
            }
        }
        Ok(())
    }
}
