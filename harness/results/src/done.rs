//! The records of a plan, each read once, on all threads. Only what tables need is kept, so that thousands of cells fit into memory;
//! training curves and panels read their files again.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use harness_experiment::{Cell, EvaluationId, ImageScore, Plan, Selection, TrainingId};
use harness_metrics::Metric;
use harness_records::Cost;
use harness_records::Folder;
use harness_records::reported_epochs;
use harness_records::{ImageValues, Measured, PixelValues, ReplicateIndex, metrics};
use rayon::prelude::*;

use crate::error::Error;

/// The records of a plan that exist.
pub(crate) struct Records {
    trainings: HashMap<TrainingId, Cost>,
    evaluations: HashMap<EvaluationId, Evaluated>,
}

/// An evaluation that is measured.
pub(crate) struct Evaluated {
    pub(crate) cost: Cost,
    measured: Measured,
    /// Absent for folds, and for records that an earlier version measured.
    replicates: Option<ReplicateIndex>,
}

/// A cell that is done.
pub(crate) struct Done<'a> {
    pub(crate) trained: &'a Cost,
    pub(crate) evaluated: &'a Evaluated,
    cell: &'a Cell,
    /// Image scores that the cell reports, each with its epoch.
    epochs: Vec<(ImageScore, u32)>,
}

/// One number of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) epoch: u32,
    /// `None` for a pixel metric that stands once for both.
    pub(crate) score: Option<ImageScore>,
    pub(crate) metric: Metric,
    pub(crate) value: f64,
}

impl Records {
    /// Reads what the plan's cells name.
    ///
    /// # Errors
    /// Records that can't be read.
    pub(crate) fn read(plan: &Plan, folder: &Folder) -> Result<Self, Error> {
        let trainings = plan.cells.iter().map(|cell| cell.training);
        let evaluations = plan.cells.iter().flat_map(|cell| cell.chosen_by.iter().copied().chain([cell.evaluation]));
        Ok(Self {
            trainings: read_each(trainings, |id| Ok(folder.read_training(id)?.map(|record| record.cost)))?,
            evaluations: read_each(evaluations, |id| Evaluated::read(folder, id))?,
        })
    }

    /// The replicates of a cell's evaluation.
    pub(crate) fn replicates(&self, cell: &Cell) -> Option<&ReplicateIndex> {
        self.evaluations.get(&cell.evaluation)?.replicates()
    }

    /// How many evaluations have metrics of test sets and no replicates.
    pub(crate) fn without_replicates(&self, plan: &Plan) -> usize {
        let of_cells: HashSet<EvaluationId> = plan.cells.iter().map(|cell| cell.evaluation).collect();
        let measured = of_cells.iter().filter_map(|id| self.evaluations.get(id));
        measured.filter(|evaluated| evaluated.replicates.is_none()).count()
    }

    /// A cell's records; `None` where one of them is missing.
    pub(crate) fn done<'a>(&'a self, cell: &'a Cell) -> Option<Done<'a>> {
        let (trained, evaluated) = (self.trainings.get(&cell.training)?, self.evaluations.get(&cell.evaluation)?);
        let choosers = cell.chosen_by.iter().map(|id| self.evaluations.get(id).map(|chooser| &chooser.measured));
        let choosers: Vec<&Measured> = choosers.collect::<Option<_>>()?;
        let epochs = reported_epochs(cell, &evaluated.measured, &choosers);
        Some(Done { trained, evaluated, cell, epochs })
    }
}

/// The records of these ids, each read once.
fn read_each<I: Copy + Eq + Hash + Send + Sync, T: Send>(
    ids: impl Iterator<Item = I>,
    read: impl Fn(I) -> Result<Option<T>, Error> + Sync,
) -> Result<HashMap<I, T>, Error> {
    let mut seen = HashSet::new();
    let ids: Vec<I> = ids.filter(|id| seen.insert(*id)).collect();
    let found: Vec<Result<Option<T>, Error>> = ids.par_iter().map(|id| read(*id)).collect();
    let mut records = HashMap::with_capacity(ids.len());
    for (id, found) in ids.into_iter().zip(found) {
        if let Some(found) = found? {
            records.insert(id, found);
        }
    }
    Ok(records)
}

