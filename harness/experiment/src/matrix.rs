//! The product of a plan's axes, less what its rules leave out: cells, and the records they share.

use std::collections::{HashMap, HashSet};

use harness_method::declaring::Stage;
use harness_method::{Backend, Draw, ImageScore, SCORING_BATCH, Selection, Shots};
use harness_methods::Sees;

use crate::epochs::EpochRange;
use crate::error::Error;
use crate::folds::Fold;
use crate::ids::{CellId, EvaluationId, TrainingId};
use crate::plan::{Cell, Dataset, Evaluation, Plan, Support, Training, Variant};
use crate::rules::Coordinates;
use crate::spec::TransferObject;

/// Fills trainings, evaluations and cells from the rest of a plan.
pub(crate) fn expand(plan: &mut Plan) -> Result<(), Error> {
    let mut records = Records::default();
    let parts = Parts::of(plan);
    let mut kept = HashSet::new();
    plan.axes().each(&plan.rules, |at| match parts.row(plan, at) {
        Some(row) if parts.is_kept(&row, at, &mut kept) => records.add(&row),
        // A draw that was left out as it repeats another; or a frozen plan that was edited, and its reader finds that
        // the records differ.
        _ => Ok(()),
    })?;
    let Records { trainings, evaluations, cells, .. } = records;
    (plan.trainings, plan.evaluations, plan.cells) = (trainings, evaluations, cells);
    Ok(())
}

/// Parts of a plan by their names.
struct Parts<'a> {
    variants: HashMap<&'a str, &'a Variant>,
    datasets: HashMap<&'a str, &'a Dataset>,
    targets: HashMap<&'a str, &'a Dataset>,
    backends: HashMap<&'a str, &'a Backend>,
    supports: HashMap<(&'a str, Shots, Draw), &'a Support>,
    /// Dataset, shots and draw of those that others repeat.
    repeated: HashSet<(&'a str, Shots, Draw)>,
}

impl<'a> Parts<'a> {
    fn of(plan: &'a Plan) -> Self {
        let datasets = |list: &'a [Dataset]| list.iter().map(|dataset| (dataset.name.as_str(), dataset)).collect();
        let key = |support: &'a Support| (support.dataset.as_str(), support.shots, support.draw);
        Self {
            variants: plan.variants.iter().map(|variant| (variant.name.as_str(), variant)).collect(),
            datasets: datasets(&plan.datasets),
            targets: datasets(if plan.targets.is_empty() { &plan.datasets } else { &plan.targets }),
            backends: plan.backends.iter().map(|backend| (backend.name.as_str(), backend)).collect(),
            supports: plan.supports.iter().map(|support| (key(support), support)).collect(),
            repeated: plan.supports.iter().filter_map(|s| Some((s.dataset.as_str(), s.shots, s.repeats?))).collect(),
        }
    }

    /// Whether no cell before this one differs from it in nothing but the order of the same support images; `kept`
    /// holds those that might. The draws of a plan come in its order, so the first one is kept.
    fn is_kept(&self, row: &Row<'a>, at: Coordinates<'a>, kept: &mut HashSet<Coordinates<'a>>) -> bool {
        let draw = row.support.and_then(|support| support.repeats).unwrap_or(at.draw);
        !self.repeated.contains(&(at.dataset, at.shots, draw)) || kept.insert(Coordinates { draw, ..at })
    }

    fn row(&self, plan: &'a Plan, at: Coordinates<'a>) -> Option<Row<'a>> {
        let variant = *self.variants.get(at.variant)?;
        let support = self.supports.get(&(at.dataset, at.shots, at.draw)).copied();
        if support.is_none() && variant.options.sees() != Sees::Nothing {
            return None;
        }
        Some(Row {
            plan,
            variant,
            source: self.datasets.get(at.dataset)?,
            target: self.targets.get(at.target)?,
            shots: at.shots,
            draw: at.draw,
            support,
            seed: at.seed,
            backend: self.backends.get(at.backend)?,
            selection: at.selection,
        })
    }
}

