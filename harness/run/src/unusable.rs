//! Test sets that can't be scored or judged: found before anything is computed, they fail the cells that need them and
//! no others.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use harness_data::Source;
use harness_experiment::{Evaluation, EvaluationId, Training};
use harness_records::{metrics, reads};
use rayon::prelude::*;

use crate::error::Error;
use crate::scheduler::Run;
use crate::truth::and_more;
use crate::world::World;

/// Evaluations that would come to nothing, each with the reason, in the plan's order.
pub(crate) type Unusable = Vec<(EvaluationId, Rc<Error>)>;

impl Run<'_> {
    /// Those of the `missing` evaluations whose images can't be read, or whose labels and masks can't.
    pub(crate) fn unusable(&self, missing: &HashSet<EvaluationId>) -> Result<Unusable, Error> {
        let mut unusable = Unusable::new();
        // Thousands of evaluations are of few test sets.
        let mut known: HashMap<_, Option<Rc<Error>>> = HashMap::new();
        for evaluation in self.plan.evaluations.iter().filter(|evaluation| missing.contains(&evaluation.id)) {
            let training = self.index.training(evaluation)?;
            let fold = evaluation.on_fold.then_some(training.id);
            let key = (evaluation.dataset.as_str(), evaluation.test, training.options.image_size(), fold);
            let why = known.entry(key).or_insert_with(|| self.judge.ready(evaluation, training).err().map(Rc::new));
            if let Some(why) = why {
                unusable.push((evaluation.id, Rc::clone(why)));
            }
        }
        Ok(unusable)
    }

    /// What chosen cells read and is not complete, less what is read only by cells that come to nothing.
    pub(crate) fn usable(
        &self,
        missing: &HashSet<EvaluationId>,
        unusable: &[(EvaluationId, Rc<Error>)],
    ) -> HashSet<EvaluationId> {
        let unusable: HashSet<EvaluationId> = unusable.iter().map(|(id, _)| *id).collect();
        let cells = self.cells().filter(|cell| !reads(cell).any(|id| unusable.contains(&id)));
        cells.flat_map(reads).filter(|id| missing.contains(id)).collect()
    }

    /// Fails the cells that read some of these evaluations.
    pub(crate) fn fail_unusable(&mut self, unusable: &[(EvaluationId, Rc<Error>)]) -> Result<(), Error> {
        for (id, error) in unusable {
            self.fail_evaluation(*id, error)?;
            if self.finished.given_up {
                break;
            }
        }
        Ok(())
    }

    /// Fails the cells that read an evaluation. Its metrics, if it has any, are of another truth and go.
    pub(crate) fn fail_evaluation(&mut self, id: EvaluationId, error: &Error) -> Result<(), Error> {
        metrics::remove(&self.folder.evaluation(id))?;
        self.note_failure(id.into(), 1, error)?;
        self.fail(error, &self.index.readers([id]));
        Ok(())
    }
}

impl World {
    /// Whether an evaluation's images, labels and masks can be read.
    ///
    /// # Errors
    /// As [`World::truth`]; images that can't be read, the first of them named.
    pub(crate) fn ready(&self, evaluation: &Evaluation, training: &Training) -> Result<(), Error> {
        self.truth(evaluation, training, training.options.image_size())?;
        if evaluation.on_fold {
            // Images of a support set fail its training, which reads them first.
            return Ok(());
        }
        let (known, hashes) = (self.known(&evaluation.dataset)?, self.hashes());
        let images: Vec<&Source> = known.test.iter().map(|item| &item.image).collect();
        let images = images.par_iter().filter(|image| matches!(image, Source::File(_)));
        let unreadable: Vec<String> =
            images.filter_map(|image| hashes.facts(image).err()).map(|error| error.to_string()).collect();
        match unreadable.first() {
            Some(first) => Err(Error::test_set(&evaluation.dataset, and_more(first, unreadable.len(), "images"))),
            None => Ok(()),
        }
    }
}
