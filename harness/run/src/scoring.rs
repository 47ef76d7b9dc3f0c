//! Metrics of a whole results folder made anew from stored predictions: what `harness score` does. No backend is started, and
//! nothing that was measured before is believed.

use harness_experiment::Plan;
use harness_records::Class;
use harness_records::metrics;
use harness_records::now;
use harness_records::{Entry, Journal};
use harness_records::{Folder, Lock};

use crate::error::Error;
use crate::measure;
use crate::notice::{Notice, Observer};
use crate::world::World;

/// What became of the evaluations of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scored {
    /// Measured anew.
    pub measured: usize,
    /// Have predictions and no metrics, as with this truth there are none.
    pub failed: usize,
    /// Have no predictions.
    pub missing: usize,
}

/// Measures every evaluation of a plan whose predictions are in `folder`, with labels and masks as they are now. The folder's
/// lock is held: until its report is written, best.
///
/// # Errors
/// Test images that are not those that were scored; labels, masks or predictions that can't be read; a folder that can't be
/// written to; `Interrupted` where `go_on` says no.
pub fn score(
    plan: &Plan,
    folder: &Folder,
    _: &Lock,
    world: &World,
    go_on: &dyn Fn() -> bool,
    observer: &mut dyn Observer,
) -> Result<Scored, Error> {
    let journal = Journal::open(&folder.journal())?;
    let trainings: std::collections::HashMap<_, _> =
        plan.trainings.iter().map(|training| (training.id, training)).collect();
    let mut scored = Scored::default();
    for evaluation in &plan.evaluations {
        if !go_on() {
            return Err(Error::Interrupted);
        }
        let (Some(record), Some(training)) =
            (folder.read_evaluation(evaluation.id)?, trainings.get(&evaluation.training))
        else {
            scored.missing += 1;
            continue;
        };
        observer.notice(&Notice::Measuring { evaluation });
        let place = folder.evaluation(evaluation.id);
        let truth = world.truth(evaluation, training, record.image_size)?;
        match measure::measure(&place, &record, &truth) {
            Ok(made) => {
                metrics::write(&place, &made)?;
                scored.measured += 1;
            }
            Err(error) if error.class() == Class::Numeric => {
                metrics::remove(&place)?;
                let (record, id) = ("evaluation".to_owned(), evaluation.id.to_string());
                let (class, message) = (error.class(), error.to_string());
                journal.append(&Entry::Failed { at: now(), record, id, class, message, attempt: 1 })?;
                scored.failed += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(scored)
}
