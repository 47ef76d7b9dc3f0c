//! Bringing the taps of support images into a trainer.

use harness_backend_abi::host::Trainer;
use harness_disk::stop;
use harness_experiment::Training;

use crate::encoding::{Encoding, finish, writers};
use crate::error::Error;
use crate::lab::{ENCODE_BATCH, Images, Lab};

/// Has a trainer hold support images, a batch at a time: `[3, S, S]` each in 0 to 1, labels, and masks `[S, S]` where
/// the training has any. `progress` gets how many are held, and of how many, and how many went through the encoder.
pub(crate) fn hold(
    lab: &mut Lab,
    trainer: &mut Trainer,
    training: &Training,
    images: Vec<Vec<f32>>,
    labels: &[u8],
    masks: Option<&[Vec<u8>]>,
    progress: &mut dyn FnMut((u64, u64), u64),
) -> Result<(), Error> {
    let encoding = Encoding::of(training)?;
    let store = std::rc::Rc::clone(&lab.store);
    let count = images.len();
    let mut writers =
        writers(&store, std::slice::from_ref(&encoding), count, &format!("{} support", training.dataset))?;
    let mut images = images.into_iter();
    for from in (0..count).step_by(ENCODE_BATCH) {
        let batch: Vec<Vec<f32>> = images.by_ref().take(ENCODE_BATCH).collect();
        let to = from + batch.len();
        let (_, taps) = lab.taps(training, &encoding, &Images::F32(batch), writers.first_mut())?;
        let taps: Vec<&[f32]> = taps.iter().map(Vec::as_slice).collect();
        let masks = masks.map(|masks| masks[from..to].concat());
        trainer.append_support(&taps, &labels[from..to], masks.as_deref())?;
        progress((to as u64, count as u64), lab.encoded());
    }
    stop::reached();
    finish(writers)?;
    stop::reached();
    Ok(())
}
