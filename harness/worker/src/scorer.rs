//! A state that scores: a backend's trainer, a method that needs no steps of training, or heads that are completed
//! here.

use harness_backend_abi::host::{HeldTaps, Trainer};
use harness_experiment::Training;
use harness_methods::{Computation, Prepared, Scores, Taps};
use harness_records::StateTensor;

use crate::error::{Error, failed};
use crate::held::score;
use crate::lab::Lab;
use crate::{closed, stepped, tensors};

/// A state that scores images of one object.
pub(crate) enum Scorer {
    /// On the backend.
    Trainer(Trainer),
    /// Here.
    Closed(Box<dyn Prepared>),
    /// Heads on the backend, completed here.
    Stepped(stepped::Ready),
}

impl Scorer {
    /// A training's state, whose sentences speak of `object`.
    pub(crate) fn new(lab: &mut Lab, training: &Training, object: &str, state: &[StateTensor]) -> Result<Self, Error> {
        match training.options.computation() {
            Computation::Madclip(options) => lab.trainer(training, options, object, state).map(Self::Trainer),
            Computation::Closed(method) => closed::prepare(lab, method, training, object, state).map(Self::Closed),
            Computation::Stepped(method) => {
                stepped::Ready::new(lab, method, training, object, state).map(Self::Stepped)
            }
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
            Self::Stepped(ready) => ready.with(state).map(Self::Stepped),
            Self::Closed(_) => Self::new(lab, training, object, state),
        }
    }

    /// The backend's trainer, where there is one. It stays the same from state to state.
    pub(crate) fn trainer(&mut self) -> Option<&mut Trainer> {
        match self {
            Self::Trainer(trainer) => Some(trainer),
            Self::Stepped(ready) => Some(ready.trainer()),
            Self::Closed(_) => None,
        }
    }

    /// Whether it reads taps itself, also those that the trainer holds.
    pub(crate) fn reads_taps(&self) -> bool {
        match self {
            Self::Trainer(_) => false,
            Self::Stepped(ready) => ready.reads_taps(),
            Self::Closed(_) => true,
        }
    }

    /// Scores `n` images by their taps, one `[n, T, W]` a tap, and, behind them, by their windows, one `[n, count, E]`
    /// a side. Where the trainer holds these images' taps, none are needed but those that [`Scorer::reads_taps`].
    pub(crate) fn score(
        &mut self,
        lab: &Lab,
        training: &Training,
        held: Option<&HeldTaps>,
        tensors: &[&[f32]],
        n: usize,
    ) -> Result<Scores, Error> {
        let encoding = training.options.encoding();
        let (taps, windows) = tensors.split_at(encoding.taps.len().min(tensors.len()));
        if let Self::Trainer(trainer) = self {
            let found = score(trainer, held, taps, n)?;
            return Ok(Scores { grids: found.grids, detection: found.detection, ..Scores::default() });
        }
        let grid = training.arch.grid(training.options.image_size());
        let windows = encoding.windows.iter().copied().zip(windows.iter().copied()).collect();
        let taps = Taps::new(taps.to_vec(), n, grid, training.arch.width)
            .and_then(|taps| taps.with_windows(windows, training.arch.embed))
            .map_err(failed)?;
        let mut device = lab.nearest();
        let scores = match self {
            Self::Closed(prepared) => prepared.score(&taps, device.as_mut()).map_err(failed)?,
            Self::Stepped(ready) => ready.score(held, &taps, n, device.as_mut())?,
            Self::Trainer(_) => unreachable!("scored above"),
        };
        let all = scores.grids.iter().chain(&scores.detection).chain(&scores.few);
        if all.fold(true, |finite, value| finite & value.is_finite()) {
            return Ok(scores);
        }
        Err(closed::not_finite(training))
    }
}
