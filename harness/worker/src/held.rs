//! Taps of images that stay on the device while the states of a training score them, one after the other.

use std::collections::BTreeMap;
use std::ops::Range;

use harness_backend_abi::host::{BackendError, HeldTaps, Scores, Status, Trainer};

use crate::error::Error;
use crate::lab::Lab;

/// Most that is held of a device that can't tell how much room it has: little for any card of today.
const UNKNOWN_ROOM: u64 = 1 << 30;

/// Batches of images whose taps the device holds, by the first image. Sets are of one trainer, which a scorer keeps
/// from state to state.
#[derive(Debug, Default)]
pub(crate) struct Held {
    sets: BTreeMap<usize, HeldTaps>,
    /// Bytes that may be held in all; unknown until a trainer is there, and none where nothing shall be held.
    budget: Option<u64>,
    bytes: u64,
}

impl Held {
    /// For images that so many states score: what one alone scores is not worth holding.
    pub(crate) fn for_states(states: usize) -> Self {
        Self { budget: (states < 2).then_some(0), ..Self::default() }
    }

    /// The set of a batch, by its first image.
    pub(crate) fn of(&self, at: usize) -> Option<&HeldTaps> {
        self.sets.get(&at)
    }

    /// Whether every batch of some images is held.
    pub(crate) fn covers(&self, range: Range<usize>, batch: usize) -> bool {
        range.step_by(batch).all(|at| self.sets.contains_key(&at))
    }

    /// Holds the taps of the `n` images from `at`, one `[n, T, W]` a tap, where the device has room for them. Where it
    /// turns out to have none, they are sent for each state, as they would be without this.
    pub(crate) fn hold(
        &mut self,
        lab: &mut Lab,
        trainer: Option<&mut Trainer>,
        at: usize,
        taps: &[&[f32]],
        n: usize,
    ) -> Result<(), Error> {
        if self.budget == Some(0) || self.sets.contains_key(&at) {
            return Ok(());
        }
        let Some(trainer) = trainer.filter(|trainer| trainer.holds_taps()) else {
            self.budget = Some(0);
            return Ok(());
        };
        let budget = match self.budget {
            Some(budget) => budget,
            // Scoring needs room too.
            None => *self.budget.insert(trainer.room()?.map_or(UNKNOWN_ROOM, |room| room / 2)),
        };
        let bytes: u64 = taps.iter().map(|tap| size_of_val(*tap) as u64).sum();
        if self.bytes.saturating_add(bytes) > budget {
            if budget > 0 {
                let megabytes = budget / 1_000_000;
                lab.log_once(&format!("{megabytes} MB of taps may stay on the device: others are sent for each state"));
            }
            return Ok(());
        }
        match trainer.hold_taps(taps, n) {
            Ok(set) => {
                self.sets.insert(at, set);
                self.bytes += bytes;
                Ok(())
            }
            Err(error) if is_exhausted(&error) => {
                // Of what is held, scoring decides.
                self.budget = Some(0);
                lab.log_once(&format!("{error}: the taps of further images are sent for each state"));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the device back what it holds, where scoring found no memory there and some is held: it may then be tried
    /// again. An error that is another's is given back.
    pub(crate) fn give_up(&mut self, lab: &mut Lab, trainer: Option<&mut Trainer>, error: Error) -> Result<(), Error> {
        let exhausted = matches!(&error, Error::Backend(error) if is_exhausted(error));
        if !exhausted || self.sets.is_empty() {
            return Err(error);
        }
        self.release(trainer)?;
        self.budget = Some(0);
        lab.log_once(&format!("{error}: the taps of all images are sent for each state"));
        Ok(())
    }

    /// Releases what is held.
    pub(crate) fn release(&mut self, trainer: Option<&mut Trainer>) -> Result<(), Error> {
        self.bytes = 0;
        let sets = std::mem::take(&mut self.sets);
        let Some(trainer) = trainer else { return Ok(()) };
        Ok(sets.into_values().try_for_each(|set| trainer.release_taps(set))?)
    }
}

/// A trainer's scores of the `n` images of a set that it holds, or else of these taps.
pub(crate) fn score(
    trainer: &mut Trainer,
    held: Option<&HeldTaps>,
    taps: &[&[f32]],
    n: usize,
) -> Result<Scores, Error> {
    Ok(match held {
        Some(held) => trainer.score_held(held, &(0..held.images() as u32).collect::<Vec<_>>(), false)?,
        None => trainer.score(taps, n, false)?,
    })
}

fn is_exhausted(error: &BackendError) -> bool {
    error.status == Status::ResourceExhausted
}
