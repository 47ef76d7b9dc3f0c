//! What the records say about one cell: its metrics, and the epoch that its rule reports for each image score. The same for
//! whoever asks, in the middle of a run or long after it.

use std::collections::BTreeSet;

use harness_experiment::{Cell, Evaluation, EvaluationId, ImageScore, Selection};

use crate::error::Error;
use crate::folder::Folder;
use crate::metrics::{self, Measured, best_epoch};
use crate::records::{EvaluationRecord, TrainingRecord};

/// A cell that is done.
#[derive(Clone, Debug)]
pub struct CellResult {
    /// What was trained.
    pub training: TrainingRecord,
    /// What was evaluated.
    pub evaluation: EvaluationRecord,
    /// Metrics of the evaluation.
    pub measured: Measured,
    /// Image scores that the cell reports, each with its epoch.
    pub epochs: Vec<(ImageScore, u32)>,
}

impl CellResult {
    /// Reads a cell's records; `None` where one of them is missing.
    pub fn read(folder: &Folder, cell: &Cell) -> Result<Option<Self>, Error> {
        let records = (folder.read_training(cell.training)?, folder.read_evaluation(cell.evaluation)?);
        let measured = metrics::read(&folder.evaluation(cell.evaluation), None)?;
        let ((Some(training), Some(evaluation)), Some(measured)) = (records, measured) else { return Ok(None) };
        let mut choosers = Vec::new();
        for chooser in &cell.chosen_by {
            let Some(chooser) = metrics::read(&folder.evaluation(*chooser), None)? else { return Ok(None) };
            choosers.push(chooser);
        }
        let choosers: Vec<&Measured> = choosers.iter().collect();
        let epochs = reported_epochs(cell, &measured, &choosers);
        Ok(Some(Self { training, evaluation, measured, epochs }))
    }
}

/// The epochs of an evaluation that are chosen by others, ascending; `None` where one of those is not measured.
pub fn chosen_epochs(folder: &Folder, evaluation: &Evaluation) -> Result<Option<Vec<u32>>, Error> {
    let mut choosers = Vec::new();
    for chooser in &evaluation.chosen_by {
        choosers.extend(metrics::read(&folder.evaluation(*chooser), None)?);
    }
    if choosers.len() < evaluation.chosen_by.len() {
        return Ok(None);
    }
    let choosers: Vec<&Measured> = choosers.iter().collect();
    let epochs: BTreeSet<u32> = ImageScore::ALL.into_iter().filter_map(|score| best_epoch(&choosers, score)).collect();
    Ok(Some(epochs.into_iter().collect()))
}

/// Image scores that a cell reports, each with its epoch, by its evaluation's metrics and those of what chooses.
pub fn reported_epochs(cell: &Cell, measured: &Measured, choosers: &[&Measured]) -> Vec<(ImageScore, u32)> {
    let epoch = |score: ImageScore| match cell.selection {
        Selection::Last => measured.last(),
        Selection::BestOnTest | Selection::BestOnSupport => best_epoch(choosers, score),
    };
    // A score that was not defined, or an epoch that was not scored, reports nothing.
    let reports = |score: &ImageScore, epoch: u32| measured.reported(epoch).is_some_and(|r| r.image(*score).is_some());
    let chosen = cell.image_scores.iter().filter_map(|score| Some((*score, epoch(*score)?)));
    chosen.filter(|(score, epoch)| reports(score, *epoch)).collect()
}

/// The evaluations that a cell's numbers depend on.
pub fn reads(cell: &Cell) -> impl Iterator<Item = EvaluationId> {
    std::iter::once(cell.evaluation).chain(cell.chosen_by.iter().copied())
}
