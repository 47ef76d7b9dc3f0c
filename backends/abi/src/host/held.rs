//! Taps that a trainer holds on its device, on the host's side: sent once, scored by index, released.

use std::ptr::NonNull;

use super::BackendError;
use super::raw;
use super::towers::items;
use super::trainer::{Scores, Trainer};
use crate::options::Capability;
use crate::plugin::Failure;
use crate::table::{self, TrainerHandle};

/// What a backend says where it can't tell how much room its device has.
const UNKNOWN: u64 = u64::MAX;

/// A set of images whose taps a trainer holds. Released when it is given back, or with its trainer.
#[derive(Debug)]
pub struct HeldTaps {
    trainer: NonNull<TrainerHandle>,
    set: u64,
    images: usize,
}

impl HeldTaps {
    /// Images in it.
    pub fn images(&self) -> usize {
        self.images
    }
}

impl Trainer {
    /// Whether it can hold taps.
    pub fn holds_taps(&self) -> bool {
        self.session.backend.has(Capability::HeldTaps)
    }

    /// Bytes of taps that its device has room for now: `None` where the backend can't tell, 0 where holding them saves
    /// nothing. Scoring needs a part of it.
    ///
    /// # Errors
    /// A missing capability, or the backend's.
    pub fn room(&mut self) -> Result<Option<u64>, BackendError> {
        const CALL: &str = "trainer_room";
        let room = self.session.backend.function(CALL, Capability::HeldTaps, |table| table.trainer_room)?;
        let mut bytes = UNKNOWN;
        // SAFETY: the trainer is live, and the number lives through the call.
        let code = unsafe { room(self.handle.as_ptr(), &raw mut bytes) };
        self.session.check(CALL, code)?;
        Ok((bytes != UNKNOWN).then_some(bytes))
    }

    /// Holds the taps of `batch` images, one `[batch, T, W]` a tap, whatever states are written meanwhile.
    ///
    /// # Errors
    /// Lengths that don't fit, a missing capability, or the backend's; `resource exhausted` where the device is full.
    /// Nothing is held then.
    pub fn hold_taps(&mut self, taps: &[&[f32]], batch: usize) -> Result<HeldTaps, BackendError> {
        const CALL: &str = "trainer_hold_taps";
        let hold = self.session.backend.function(CALL, Capability::HeldTaps, |table| table.trainer_hold_taps)?;
        let shape = [batch, self.shape.tokens, self.shape.width];
        let checked = items("images", batch).and_then(|()| self.check_taps(taps, &shape));
        checked.map_err(|failure| self.session.error(CALL, failure))?;
        let taps: Vec<table::Tensor> = taps.iter().map(|tap| raw::input(&shape, tap)).collect();
        let mut set = 0;
        // SAFETY: the trainer is live; tensors and number live through the call.
        let code = unsafe { hold(self.handle.as_ptr(), taps.as_ptr(), taps.len(), &raw mut set) };
        self.session.check(CALL, code)?;
        if set == 0 || !self.sets.insert(set) {
            let message = format!("the call succeeded and gave the number {set}, which is no new set's");
            return Err(self.session.error(CALL, Failure::internal(message)));
        }
        Ok(HeldTaps { trainer: self.handle, set, images: batch })
    }

    /// Scores images of a set by their indices, and gives maps where `with_maps`: as [`Trainer::score`] scores their
    /// taps.
    ///
    /// # Errors
    /// No index, one beyond the set, a set of another trainer, and those of [`Trainer::score`].
    pub fn score_held(&mut self, held: &HeldTaps, indices: &[u32], with_maps: bool) -> Result<Scores, BackendError> {
        const CALL: &str = "trainer_score_held";
        let score = self.session.backend.function(CALL, Capability::HeldTaps, |table| table.trainer_score_held)?;
        let checked = (|| {
            self.own(held)?;
            items("images", indices.len())?;
            match indices.iter().find(|&&index| index as usize >= held.images) {
                Some(index) => Err(Failure::invalid(format!("image {index} of {} held", held.images))),
                None => Ok(()),
            }
        })();
        checked.map_err(|failure| self.session.error(CALL, failure))?;
        let shape = [indices.len()];
        let indices = raw::input(&shape, indices);
        self.scored(CALL, shape[0], with_maps, |trainer, grids, detection, maps| {
            // SAFETY: the trainer is live, the tensors live through the call, and the buffers are nobody else's.
            unsafe { score(trainer, held.set, &raw const indices, grids, detection, maps) }
        })
    }

    /// Releases a set.
    ///
    /// # Errors
    /// A set of another trainer, or the backend's; it is not held any more then either.
    pub fn release_taps(&mut self, held: HeldTaps) -> Result<(), BackendError> {
        const CALL: &str = "trainer_release_taps";
        let release = self.session.backend.function(CALL, Capability::HeldTaps, |table| table.trainer_release_taps)?;
        self.own(&held).map_err(|failure| self.session.error(CALL, failure))?;
        self.sets.remove(&held.set);
        // SAFETY: the trainer is live.
        let code = unsafe { release(self.handle.as_ptr(), held.set) };
        self.session.check(CALL, code)
    }

    fn own(&self, held: &HeldTaps) -> Result<(), Failure> {
        // An address may come again with another trainer, a number of the backend's doesn't.
        if held.trainer == self.handle && self.sets.contains(&held.set) {
            return Ok(());
        }
        Err(Failure::invalid("the held taps are another trainer's"))
    }
}
