//! What the records say about cells: whether one is complete, its metrics, and the epoch that its rule reports for each
//! image score. The one answer for whoever asks, in the middle of a run or long after it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use harness_experiment::{Cell, Evaluation, EvaluationId, ImageScore, Selection, TrainingId};
use harness_metrics::Metric;
use rayon::prelude::*;

use crate::contents::{self, Damage, Depth};
use crate::folder::Folder;
use crate::found::Found;
use crate::metrics::{self, EpochMetrics, Measured, best_epoch};
use crate::records::{Cost, EvaluationRecord};
use crate::replicates::ReplicateIndex;

/// The records that some cells read, each read once, on all threads: no more of each than many cells at once have room
/// for.
#[derive(Debug, Default)]
pub struct CellRecords {
    trainings: HashMap<TrainingId, Found<Cost>>,
    evaluations: HashMap<EvaluationId, Found<Evaluated>>,
}

/// An evaluation that is measured.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Its description.
    pub record: EvaluationRecord,
    /// Its metrics.
    pub measured: Measured,
    /// Its replicates, where they were asked for and are of the metrics' truth; of a fold none.
    pub replicates: Option<ReplicateIndex>,
}

/// What is read of an evaluation beside its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All metrics, those of single images too.
    Images,
    /// No metrics of single images, which would fill the memory, but the index of the replicates.
    Replicates,
    /// Neither.
    Metrics,
}

/// What the records say of a cell.
#[derive(Clone, Debug)]
pub enum CellState<'a> {
    /// All that it needs is there.
    Done(CellResult<'a>),
    /// A record can't be read, which a run would make again: why.
    Unreadable(String),
    /// A record is missing.
    Missing,
}

/// A cell that is done.
#[derive(Clone, Debug)]
pub struct CellResult<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// What its training took.
    pub trained: &'a Cost,
    /// Its evaluation.
    pub evaluated: &'a Evaluated,
    /// Image scores that the cell reports, each with its epoch.
    pub epochs: Vec<(ImageScore, u32)>,
}

/// One number of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The epoch it was read at.
    pub epoch: u32,
    /// `None` for a pixel metric that stands once for all image scores.
    pub score: Option<ImageScore>,
    /// Which metric.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
}

impl CellRecords {
    /// Reads what cells name.
    pub fn read<'c>(folder: &Folder, cells: impl Iterator<Item = &'c Cell> + Clone, detail: Detail) -> Self {
        let trainings = cells.clone().map(|cell| cell.training);
        Self {
            trainings: read_each(trainings, |id| folder.read_training(id).map(|record| record.cost)),
            evaluations: read_each(cells.flat_map(reads), |id| Evaluated::read(folder, id, detail)),
        }
    }

    /// What they say of a cell.
    pub fn cell<'a>(&'a self, cell: &'a Cell) -> CellState<'a> {
        let trained = match self.trainings.get(&cell.training) {
            Some(Found::Whole(trained)) => trained,
            Some(Found::Unreadable(why)) => return CellState::Unreadable(why.clone()),
            Some(Found::Missing) | None => return CellState::Missing,
        };
        let evaluated = match self.whole(cell.evaluation) {
            Ok(evaluated) => evaluated,
            Err(state) => return state,
        };
        let mut choosers = Vec::new();
        for id in &cell.chosen_by {
            match self.whole(*id) {
                Ok(chooser) => choosers.push(&chooser.measured),
                Err(state) => return state,
            }
        }
        let epochs = reported_epochs(cell, &evaluated.measured, &choosers);
        CellState::Done(CellResult { cell, trained, evaluated, epochs })
    }

    fn whole(&self, id: EvaluationId) -> Result<&Evaluated, CellState<'static>> {
        match self.evaluations.get(&id) {
            Some(Found::Whole(evaluated)) => Ok(evaluated),
            Some(Found::Unreadable(why)) => Err(CellState::Unreadable(why.clone())),
            Some(Found::Missing) | None => Err(CellState::Missing),
        }
    }

    /// An evaluation that is measured.
    pub fn evaluation(&self, id: EvaluationId) -> Option<&Evaluated> {
        self.whole(id).ok()
    }
}

impl<'a> CellState<'a> {
    /// The result, if the cell is done.
    pub fn done(self) -> Option<CellResult<'a>> {
        match self {
            Self::Done(result) => Some(result),
            Self::Unreadable(_) | Self::Missing => None,
        }
    }
}

/// What `read` finds of each id, read once.
fn read_each<I: Copy + Eq + Hash + Send + Sync, T: Send>(
    ids: impl Iterator<Item = I>,
    read: impl Fn(I) -> Found<T> + Sync,
) -> HashMap<I, Found<T>> {
    let mut seen = HashSet::new();
    let ids: Vec<I> = ids.filter(|id| seen.insert(*id)).collect();
    ids.into_par_iter().map(|id| (id, read(id))).collect()
}

