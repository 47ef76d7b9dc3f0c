//! What a run needs of labels and masks. The product's judge is the world; a scheduler's tests have one that reads
//! nothing.

use std::path::Path;

use harness_experiment::{Evaluation, Training};
use harness_records::{EvaluationRecord, Measurement, TruthId};

use crate::error::Error;
use crate::measure;
use crate::world::World;

/// Knows what is true of test sets.
pub(crate) trait Judge {
    /// Whether an evaluation's images can be scored and judged, as far as their files tell.
    ///
    /// # Errors
    /// Images, labels or masks that can't be read; test images that are not those of the plan.
    fn ready(&self, evaluation: &Evaluation, training: &Training) -> Result<(), Error>;

    /// Which truth an evaluation is to be measured with.
    ///
    /// # Errors
    /// Labels or masks that can't be read; test images that are not those of the plan.
    fn truth(&self, evaluation: &Evaluation, training: &Training, record: &EvaluationRecord) -> Result<TruthId, Error>;

    /// Measures the predictions in an evaluation's `folder`.
    ///
    /// # Errors
    /// Of class `numeric`: metrics that have no value. Else predictions that can't be read.
    fn measure(
        &self,
        evaluation: &Evaluation,
        training: &Training,
        record: &EvaluationRecord,
        folder: &Path,
    ) -> Result<Measurement, Error>;
}

impl Judge for World {
    fn ready(&self, evaluation: &Evaluation, training: &Training) -> Result<(), Error> {
        World::ready(self, evaluation, training)
    }

    fn truth(&self, evaluation: &Evaluation, training: &Training, record: &EvaluationRecord) -> Result<TruthId, Error> {
        Ok(World::truth(self, evaluation, training, record.image_size)?.id())
    }

    fn measure(
        &self,
        evaluation: &Evaluation,
        training: &Training,
        record: &EvaluationRecord,
        folder: &Path,
    ) -> Result<Measurement, Error> {
        let truth = World::truth(self, evaluation, training, record.image_size)?;
        let made = measure::measure(folder, record, &truth)?;
        measure::label(folder, &truth)?;
        Ok(made)
    }
}
