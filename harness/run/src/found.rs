//! What a run finds and what it takes away: records that are complete, records that can't be read or that chosen cells
//! shall make again, states that nobody needs any more.

use std::collections::{HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Training, TrainingId};
use harness_records::{
    Entry, EvaluationRecord, Folder, Found, MeasuredWith, RecordId, chosen_epochs, metrics, now, reads,
};
use rayon::prelude::*;

use crate::choice;
use crate::error::Error;
use crate::notice::Notice;
use crate::scheduler::Run;

impl Run<'_> {
    /// Takes away the records of the chosen cells.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        let removed = choice::remove(self.plan, self.folder, &self.journal, &self.chosen)?;
        if removed.kept > 0 {
            let kept = removed.kept;
            let message = format!(
                "{kept} of the chosen cells keep their records because cells outside the filter need them; widen the \
                 filter to compute them again"
            );
            self.observer.notice(&Notice::Warning(&message));
        }
        Ok(())
    }

    /// Evaluations whose training, predictions and metrics are all there, and have the epochs that are chosen now. What
    /// chosen cells need and can't be read is taken away, so that it is made again.
    pub(crate) fn complete(&mut self) -> Result<HashSet<EvaluationId>, Error> {
        // A large study has thousands of records; what is true of their images is read once, by this thread.
        let (plan, folder) = (self.plan, self.folder);
        let trainings = plan.trainings.par_iter();
        let trained = trainings.map(|training| (training.id, folder.read_training(training.id).map(|_| ())));
        let mut trained: HashMap<TrainingId, Found<()>> = trained.collect();
        let evaluations = plan.evaluations.par_iter();
        let mut stored: Vec<Found<Predictions>> = evaluations.map(|e| Predictions::read(folder, e)).collect();
        self.take_away_unreadable(&mut trained, &mut stored)?;
        let mut complete = HashSet::new();
        for (evaluation, stored) in plan.evaluations.iter().zip(&stored) {
            let Found::Whole(Predictions { record, with }) = stored else { continue };
            if !trained.get(&evaluation.training).is_some_and(Found::is_whole) {
                continue;
            }
            // Why there is no truth is asked again of the evaluations that are missing.
            let truth = self.judge.truth(evaluation, self.index.training(evaluation)?, record);
            if truth.is_ok_and(|truth| with.is(&truth)) {
                complete.insert(evaluation.id);
            }
        }
        let outdated: Vec<EvaluationId> = plan
            .evaluations
            .par_iter()
            .zip(&stored)
            .filter(|(evaluation, _)| !evaluation.chosen_by.is_empty())
            .filter(|(evaluation, stored)| {
                let chosen = evaluation.chosen_by.iter().all(|chooser| complete.contains(chooser));
                !matches!(stored, Found::Whole(of) if chosen && has_chosen(folder, evaluation, &of.record))
            })
            .map(|(evaluation, _)| evaluation.id)
            .collect();
        for id in outdated {
            complete.remove(&id);
        }
        Ok(complete)
    }

    fn take_away_unreadable(
        &mut self,
        trained: &mut HashMap<TrainingId, Found<()>>,
        stored: &mut [Found<Predictions>],
    ) -> Result<(), Error> {
        let plan = self.plan;
        let needed: HashSet<EvaluationId> = self.cells().flat_map(reads).collect();
        for (evaluation, stored) in plan.evaluations.iter().zip(stored) {
            if !needed.contains(&evaluation.id) {
                continue;
            }
            if let Some(found) = trained.get_mut(&evaluation.training)
                && let Some(why) = found.unreadable()
            {
                self.take_away(evaluation.training.into(), why)?;
                *found = Found::Missing;
            }
            match stored {
                Found::Unreadable(why) => {
                    self.take_away(evaluation.id.into(), why)?;
                    *stored = Found::Missing;
                }
                Found::Whole(Predictions { with, .. }) => {
                    if let Some(why) = with.unreadable() {
                        self.note_unreadable(evaluation.id.into(), "its metrics are computed again", why)?;
                        metrics::remove(&self.folder.evaluation(evaluation.id))?;
                    }
                }
                Found::Missing => {}
            }
        }
        Ok(())
    }

    /// Takes a record away that can't be read, so that it is made again.
    pub(crate) fn take_away(&mut self, record: RecordId, why: &str) -> Result<(), Error> {
        self.note_unreadable(record, "it is made again", why)?;
        self.folder.remove(&self.folder.record(record))?;
        Ok(())
    }

    fn note_unreadable(&mut self, record: RecordId, then: &str, why: &str) -> Result<(), Error> {
        let message = format!("{} {record} can't be read; {then}: {why}", record.kind());
        self.observer.notice(&Notice::Warning(&message));
        Ok(self.journal.append(&Entry::Removed { at: now(), record, why: Some(why.to_owned()) })?)
    }

    /// Those whose choosers are measured and now choose an epoch that was not scored.
    pub(crate) fn outdated<'e>(&self, evaluations: &[&'e Evaluation]) -> Vec<&'e Evaluation> {
        let outdated = |evaluation: &&&Evaluation| match self.folder.read_evaluation(evaluation.id) {
            Found::Whole(record) => !has_chosen(self.folder, evaluation, &record),
            Found::Missing | Found::Unreadable(_) => false,
        };
        evaluations.iter().filter(outdated).copied().collect()
    }

    /// Removes states that no cell reports, once all evaluations of a training have their numbers.
    pub(crate) fn prune(&self, training: &Training) -> Result<(), Error> {
        let mut keep = vec![training.epochs.saturating_sub(1)];
        for evaluation in self.index.evaluations(training.id) {
            let Found::Whole(measured) = metrics::read(&self.folder.evaluation(evaluation.id)) else { return Ok(()) };
            keep.extend(measured.reported.iter().map(|reported| reported.epoch));
        }
        Ok(self.folder.prune_states(training.id, &keep)?)
    }

    /// Prunes what an earlier run measured and was killed before it could.
    pub(crate) fn prune_complete(&self, complete: &HashSet<EvaluationId>) -> Result<(), Error> {
        for training in &self.plan.trainings {
            let mut evaluations = self.index.evaluations(training.id).iter();
            if evaluations.any(|evaluation| complete.contains(&evaluation.id))
                && self.folder.count_states(training.id)? > 1
            {
                self.prune(training)?;
            }
        }
        Ok(())
    }
}

/// An evaluation's record, and what it was measured with.
struct Predictions {
    record: EvaluationRecord,
    with: MeasuredWith,
}

impl Predictions {
    fn read(folder: &Folder, evaluation: &Evaluation) -> Found<Self> {
        let with = || MeasuredWith::read(&folder.evaluation(evaluation.id), evaluation.on_fold);
        folder.read_evaluation(evaluation.id).map(|record| Self { record, with: with() })
    }
}

/// Whether an evaluation has the epochs that its choosers choose; also where that is not known.
fn has_chosen(folder: &Folder, evaluation: &Evaluation, record: &EvaluationRecord) -> bool {
    chosen_epochs(folder, evaluation).is_none_or(|chosen| chosen.iter().all(|epoch| record.epochs.contains(epoch)))
}