impl Evaluated {
    fn read(folder: &Folder, id: EvaluationId) -> Result<Option<Self>, Error> {
        let place = folder.evaluation(id);
        let (Some(record), Some(mut measured)) = (folder.read_evaluation(id)?, metrics::read(&place, None)?) else {
            return Ok(None);
        };
        // A number for each image of each evaluation would fill the memory; panels read theirs again.
        for reported in &mut measured.reported {
            reported.image_pixel_ap = Vec::new();
        }
        let replicates = if record.evaluation.on_fold { None } else { ReplicateIndex::open(&place)? };
        // Those of another truth don't belong to these metrics.
        let replicates = replicates.filter(|index| index.truth() == measured.truth);
        Ok(Some(Self { cost: record.cost, measured, replicates }))
    }

    /// Its replicates; `None` where it has none of its truth.
    pub(crate) fn replicates(&self) -> Option<&ReplicateIndex> {
        self.replicates.as_ref()
    }
}

impl Done<'_> {
    /// The first image score that the cell reports, and its epoch.
    pub(crate) fn first(&self) -> Option<(ImageScore, u32)> {
        self.epochs.first().copied()
    }

    /// Image AUROC by a score at an epoch.
    pub(crate) fn image_auroc(&self, score: ImageScore, epoch: u32) -> Option<f64> {
        Some(self.evaluated.measured.reported(epoch)?.image(score)?.image_auroc)
    }

    /// The metrics of the cell. Under `last` pixel metrics do not depend on the image score and stand once; a rule that chooses
    /// an epoch for each image score has pixel metrics for each.
    pub(crate) fn numbers(&self) -> Vec<Number> {
        let mut numbers = Vec::new();
        let mut pixels_told = false;
        for (score, epoch) in &self.epochs {
            let Some(reported) = self.evaluated.measured.reported(*epoch) else { continue };
            let mut push = |score, metric, value| numbers.push(Number { epoch: *epoch, score, metric, value });
            if let Some(ImageValues { image_auroc, image_ap, image_f1_max }) = reported.image(*score) {
                push(Some(*score), Metric::ImageAuroc, image_auroc);
                push(Some(*score), Metric::ImageAp, image_ap);
                push(Some(*score), Metric::ImageF1Max, image_f1_max);
            }
            let chosen_by = (self.cell.selection != Selection::Last).then_some(*score);
            let pixel = reported.pixel.filter(|_| self.cell.pixel_metrics && !(chosen_by.is_none() && pixels_told));
            if let Some(PixelValues { pixel_auroc, pixel_ap, pixel_f1_max, pro_0_3 }) = pixel {
                push(chosen_by, Metric::PixelAuroc, pixel_auroc);
                push(chosen_by, Metric::PixelAp, pixel_ap);
                push(chosen_by, Metric::PixelF1Max, pixel_f1_max);
                push(chosen_by, Metric::Pro03, pro_0_3);
                pixels_told = true;
            }
        }
        numbers
    }
}

/// The metrics that a cell would report, each with its image score.
pub(crate) fn planned(cell: &Cell) -> Vec<(Metric, Option<ImageScore>)> {
    let mut planned = Vec::new();
    for score in &cell.image_scores {
        let chosen_by = (cell.selection != Selection::Last).then_some(*score);
        for metric in Metric::ALL {
            match metric.needs_masks() {
                false => planned.push((metric, Some(*score))),
                true if cell.pixel_metrics && !planned.contains(&(metric, chosen_by)) => {
                    planned.push((metric, chosen_by))
                }
                true => {}
            }
        }
    }
    planned
}
