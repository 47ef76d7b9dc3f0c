//! What a run finds and what it takes away: records that are complete, records that chosen cells shall make again, states that
//! nobody needs any more. Making records is `scheduler`'s.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use harness_experiment::{Evaluation, EvaluationId, Training, TrainingId};
use harness_records::EvaluationRecord;
use harness_records::Folder;
use harness_records::chosen_epochs;
use harness_records::{MeasuredWith, metrics};
use rayon::prelude::*;

use crate::choice;
use crate::error::Error;
use crate::notice::Notice;
use crate::scheduler::Run;
use crate::truth::Truth;

impl Run<'_> {
    /// Takes away the records of the chosen cells.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        let removed = choice::remove(self.plan, self.folder, &self.journal, &self.chosen)?;
        if removed.kept > 0 {
            let kept = removed.kept;
            let message = format!(
                "{kept} of the chosen cells keep their records, which cells that are not chosen need; choose these too to \
                 make them again"
            );
            self.observer.notice(&Notice::Warning(&message));
        }
        Ok(())
    }

    /// Evaluations whose training, predictions and metrics are all there, and have the epochs that are chosen now.
    pub(crate) fn complete(&self) -> Result<HashSet<EvaluationId>, Error> {
        // A large study has thousands of records; what is true of their images is read once, by this thread.
        let folder = self.folder;
        let trainings = self.plan.trainings.par_iter();
        let trained = trainings.map(|training| Ok((training.id, folder.read_training(training.id)?.is_some())));
        let trained: HashMap<TrainingId, bool> = trained.collect::<Result<_, Error>>()?;
        let stored = self.plan.evaluations.par_iter().map(|evaluation| {
            let with = MeasuredWith::read(&folder.evaluation(evaluation.id), evaluation.on_fold)?;
            Ok(folder.read_evaluation(evaluation.id)?.map(|record| (record, with)))
        });
        let stored: Vec<Option<(EvaluationRecord, MeasuredWith)>> = stored.collect::<Result<_, Error>>()?;
        let mut complete = HashSet::new();
        for (evaluation, stored) in self.plan.evaluations.iter().zip(&stored) {
            let of_trained = stored.as_ref().filter(|_| trained.get(&evaluation.training) == Some(&true));
            let Some((record, with)) = of_trained else {
                continue;
            };
            if with.is(&self.truth(evaluation, record)?.id()) {
                complete.insert(evaluation.id);
            }
        }
        let chosen =
            self.plan.evaluations.par_iter().zip(&stored).filter(|(evaluation, _)| !evaluation.chosen_by.is_empty());
        let current = chosen.map(|(evaluation, stored)| {
            let measured = evaluation.chosen_by.iter().all(|chooser| complete.contains(chooser));
            let Some((record, _)) = stored.as_ref().filter(|_| measured) else { return Ok((evaluation.id, false)) };
            Ok((evaluation.id, has_chosen(folder, evaluation, record)?))
        });
        let current: Vec<(EvaluationId, bool)> = current.collect::<Result<_, Error>>()?;
        for (id, _) in current.into_iter().filter(|(_, current)| !current) {
            complete.remove(&id);
        }
        Ok(complete)
    }

    /// Those of a unit whose choosers are measured and now choose an epoch that was not scored, as after a corrected label.
    pub(crate) fn outdated<'e>(&self, evaluations: &[&'e Evaluation]) -> Result<Vec<&'e Evaluation>, Error> {
        let mut outdated = Vec::new();
        for evaluation in evaluations.iter().filter(|evaluation| !evaluation.chosen_by.is_empty()) {
            let Some(record) = self.folder.read_evaluation(evaluation.id)? else { continue };
            if !has_chosen(self.folder, evaluation, &record)? {
                outdated.push(*evaluation);
            }
        }
        Ok(outdated)
    }

    pub(crate) fn truth(&self, evaluation: &Evaluation, record: &EvaluationRecord) -> Result<Rc<Truth>, Error> {
        let training = self.plan.trainings.iter().find(|training| training.id == evaluation.training);
        let training = training.ok_or_else(|| Error::record(self.folder.path(), "an evaluation without training"))?;
        self.world.truth(evaluation, training, record.image_size)
    }

    /// Removes states that no cell reports, once all evaluations of a training have their numbers.
    pub(crate) fn prune(&self, training: &Training) -> Result<(), Error> {
        let mut keep = vec![training.epochs.saturating_sub(1)];
        for evaluation in self.plan.evaluations.iter().filter(|e| e.training == training.id) {
            let Some(measured) = metrics::read(&self.folder.evaluation(evaluation.id), None)? else { return Ok(()) };
            keep.extend(measured.reported.iter().map(|reported| reported.epoch));
        }
        Ok(self.folder.prune_states(training.id, &keep)?)
    }

    /// Prunes what an earlier run measured and was killed before it could.
    pub(crate) fn prune_complete(&self, complete: &HashSet<EvaluationId>) -> Result<(), Error> {
        let done = self.plan.evaluations.iter().filter(|evaluation| complete.contains(&evaluation.id));
        let done: HashSet<TrainingId> = done.map(|evaluation| evaluation.training).collect();
        for training in self.plan.trainings.iter().filter(|training| done.contains(&training.id)) {
            if self.folder.count_states(training.id)? > 1 {
                self.prune(training)?;
            }
        }
        Ok(())
    }
}

/// Whether an evaluation has the epochs that its choosers choose; also where that is not known.
fn has_chosen(folder: &Folder, evaluation: &Evaluation, record: &EvaluationRecord) -> Result<bool, Error> {
    let chosen = chosen_epochs(folder, evaluation)?;
    Ok(chosen.is_none_or(|chosen| chosen.iter().all(|epoch| record.epochs.contains(epoch))))
}
