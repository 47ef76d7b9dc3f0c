//! A state that scores: a backend's trainer, or a method that needs no steps of training.

use harness_backend_abi::host::Trainer;
use harness_experiment::Training;
use harness_methods::{Prepared, Scores, Taps};
use harness_records::StateTensor;

use crate::closed;
use crate::error::Error;
use crate::lab::Lab;
use crate::tensors;

/// A state that scores images of one object.
pub(crate) enum Scorer {
    /// On the backend.
    Trainer(Trainer),
    /// Here.
    Closed(Box<dyn Prepared>),
}

impl Scorer {
    /// A training's state, whose sentences speak of `object`.
    pub(crate) fn new(lab: &mut Lab, training: &Training, object: &str, state: &[StateTensor]) -> Result<Self, Error> {
        match training.options.closed() {
            None => lab.trainer(training, object, state).map(Self::Trainer),
            Some(method) => closed::prepare(lab, method, training, object, state).map(Self::Closed),
        }
    }

    /// The same with another state of the training.
    pub(crate) fn with(
        self,
        lab: &mut Lab,
        training: &Training,
        object: &str,
        state: &[StateTensor],
    ) -> Result<Self, Error> {
        match self {
            Self::Trainer(mut trainer) => {
                trainer.write_state(&tensors::named(state))?;
                Ok(Self::Trainer(trainer))
            }
            Self::Closed(_) => Self::new(lab, training, object, state),
        }
    }

    /// Scores `n` images by their taps, one `[n, T, W]` a tap.
    pub(crate) fn score(&mut self, training: &Training, taps: &[&[f32]], n: usize) -> Result<Scores, Error> {
        match self {
            Self::Trainer(trainer) => {
                let found = trainer.score(taps, n, false)?;
                Ok(Scores { grids: found.grids, detection: found.detection })
            }
            Self::Closed(prepared) => {
                let grid = training.arch.grid(training.options.image_size());
                let taps = Taps::new(taps.to_vec(), n, grid, training.arch.width).map_err(closed::failed)?;
                let scores = prepared.score(&taps).map_err(closed::failed)?;
                let all = scores.grids.iter().chain(&scores.detection);
                if all.fold(true, |finite, value| finite & value.is_finite()) {
                    return Ok(scores);
                }
                Err(closed::not_finite(training))
            }
        }
    }
}
