//! Going on with a training that was interrupted: taking up what was kept of it, and keeping it after epochs.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use harness_backend_abi::host::{BackendError, Trainer};
use harness_experiment::{EpochRange, Training};
use harness_records::unfinished::{About, EpochLoss, UNFINISHED};
use harness_records::{Found, StateTensor, Unfinished, state, state_file};
use harness_tables::CurveRow;

use crate::error::Error;
use crate::events::Events;
use crate::tensors;

/// What keeping takes at most of the time of a training, one part in so many.
const SHARE: u32 = 100;
/// Bytes a second that are kept before any were.
const RATE: f64 = 100e6;
/// For tests: keeps after every epoch, whatever that takes.
const ALWAYS: &str = "HARNESS_KEEP_EVERY_EPOCH";

/// Where a training begins.
pub(crate) struct Beginning {
    /// The first epoch to be trained.
    pub(crate) epoch: u32,
    /// The curve up to it.
    pub(crate) curve: Vec<CurveRow>,
    /// Seconds of the epochs before it.
    pub(crate) secs: f64,
}

/// Brings a trainer with the state `initial` to where the training in `folder` was interrupted, if it was and that can
/// be gone on with; else nothing is left of it in the folder.
pub(crate) fn take_up(
    trainer: &mut Trainer,
    training: &Training,
    initial: &[StateTensor],
    keep: EpochRange,
    steps: u64,
    folder: &Path,
    events: &mut Events,
) -> Result<Beginning, Error> {
    let found = Unfinished::read(folder, training.id, initial);
    let why = match found {
        Found::Missing => None,
        Found::Unreadable(why) => Some(why),
        Found::Whole(kept) => match unusable(&kept, training, keep, folder) {
            None if !trainer.resumes() => Some(lacking(training)),
            None => match write(trainer, &kept) {
                Ok(()) => return begin(kept.about, training, keep, steps, folder, events),
                Err(error) => {
                    // The trainer may be in between.
                    trainer.write_state(&tensors::named(initial))?;
                    Some(error.to_string())
                }
            },
            Some(why) => Some(why),
        },
    };
    if let Some(why) = why {
        let message = format!("training {} can't go on where it was interrupted and begins anew: {why}", training.id);
        events.note(&message);
        remove(&folder.join(UNFINISHED))?;
    }
    drop_states(folder, |_| false)?;
    Ok(Beginning { epoch: 0, curve: Vec::new(), secs: 0.0 })
}

/// What a backend can't do that a training needs to go on.
pub(crate) fn lacking(training: &Training) -> String {
    format!("backend `{}` lacks the capability `resume`", training.backend.name)
}

/// Why a training can't go on from what was kept, though that is whole.
fn unusable(kept: &Unfinished, training: &Training, keep: EpochRange, folder: &Path) -> Option<String> {
    let About { epoch, losses, .. } = &kept.about;
    let names = training.options.losses(training.has_masks);
    let expected = (0..=*epoch).flat_map(|epoch| names.iter().map(move |name| (epoch, *name)));
    let fits = losses.iter().map(|row| (row.epoch, row.loss.as_str())).eq(expected);
    if *epoch >= training.epochs || !fits {
        return Some("its epochs and losses are not those of this training".to_owned());
    }
    // An evaluation may have come to need them.
    let needed = keep.first..=keep.last.min(*epoch);
    let missing = |epoch: &u32| state::check(&state_file(folder, *epoch)).is_err();
    needed.into_iter().find(missing).map(|epoch| format!("there is no state of epoch {epoch}, which is needed now"))
}

fn write(trainer: &mut Trainer, kept: &Unfinished) -> Result<(), BackendError> {
    trainer.write_state(&tensors::named(&kept.parameters))?;
    trainer.write_moments(&tensors::named(&kept.moments), kept.about.steps)
}

