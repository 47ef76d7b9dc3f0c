//! Metrics of a whole results folder, made again from stored predictions. No backend is started, and nothing that was measured
//! before is believed.

use harness_experiment::Plan;
use harness_records::{Entry, Folder, Found, Journal, Lock, metrics, now};

use crate::error::Error;
use crate::index::Index;
use crate::measure;
use crate::notice::{Notice, Observer};
use crate::world::World;

/// What became of the evaluations of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scored {
    /// Measured again.
    pub measured: usize,
    /// Have predictions and no metrics, as with this truth there are none.
    pub failed: usize,
    /// Have no predictions.
    pub missing: usize,
}

/// Measures every evaluation of a plan whose predictions are in `folder`, with labels and masks as they are now. The lock is best
/// held until the report is written.
///
/// # Errors
/// Test images that are not those that were scored; labels or masks that can't be read; a folder that can't be written to; `Interrupted` where `go_on` says no.
pub fn score(
    plan: &Plan,
    folder: &Folder,
    _: &Lock,
    world: &World,
    go_on: &dyn Fn() -> bool,
    observer: &mut dyn Observer,
) -> Result<Scored, Error> {
    let journal = Journal::open(&folder.journal())?;
    let index = Index::new(plan);
    let mut scored = Scored::default();
    for evaluation in &plan.evaluations {
        if !go_on() {
            return Err(Error::Interrupted);
        }
        let path = folder.evaluation(evaluation.id);
        let record = match folder.read_evaluation(evaluation.id) {
            Found::Whole(record) => record,
            Found::Missing => {
                scored.missing += 1;
                continue;
            }
            Found::Unreadable(why) => {
                scored.missing += 1;
                let message = format!(
                    "evaluation {} can't be read and is left as it is; running again makes it: {why}",
                    evaluation.id
                );
                observer.notice(&Notice::Warning(&message));
                continue;
            }
        };
        observer.notice(&Notice::Measuring { evaluation });
        let training = index.training(evaluation)?;
        let truth = world.truth(evaluation, training, record.image_size)?;
        match measure::measure(&path, &record, &truth) {
            Ok(made) => {
                made.write(&path)?;
                scored.measured += 1;
            }
            Err(error) => {
                // Numbers of another truth must not stand beside those of this one.
                metrics::remove(&path)?;
                let (class, message) = (error.class(), error.to_string());
                let record = evaluation.id.into();
                journal.append(&Entry::Failed { at: now(), record, class, message, attempt: 1 })?;
                scored.failed += 1;
            }
        }
    }
    Ok(scored)
}
