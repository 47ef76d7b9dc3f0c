//! What a run finds and what it takes away: records that are complete, records that are damaged or that chosen cells
//! shall make again, states that nobody needs any more.

use std::collections::{BTreeSet, HashMap, HashSet};

use harness_experiment::{Evaluation, EvaluationId, Training, TrainingId};
use harness_records::contents::{self, Damage, Depth};
use harness_records::{
    Entry, EvaluationRecord, Folder, Found, Grids, MeasuredWith, RecordId, chosen_epochs, metrics, now, reads,
};
use rayon::prelude::*;

use crate::choice;
use crate::error::Error;
use crate::index::Index;
use crate::measure::SCORES;
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
        let (index, depth) = (&self.index, if self.verify { Depth::All } else { Depth::ChangedOnce });
        let trainings = plan.trainings.par_iter();
        let trained = trainings.map(|training| (training.id, trained(folder, index, training, depth)));
        let mut trained: HashMap<TrainingId, Found<()>> = trained.collect();
        let evaluations = plan.evaluations.par_iter();
        let mut stored: Vec<Found<Predictions>> = evaluations.map(|e| Predictions::read(folder, e, depth)).collect();
        self.take_away_unreadable(&mut trained, &mut stored)?;
        let mut complete = HashSet::new();
        for (evaluation, stored) in plan.evaluations.iter().zip(&stored) {
            let Found::Whole(Predictions { record, with, .. }) = stored else { continue };
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
                Found::Whole(of) => {
                    if let Some(why) = of.damaged.as_deref().or(of.with.unreadable()) {
                        self.note_damage(evaluation.id.into(), "its metrics are removed and computed again", why)?;
                        let path = self.folder.evaluation(evaluation.id);
                        metrics::remove(&path)?;
                        of.with = MeasuredWith::read(&path, evaluation.on_fold);
                    }
                }
                Found::Missing => {}
            }
        }
        Ok(())
    }

    /// Takes a record away that is damaged, so that it is made again.
    pub(crate) fn take_away(&mut self, record: RecordId, why: &str) -> Result<(), Error> {
        self.note_damage(record, "it is removed and made again", why)?;
        self.folder.remove(&self.folder.record(record))?;
        Ok(())
    }

    fn note_damage(&mut self, record: RecordId, then: &str, why: &str) -> Result<(), Error> {
        let message = format!("{} {record} can't be used; {then}: {why}", record.kind());
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
        let evaluations = self.index.evaluations(training.id);
        if evaluations.iter().any(|e| !metrics::read(&self.folder.evaluation(e.id)).is_whole()) {
            return Ok(());
        }
        let keep: Vec<u32> = kept_epochs(self.folder, training, evaluations).into_iter().collect();
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

/// Whether a training's record is there, with all of its files.
fn trained(folder: &Folder, index: &Index<'_>, training: &Training, depth: Depth) -> Found<()> {
    let found = folder.read_training(training.id).map(|_| ());
    if !found.is_whole() {
        return found;
    }
    match contents::compare(&folder.training(training.id), None, depth) {
        Some(damage) => damage.into_iter().next().map_or(found, |damage| Found::Unreadable(damage.what)),
        // Of a version before there were lists: at least the states that a run leaves.
        None => {
            let epochs = kept_epochs(folder, training, index.evaluations(training.id));
            match folder.find_states(training.id, epochs.into_iter()) {
                Found::Missing => {
                    Found::Unreadable("the state of its last or of a reported epoch is missing".to_owned())
                }
                found => found,
            }
        }
    }
}

/// The epochs whose states stay: the last, and those that are reported, as far as evaluations are measured.
fn kept_epochs(folder: &Folder, training: &Training, evaluations: &[&Evaluation]) -> BTreeSet<u32> {
    let measured = evaluations.iter().filter_map(|e| metrics::read(&folder.evaluation(e.id)).whole());
    let reported = measured.flat_map(|measured| measured.reported).map(|reported| reported.epoch);
    reported.chain([training.epochs.saturating_sub(1)]).collect()
}

/// An evaluation's record, and what it was measured with.
struct Predictions {
    record: EvaluationRecord,
    with: MeasuredWith,
    /// Why the metrics are not what was written.
    damaged: Option<String>,
}

impl Predictions {
    fn read(folder: &Folder, evaluation: &Evaluation, depth: Depth) -> Found<Self> {
        let path = folder.evaluation(evaluation.id);
        let record = match folder.read_evaluation(evaluation.id) {
            Found::Whole(record) => record,
            Found::Missing => return Found::Missing,
            Found::Unreadable(why) => return Found::Unreadable(why),
        };
        let mut damaged = None;
        match contents::compare(&path, None, depth) {
            Some(damage) => {
                for Damage { file, what } in damage {
                    if !metrics::MEASURED.contains(&file.as_str()) {
                        return Found::Unreadable(what);
                    }
                    damaged.get_or_insert(what);
                }
            }
            // Of a version before there were lists.
            None => {
                if let Err(error) = Grids::open(&path, &record) {
                    return Found::Unreadable(error.to_string());
                }
                if !path.join(SCORES).is_file() {
                    return Found::Unreadable(format!("{}: it is missing", path.join(SCORES).display()));
                }
            }
        }
        Found::Whole(Self { record, with: MeasuredWith::read(&path, evaluation.on_fold), damaged })
    }
}

/// Whether an evaluation has the epochs that its choosers choose; also where that is not known.
fn has_chosen(folder: &Folder, evaluation: &Evaluation, record: &EvaluationRecord) -> bool {
    chosen_epochs(folder, evaluation).is_none_or(|chosen| chosen.iter().all(|epoch| record.epochs.contains(epoch)))
}
