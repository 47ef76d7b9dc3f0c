//! What a run does for one training: trains it, scores its evaluations, measures them, and removes the states that no
//! cell reports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use harness_experiment::{EpochRange, Evaluation, EvaluationId};
use harness_records::{Class, Found, MeasuredWith, RecordId, chosen_epochs};
use harness_worker::protocol::{Job, Task};

use crate::error::Error;
use crate::executor::Executor;
use crate::notice::Notice;
use crate::scheduler::Run;
use crate::units::Unit;

/// What became of measuring an evaluation.
enum Measuring {
    /// It has its metrics, or has none and its cells have heard why.
    Over,
    /// It has no predictions.
    Nothing,
    /// Its predictions can't be read: why.
    Damaged(String),
}

impl<'a> Run<'a> {
    /// Makes the missing records of a training and its evaluations. What fails of them is reported, not returned.
    pub(crate) fn unit(&mut self, unit: &Unit<'a>, executor: &mut dyn Executor) -> Result<(), Error> {
        if !self.train(unit, &self.absent(&unit.evaluations), executor)? {
            return Ok(());
        }
        // Those that choose an epoch come before those that wait for the choice.
        let (choosing, waiting): (Vec<&Evaluation>, Vec<&Evaluation>) =
            unit.evaluations.iter().partition(|evaluation| evaluation.chosen_by.is_empty());
        self.evaluate(unit, &choosing, executor)?;
        if !self.renew(unit, &waiting, executor)? {
            return Ok(());
        }
        self.evaluate(unit, &waiting, executor)?;
        self.prune(unit.training)
    }