impl Evaluated {
    fn read(folder: &Folder, id: EvaluationId, detail: Detail) -> Found<Self> {
        let path = folder.evaluation(id);
        let record = match folder.read_evaluation(id) {
            Found::Whole(record) => record,
            Found::Unreadable(why) => return Found::Unreadable(why),
            Found::Missing => return Found::Missing,
        };
        let damage = contents::compare(&path, Some(&metrics::MEASURED), Depth::Changed).unwrap_or_default();
        if let Some(Damage { what, .. }) = damage.into_iter().next() {
            return Found::Unreadable(what);
        }
        let wanted = detail == Detail::Replicates && !record.evaluation.on_fold;
        let replicates = if wanted { ReplicateIndex::open(&path) } else { Found::Missing };
        if let Some(why) = replicates.unreadable() {
            return Found::Unreadable(why.to_owned());
        }
        metrics::read(&path).map(|mut measured| {
            if detail != Detail::Images {
                measured.reported.iter_mut().for_each(|reported| reported.image_pixel_ap = Vec::new());
            }
            // Those of another truth don't belong to these metrics.
            let replicates = replicates.whole().filter(|index| index.truth() == measured.truth);
            Self { record, measured, replicates }
        })
    }
}

impl CellResult<'_> {
    /// The first image score that the cell reports, and its epoch.
    pub fn first(&self) -> Option<(ImageScore, u32)> {
        self.epochs.first().copied()
    }

    /// All metrics at an epoch that some rule reports.
    pub fn metrics(&self, epoch: u32) -> Option<&EpochMetrics> {
        self.evaluated.measured.reported(epoch)
    }

    /// The metrics of the cell. Under `last` pixel metrics do not depend on the image score and stand once; a rule that
    /// chooses an epoch for each image score has pixel metrics for each.
    pub fn numbers(&self) -> Vec<Number> {
        let mut numbers: Vec<Number> = Vec::new();
        for (score, epoch) in &self.epochs {
            let Some(metrics) = self.metrics(*epoch) else { continue };
            for (metric, value) in metrics.by(*score) {
                let Some(score) = stands_under(self.cell, metric, *score) else { continue };
                if numbers.iter().all(|known| (known.metric, known.score) != (metric, score)) {
                    numbers.push(Number { epoch: *epoch, score, metric, value });
                }
            }
        }
        numbers
    }
}

/// The metrics that a cell would report, each with its image score.
pub fn planned(cell: &Cell) -> Vec<(Metric, Option<ImageScore>)> {
    let mut planned = Vec::new();
    for score in &cell.image_scores {
        for metric in Metric::ALL {
            if let Some(score) = stands_under(cell, metric, *score)
                && !planned.contains(&(metric, score))
            {
                planned.push((metric, score));
            }
        }
    }
    planned
}

/// The image score that a metric of a cell stands under; `None` where the cell has no such metric.
fn stands_under(cell: &Cell, metric: Metric, score: ImageScore) -> Option<Option<ImageScore>> {
    if !metric.needs_masks() {
        return Some(Some(score));
    }
    cell.pixel_metrics.then_some((cell.selection != Selection::Last).then_some(score))
}

/// The evaluations that a cell's numbers depend on.
pub fn reads(cell: &Cell) -> impl Iterator<Item = EvaluationId> {
    std::iter::once(cell.evaluation).chain(cell.chosen_by.iter().copied())
}

/// The epochs of an evaluation that are chosen by others, ascending; `None` where one of those is not measured.
pub fn chosen_epochs(folder: &Folder, evaluation: &Evaluation) -> Option<Vec<u32>> {
    let read = |chooser: &EvaluationId| metrics::read(&folder.evaluation(*chooser)).whole();
    let choosers: Vec<Measured> = evaluation.chosen_by.iter().map(read).collect::<Option<_>>()?;
    let choosers: Vec<&Measured> = choosers.iter().collect();
    let epochs: BTreeSet<u32> = ImageScore::ALL.into_iter().filter_map(|score| best_epoch(&choosers, score)).collect();
    Some(epochs.into_iter().collect())
}

/// Image scores that a cell reports, each with its epoch, by its evaluation's metrics and those of what chooses.
fn reported_epochs(cell: &Cell, measured: &Measured, choosers: &[&Measured]) -> Vec<(ImageScore, u32)> {
    // Where nothing chooses, there is one state, or the rule is `last`.
    let epoch =
        |score: ImageScore| if cell.chosen_by.is_empty() { measured.last() } else { best_epoch(choosers, score) };
    // A score that was not defined, or an epoch that was not scored, reports nothing.
    let reports = |score: ImageScore, epoch: u32| measured.reported(epoch).is_some_and(|metrics| metrics.has(score));
    let chosen = cell.image_scores.iter().filter_map(|score| Some((*score, epoch(*score)?)));
    chosen.filter(|(score, epoch)| reports(*score, *epoch)).collect()
}