/// A choice on every axis.
struct Row<'a> {
    plan: &'a Plan,
    variant: &'a Variant,
    source: &'a Dataset,
    target: &'a Dataset,
    shots: Shots,
    draw: Draw,
    /// `None` only where the method sees nothing of it.
    support: Option<&'a Support>,
    seed: u64,
    backend: &'a Backend,
    selection: Selection,
}

impl Row<'_> {
    /// The training on the whole support set, or on all of it but a fold.
    fn training(&self, fold: Option<&Fold>) -> Result<Training, Error> {
        let Self { plan, variant, source, support, .. } = self;
        let (method, options) = (variant.options.method(), &variant.options);
        let (schedule, sees) = (plan.schedule(variant), options.sees());
        let normal = || support.map(|support| support.normal.unwrap_or(support.hash));
        // What decides nothing is the same for all, so that it makes no second record.
        let mut training = Training {
            id: TrainingId::from_bytes([0; 8]),
            method,
            method_version: method.version(),
            dataset: source.name.clone(),
            shots: sees.of(self.shots),
            draw: if sees == Sees::Nothing { Draw::default() } else { self.draw },
            support: match sees {
                Sees::Nothing => None,
                Sees::Normal => normal(),
                Sees::Both => support.map(|support| support.hash),
            },
            object: if sees == Sees::Nothing { String::new() } else { self.object(source) },
            has_masks: source.facts.has_masks && sees == Sees::Both,
            seed: if options.depends_on_seed() { self.seed } else { 0 },
            epochs: self.epochs(),
            batch: schedule.map_or(1, |schedule| schedule.batch),
            learning_rate: schedule.map_or(0.0, |schedule| schedule.learning_rate),
            precision: plan.encoder.precision,
            store: plan.encoder.store,
            weights: plan.encoder.weights,
            backend: self.backend.clone(),
            arch: plan.encoder.arch.clone(),
            options: options.only(Stage::Training),
            fold: fold.cloned(),
        };
        training.id = training.identity()?;
        Ok(training)
    }

    /// Scores of a training on a dataset's test set.
    fn evaluation(
        &self,
        training: TrainingId,
        dataset: &Dataset,
        epochs: EpochRange,
        chosen_by: Vec<EvaluationId>,
    ) -> Result<Evaluation, Error> {
        let named = match self.plan.transfer_object {
            TransferObject::Target => dataset,
            TransferObject::Source => self.source,
        };
        let mut evaluation = Evaluation {
            id: EvaluationId::from_bytes([0; 8]),
            training,
            dataset: dataset.name.clone(),
            test_images: dataset.facts.test_images,
            test: dataset.facts.test_hash,
            object: self.object(named),
            batch: SCORING_BATCH,
            epochs,
            on_fold: false,
            chosen_by,
            options: self.variant.options.of_evaluation(),
        };
        evaluation.id = evaluation.identity()?;
        Ok(evaluation)
    }

    /// Scores of a fold's training on the images held out from it, after every epoch.
    fn fold_evaluation(&self, training: TrainingId, support: &Support, fold: &Fold) -> Result<Evaluation, Error> {
        let mut evaluation = Evaluation {
            id: EvaluationId::from_bytes([0; 8]),
            training,
            dataset: self.source.name.clone(),
            test_images: fold.held_out.len() as u64,
            test: support.hash,
            object: self.object(self.source),
            batch: SCORING_BATCH,
            epochs: EpochRange::all(self.epochs()),
            on_fold: true,
            chosen_by: Vec::new(),
            options: self.variant.options.of_evaluation(),
        };
        evaluation.id = evaluation.identity()?;
        Ok(evaluation)
    }

    /// States there are.
    fn epochs(&self) -> u32 {
        self.plan.states(self.variant)
    }

    fn has_no_choice(&self) -> bool {
        self.plan.has_no_choice(self.variant)
    }

    /// The object that sentences name; empty without sentences, so that it decides nothing.
    fn object(&self, dataset: &Dataset) -> String {
        if self.variant.options.names_objects() { dataset.facts.object.clone() } else { String::new() }
    }

    fn has_maps(&self) -> bool {
        self.variant.options.maps(self.source.facts.has_masks).is_some()
    }

    fn image_scores(&self) -> Vec<ImageScore> {
        let there = |score: &ImageScore| self.has_maps() || !score.needs_maps();
        self.plan.image_scores.iter().copied().filter(there).collect()
    }
}

