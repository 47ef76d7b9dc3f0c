//! Metrics of a whole results folder, made again from stored predictions. No backend is started, and nothing that was
//! measured before is believed.

use std::collections::BTreeSet;
use std::rc::Rc;

use harness_experiment::{Evaluation, Plan};
use harness_records::contents::{self, Damage, Depth};
use harness_records::{Entry, EvaluationRecord, Folder, Found, Journal, Lock, metrics, now};

use crate::error::{Error, TestSetFault};
use crate::index::Index;
use crate::measure::{self, Truth};
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

/// Measures every evaluation of a plan whose predictions are in `folder`, with labels and masks as they are now. The
/// lock is best held until the report is written. A test set that can't be used fails its evaluations, of which
/// `observer` hears.
///
/// # Errors
/// Before anything is changed: datasets that can't be listed; test images of which none are those that were scored. A
/// folder that can't be written to; `Interrupted` where `go_on` says no.
pub fn score(
    plan: &Plan,
    folder: &Folder,
    _: &Lock,
    world: &World,
    go_on: &dyn Fn() -> bool,
    observer: &mut dyn Observer,
) -> Result<Scored, Error> {
    let journal = Journal::open(&folder.journal())?;
    let mut scored = Scored::default();
    let predicted = predicted(plan, folder, world, go_on, observer, &mut scored)?;
    let mut told = BTreeSet::new();
    for Predicted { evaluation, record, truth } in predicted {
        if !go_on() {
            return Err(Error::Interrupted);
        }
        observer.notice(&Notice::Measuring { evaluation });
        let path = folder.evaluation(evaluation.id);
        let made = truth.and_then(|truth| {
            let made = measure::measure(&path, &record, &truth)?;
            measure::label(&path, &truth)?;
            Ok(made)
        });
        match made {
            Ok(made) => {
                made.write(&path)?;
                scored.measured += 1;
            }
            Err(error) => {
                // Numbers of another truth must not stand beside those of this one.
                metrics::remove(&path)?;
                let (class, message) = (error.class(), error.to_string());
                if told.insert(message.clone()) {
                    observer.notice(&Notice::Warning(&format!("cells on [{}] fail: {message}", evaluation.dataset)));
                }
                let record = evaluation.id.into();
                journal.append(&Entry::Failed { at: now(), record, class, message, attempt: 1 })?;
                scored.failed += 1;
            }
        }
    }
    Ok(scored)
}

/// An evaluation with predictions, and what is true of its images.
struct Predicted<'a> {
    evaluation: &'a Evaluation,
    record: EvaluationRecord,
    truth: Result<Rc<Truth>, Error>,
}

impl Predicted<'_> {
    fn is_changed(&self) -> bool {
        self.truth.as_ref().is_err_and(|error| error.test_set_fault() == Some(TestSetFault::Changed))
    }
}

/// What there is to measure. Nothing is changed yet.
fn predicted<'a>(
    plan: &'a Plan,
    folder: &Folder,
    world: &World,
    go_on: &dyn Fn() -> bool,
    observer: &mut dyn Observer,
    scored: &mut Scored,
) -> Result<Vec<Predicted<'a>>, Error> {
    let index = Index::new(plan);
    let mut all = Vec::new();
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
        let scored = || measure::scored(&path);
        let damage = contents::compare(&path, None, Depth::Changed).unwrap_or_default();
        let of_predictions = |damage: &Damage| !metrics::MEASURED.contains(&damage.file.as_str());
        let truth = match damage.into_iter().find(of_predictions) {
            Some(Damage { what, .. }) => {
                let what = format!("{what}; run the experiment again, which makes it again");
                Err(Error::test_set(&evaluation.dataset, what))
            }
            None => world.truth_as_scored(evaluation, index.training(evaluation)?, record.image_size, &scored),
        };
        let truth = match truth {
            Err(error) if error.test_set_fault().is_none() => return Err(error),
            truth => truth,
        };
        all.push(Predicted { evaluation, record, truth });
    }
    // One changed test set among others fails; where all are, this is no correction of labels.
    let changed = |of: &&Predicted<'_>| !of.evaluation.on_fold && of.is_changed();
    let tests = all.iter().filter(|of| !of.evaluation.on_fold).count();
    if tests > 0 && all.iter().filter(changed).count() == tests {
        all.retain(|of| changed(&of));
        if let Some(error) = all.pop().and_then(|of| of.truth.err()) {
            return Err(error);
        }
    }
    Ok(all)
}