fn begin(
    about: About,
    training: &Training,
    keep: EpochRange,
    steps: u64,
    folder: &Path,
    events: &mut Events,
) -> Result<Beginning, Error> {
    drop_states(folder, |epoch| epoch <= about.epoch && (keep.first..=keep.last).contains(&epoch))?;
    let (id, done, epochs) = (training.id, about.epoch + 1, training.epochs);
    events.note(&format!("training {id} goes on after epoch {done} of {epochs}"));
    let row = |EpochLoss { epoch, loss, value, secs }| CurveRow { epoch, steps: steps as u32, loss, value, secs };
    Ok(Beginning { epoch: done, curve: about.losses.into_iter().map(row).collect(), secs: about.secs })
}

/// Removes the states that were written for epochs that are not `wanted`.
fn drop_states(folder: &Path, wanted: impl Fn(u32) -> bool) -> Result<(), Error> {
    let states = folder.join("states");
    let entries = match std::fs::read_dir(&states) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::file("list", &states))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::file("list", &states))?.path();
        let epoch = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        if !epoch.is_some_and(&wanted) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Keeps what lets a training go on, as often as that costs no more than a hundredth of its time.
pub(crate) struct Keeper {
    since: Instant,
    /// What keeping takes: as it took, or is expected to.
    takes: Duration,
    always: bool,
    able: bool,
}

impl Keeper {
    /// For a training whose parameters have so many `values`. `rate` is bytes a second as they were last kept.
    pub(crate) fn new(trainer: &Trainer, values: usize, rate: Option<f64>) -> Self {
        let bytes = (3 * values * size_of::<f32>()) as f64;
        Self {
            since: Instant::now(),
            takes: Duration::from_secs_f64(bytes / rate.unwrap_or(RATE)),
            always: std::env::var_os(ALWAYS).is_some(),
            able: trainer.resumes(),
        }
    }

    /// Whether it is time to keep something.
    pub(crate) fn is_due(&self) -> bool {
        self.able && (self.always || self.since.elapsed() >= self.takes * (SHARE - 1))
    }

    /// Keeps where the training is: after an epoch, with its curve, and so many seconds of training. Gives the bytes a
    /// second; what can't be kept is told in the log and never ends a training.
    pub(crate) fn keep(
        &mut self,
        trainer: &mut Trainer,
        training: &Training,
        initial: &[StateTensor],
        curve: &[CurveRow],
        secs: f64,
        folder: &Path,
    ) -> Option<f64> {
        let begun = Instant::now();
        let kept = self.try_keep(trainer, training, initial, curve, secs, folder);
        (self.since, self.takes) = (Instant::now(), begun.elapsed());
        match kept {
            Ok(bytes) => Some(bytes as f64 / self.takes.as_secs_f64().max(1e-6)),
            Err(error) => {
                self.able = false;
                // To the job's log; the training goes on either way.
                let what = "this training is not kept any more for the case that it is interrupted";
                let _ = writeln!(std::io::stderr(), "{what}: {error}");
                None
            }
        }
    }

    fn try_keep(
        &self,
        trainer: &mut Trainer,
        training: &Training,
        initial: &[StateTensor],
        curve: &[CurveRow],
        secs: f64,
        folder: &Path,
    ) -> Result<usize, Error> {
        let layout = tensors::layout(initial);
        let parameters = tensors::owned(trainer.read_state(&layout)?);
        let moments = trainer.read_moments(&layout)?;
        let losses = curve.iter().map(|row| EpochLoss {
            epoch: row.epoch,
            loss: row.loss.clone(),
            value: row.value,
            secs: row.secs,
        });
        let epoch = curve.last().map_or(0, |row| row.epoch);
        let about = About::new(training.id, epoch, moments.steps, secs, losses.collect());
        let kept = Unfinished { about, parameters, moments: tensors::owned(moments.tensors) };
        kept.write(folder)?;
        Ok(kept.parameters.iter().chain(&kept.moments).map(|tensor| size_of_val(tensor.values.as_slice())).sum())
    }
}
