//! Methods whose heads a backend trains: their trainer, and a state of theirs that scores.

use harness_backend_abi::host::{HeldTaps, Trainer};
use harness_data::{augment_class, jitter_factors};
use harness_experiment::Training;
use harness_method::options::Side;
use harness_methods::stepped::NORMAL;
use harness_methods::{Completes, Desk, Nearest, Scores, Stepped, Taps};
use harness_records::StateTensor;

use crate::closed::OfWorker;
use crate::error::{Error, failed};
use crate::held::score;
use crate::holding::hold;
use crate::lab::Lab;
use crate::tensors;

/// A state that scores: the heads on a backend, and what completes their scores.
pub(crate) struct Ready {
    trainer: Trainer,
    completing: Box<dyn Completes>,
}

/// A trainer of the heads of a state, whose fixed text speaks of `object`; and the direction that they learn.
pub(crate) fn trainer(
    lab: &mut Lab,
    method: &dyn Stepped,
    training: &Training,
    object: &str,
    state: &[StateTensor],
) -> Result<(Trainer, Vec<f32>), Error> {
    let texts = OfWorker::new(lab, training).texts(method.states(), object);
    let [normal, abnormal] = texts.map_err(|error| failed(error.into()))?;
    let direction: Vec<f32> = abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect();
    let trainer = lab.heads_trainer(training, &method.heads(), &direction, heads(state))?;
    Ok((trainer, direction))
}

/// The tensors of a state that the backend trains: all but the last, which are the normal supports.
pub(crate) fn heads(state: &[StateTensor]) -> &[StateTensor] {
    match state.split_last() {
        Some((last, heads)) if last.name == NORMAL => heads,
        _ => state,
    }
}

impl Ready {
    /// A state of a training, ready to score images of an object.
    pub(crate) fn new(
        lab: &mut Lab,
        method: &dyn Stepped,
        training: &Training,
        object: &str,
        state: &[StateTensor],
    ) -> Result<Self, Error> {
        let (mut trainer, direction) = trainer(lab, method, training, object, state)?;
        let normal: &[f32] = match state.last() {
            Some(last) if last.name == NORMAL => &last.values,
            _ => &[],
        };
        if method.heads().bank {
            let size = training.options.image_size();
            let unit = |image: &[f32]| image.iter().map(|value| value / 255.0).collect::<Vec<f32>>();
            let images: Vec<Vec<f32>> = normal.chunks_exact(3 * size * size).map(unit).collect();
            let jitter = jitter_factors(Side::Normal, training.seed);
            let images = augment_class(&images, None, size, training.options.variants(), jitter).images;
            let labels = vec![0; images.len()];
            let masks = training.has_masks.then(|| vec![vec![0; size * size]; images.len()]);
            hold(lab, &mut trainer, training, images, &labels, masks.as_deref(), &mut |_, _| {})?;
        }
        let pixels: Vec<u8> = normal.iter().map(|&value| value as u8).collect();
        let completing = method.prepare(&pixels, &direction, &mut OfWorker::new(lab, training));
        Ok(Self { trainer, completing: completing.map_err(failed)? })
    }

    /// The same with another state of the training, which has the same supports.
    pub(crate) fn with(mut self, state: &[StateTensor]) -> Result<Self, Error> {
        self.trainer.write_state(&tensors::named(heads(state)))?;
        Ok(self)
    }

    /// The trainer of the heads.
    pub(crate) fn trainer(&mut self) -> &mut Trainer {
        &mut self.trainer
    }

    /// Whether what completes the scores reads taps.
    pub(crate) fn reads_taps(&self) -> bool {
        self.completing.reads_taps()
    }

    /// Scores `n` images by their taps, which the trainer may hold.
    pub(crate) fn score(
        &mut self,
        held: Option<&HeldTaps>,
        taps: &Taps<'_>,
        n: usize,
        device: &mut dyn Nearest,
    ) -> Result<Scores, Error> {
        let each: Vec<&[f32]> = taps.each().collect();
        let found = score(&mut self.trainer, held, &each, n)?;
        self.completing.complete(&found.grids, taps, device).map_err(failed)
    }
}