    /// Those whose predictions are missing.
    fn absent(&self, evaluations: &[&'a Evaluation]) -> Vec<&'a Evaluation> {
        let absent = |evaluation: &&&Evaluation| !self.folder.read_evaluation(evaluation.id).is_whole();
        evaluations.iter().filter(absent).copied().collect()
    }

    /// Takes away evaluations of epochs that are no longer chosen, as after a corrected label, and has the states made
    /// that they now wait for. False where that failed.
    fn renew(
        &mut self,
        unit: &Unit<'a>,
        waiting: &[&'a Evaluation],
        executor: &mut dyn Executor,
    ) -> Result<bool, Error> {
        let outdated = self.outdated(waiting);
        for evaluation in &outdated {
            self.folder.remove(&self.folder.evaluation(evaluation.id))?;
        }
        Ok(outdated.is_empty() || self.train(unit, &outdated, executor)?)
    }

    /// Trains where the record, or a state that some evaluation waits for, is missing. False where that failed.
    fn train(
        &mut self,
        unit: &Unit<'a>,
        absent: &[&'a Evaluation],
        executor: &mut dyn Executor,
    ) -> Result<bool, Error> {
        let id = unit.training.id;
        if self.folder.read_training(id).is_whole() {
            // Which epochs a chosen evaluation needs is known when its choosers are measured: until then, any.
            let epochs = absent.iter().flat_map(|evaluation| evaluation.epochs.iter());
            match self.folder.find_states(id, epochs) {
                Found::Whole(()) => return Ok(true),
                Found::Unreadable(why) => self.take_away(id.into(), &why)?,
                Found::Missing => {}
            }
        }
        // All that the first training kept, for evaluations that are there too: the record is the same again, and no
        // run about others has to train once more.
        let last = unit.training.epochs.saturating_sub(1);
        let mut keep = EpochRange { first: last, last };
        for evaluation in self.index.evaluations(id) {
            keep.first = keep.first.min(evaluation.epochs.first);
        }
        let training = Box::new(unit.training.clone());
        let job = |folders: &[PathBuf]| Job::Train { training: training.clone(), keep, folder: folders[0].clone() };
        let Some(error) = self.make(&[id.into()], executor, &job)? else { return Ok(true) };
        let cells = self.index.readers(unit.evaluations.iter().map(|evaluation| evaluation.id));
        self.fail(&error, &cells);
        Ok(false)
    }

    /// Scores what is missing of some evaluations and measures all of them. Where predictions turn out to be damaged,
    /// they are made again once.
    fn evaluate(
        &mut self,
        unit: &Unit<'a>,
        evaluations: &[&'a Evaluation],
        executor: &mut dyn Executor,
    ) -> Result<(), Error> {
        self.score(unit, &self.absent(evaluations), executor)?;
        let mut damaged = Vec::new();
        for evaluation in evaluations {
            if let Measuring::Damaged(why) = self.measure(evaluation)? {
                self.take_away(evaluation.id.into(), &why)?;
                damaged.push(*evaluation);
            }
        }
        if damaged.is_empty() || !self.train(unit, &damaged, executor)? {
            return Ok(());
        }
        self.score(unit, &damaged, executor)?;
        for evaluation in damaged {
            if let Measuring::Damaged(message) = self.measure(evaluation)? {
                let error = Error::record(&self.folder.evaluation(evaluation.id), message);
                self.note_failure(evaluation.id.into(), 2, &error)?;
                self.fail(&error, &self.index.readers([evaluation.id]));
            }
        }
        Ok(())
    }

    /// Scores evaluations whose predictions are missing, those of the same images and sentences in one pass.
    fn score(&mut self, unit: &Unit<'a>, absent: &[&'a Evaluation], executor: &mut dyn Executor) -> Result<(), Error> {
        let mut groups = BTreeMap::<(&str, &str, bool), Vec<_>>::new();
        for evaluation in absent {
            if let Some(epochs) = self.epochs(evaluation)? {
                let key = (evaluation.dataset.as_str(), evaluation.object.as_str(), evaluation.on_fold);
                groups.entry(key).or_default().push((*evaluation, epochs));
            }
        }
        for together in groups.into_values() {
            if !self.finished.given_up {
                self.score_together(unit, &together, executor)?;
            }
        }
        Ok(())
    }

    /// The epochs that an evaluation scores; `None`, after reporting why, where what chooses them is missing.
    fn epochs(&mut self, evaluation: &'a Evaluation) -> Result<Option<Vec<u32>>, Error> {
        if evaluation.chosen_by.is_empty() {
            return Ok(Some(evaluation.epochs.iter().collect()));
        }
        let epochs = chosen_epochs(self.folder, evaluation);
        if epochs.is_none() {
            let message = "its epoch can't be chosen: a training or evaluation that chooses it failed".to_owned();
            let error = Error::Job { class: Class::Input, message };
            self.note_failure(evaluation.id.into(), 1, &error)?;
            let cells = self.index.cells(evaluation.id).to_vec();
            self.fail(&error, &cells);
        }
        Ok(epochs)
    }

    fn score_together(
        &mut self,
        unit: &Unit<'a>,
        together: &[(&'a Evaluation, Vec<u32>)],
        executor: &mut dyn Executor,
    ) -> Result<(), Error> {
        let states = self.folder.training(unit.training.id);
        let ids: Vec<EvaluationId> = together.iter().map(|(evaluation, _)| evaluation.id).collect();
        let job = |folders: &[PathBuf]| {
            let tasks = together.iter().zip(folders).map(|((evaluation, epochs), folder)| Task {
                evaluation: (*evaluation).clone(),
                epochs: epochs.clone(),
                folder: folder.clone(),
            });
            let (training, states) = (Box::new(unit.training.clone()), states.clone());
            Job::Evaluate { training, states, tasks: tasks.collect() }
        };
        let records: Vec<RecordId> = ids.iter().copied().map(RecordId::from).collect();
        let Some(error) = self.make(&records, executor, &job)? else { return Ok(()) };
        self.fail(&error, &self.index.readers(ids));
        Ok(())
    }

    /// Metrics of an evaluation whose predictions are there, and the end of its cells.
    fn measure(&mut self, evaluation: &'a Evaluation) -> Result<Measuring, Error> {
        let folder = self.folder.evaluation(evaluation.id);
        let Found::Whole(record) = self.folder.read_evaluation(evaluation.id) else { return Ok(Measuring::Nothing) };
        let training = self.index.training(evaluation)?;
        let truth = match self.judge.truth(evaluation, training, &record) {
            Ok(truth) => truth,
            Err(error) => {
                self.fail_evaluation(evaluation.id, &error)?;
                return Ok(Measuring::Over);
            }
        };
        if !MeasuredWith::read(&folder, evaluation.on_fold).is(&truth) {
            self.observer.notice(&Notice::Measuring { evaluation });
            match self.judge.measure(evaluation, training, &record, &folder) {
                Ok(made) => made.write(&folder)?,
                Err(error) if error.class() == Class::Numeric => {
                    self.note_failure(evaluation.id.into(), 1, &error)?;
                    self.fail(&error, &self.index.readers([evaluation.id]));
                    return Ok(Measuring::Over);
                }
                Err(error) => return Ok(Measuring::Damaged(error.to_string())),
            }
        }
        self.report_done(evaluation.id);
        Ok(Measuring::Over)
    }
}