/// What decides a training within a plan: variant, dataset, shots, draw, seed, backend, fold.
type TrainingChoice<'a> = (&'a str, &'a str, Shots, Draw, u64, &'a str, Option<u32>);

#[derive(Default)]
struct Records<'a> {
    trainings: Vec<Training>,
    evaluations: Vec<Evaluation>,
    cells: Vec<Cell>,
    /// Rows that differ in target or selection share a training, and hashing one takes longer than finding it.
    trained: HashMap<TrainingChoice<'a>, TrainingId>,
    known_trainings: HashSet<TrainingId>,
    known_evaluations: HashSet<EvaluationId>,
}

impl<'a> Records<'a> {
    fn add(&mut self, row: &Row<'a>) -> Result<(), Error> {
        let training = self.training(row, None)?;
        let chosen_by = self.choosers(row, training)?;
        let epochs = EpochRange::needed_by(row.selection, row.epochs());
        // The test set that chooses is scored at every epoch; any other only at the chosen epochs.
        let own = row.selection == Selection::BestOnTest && row.source.name == row.target.name;
        let chosen = if own { Vec::new() } else { chosen_by.clone() };
        let evaluation = row.evaluation(training, row.target, epochs, chosen)?;
        let mut cell = Cell {
            id: CellId::from_bytes([0; 8]),
            variant: row.variant.name.clone(),
            dataset: row.target.name.clone(),
            trained_on: row.source.name.clone(),
            shots: row.shots,
            draw: row.draw,
            seed: row.seed,
            backend: row.backend.name.clone(),
            selection: row.selection,
            training,
            evaluation: evaluation.id,
            chosen_by,
            image_scores: row.image_scores(),
            pixel_metrics: row.has_maps() && row.target.facts.has_masks,
        };
        cell.id = cell.identity()?;
        self.cells.push(cell);
        self.evaluation(evaluation);
        Ok(())
    }

    /// The evaluations that choose a row's epoch, made where they aren't there yet.
    fn choosers(&mut self, row: &Row<'a>, training: TrainingId) -> Result<Vec<EvaluationId>, Error> {
        match row.selection {
            Selection::Last => Ok(Vec::new()),
            // The only state is the last one, so all rules read one evaluation.
            _ if row.has_no_choice() => Ok(Vec::new()),
            Selection::BestOnTest => {
                let every = EpochRange::all(row.epochs());
                let evaluation = row.evaluation(training, row.source, every, Vec::new())?;
                let id = evaluation.id;
                self.evaluation(evaluation);
                Ok(vec![id])
            }
            Selection::BestOnSupport => {
                let Some(support) = row.support else { return Ok(Vec::new()) };
                let mut choosers = Vec::with_capacity(support.folds.len());
                for fold in &support.folds {
                    let training = self.training(row, Some(fold))?;
                    let evaluation = row.fold_evaluation(training, support, fold)?;
                    choosers.push(evaluation.id);
                    self.evaluation(evaluation);
                }
                Ok(choosers)
            }
        }
    }

    fn training(&mut self, row: &Row<'a>, fold: Option<&Fold>) -> Result<TrainingId, Error> {
        let Row { variant, source, shots, draw, seed, backend, .. } = row;
        let number = fold.map(|fold| fold.number);
        let choice = (variant.name.as_str(), source.name.as_str(), *shots, *draw, *seed, backend.name.as_str(), number);
        if let Some(id) = self.trained.get(&choice) {
            return Ok(*id);
        }
        let training = row.training(fold)?;
        let id = training.id;
        self.trained.insert(choice, id);
        if self.known_trainings.insert(id) {
            self.trainings.push(training);
        }
        Ok(id)
    }

    fn evaluation(&mut self, evaluation: Evaluation) {
        if self.known_evaluations.insert(evaluation.id) {
            self.evaluations.push(evaluation);
        }
    }
}
