//! Taps that a backend holds: what it says of their images is, byte for byte, what it says of taps that are sent.

use harness_backend_abi::host::{BackendError, HeldTaps, Trainer};

/// Taps of some images, on the host and held by a trainer.
pub(crate) struct Both {
    /// One `[n, T, W]` a tap.
    taps: Vec<Vec<f32>>,
    images: usize,
    held: HeldTaps,
}

impl Both {
    /// Has a trainer hold these taps of so many images; `None` where it can't hold any.
    pub(crate) fn of(trainer: &mut Trainer, taps: Vec<Vec<f32>>, images: usize) -> Result<Option<Self>, String> {
        if !trainer.holds_taps() {
            return Ok(None);
        }
        let held = trainer.hold_taps(&slices(&taps), images).map_err(text)?;
        Ok(Some(Self { taps, images, held }))
    }

    /// Compares the scores of all images in their order, and of the last and the first, under the trainer's state.
    pub(crate) fn compare(&self, trainer: &mut Trainer, with_maps: bool) -> Result<(), String> {
        for indices in [(0..self.images).collect(), vec![self.images - 1, 0]] {
            let some: Vec<Vec<f32>> = self.taps.iter().map(|tap| self.some(tap, &indices)).collect();
            let sent = trainer.score(&slices(&some), indices.len(), with_maps).map_err(text)?;
            let numbers: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
            let held = trainer.score_held(&self.held, &numbers, with_maps).map_err(text)?;
            if held != sent {
                return Err(format!(
                    "images {indices:?} have other scores where their taps are held than where they are sent"
                ));
            }
        }
        Ok(())
    }

    /// Has the trainer release them.
    pub(crate) fn release(self, trainer: &mut Trainer) -> Result<(), String> {
        trainer.release_taps(self.held).map_err(text)
    }

    fn some(&self, tap: &[f32], indices: &[usize]) -> Vec<f32> {
        let each = tap.len() / self.images;
        indices.iter().flat_map(|&image| &tap[image * each..][..each]).copied().collect()
    }
}

fn slices(taps: &[Vec<f32>]) -> Vec<&[f32]> {
    taps.iter().map(Vec::as_slice).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: BackendError) -> String {
    error.to_string()
}
