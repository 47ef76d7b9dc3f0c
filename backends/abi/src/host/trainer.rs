//! A trainer on the host's side: lengths and indices checked, then one call each.

use std::collections::BTreeSet;
use std::ptr::NonNull;
use std::rc::Rc;

use super::open::Open;
use super::raw::{self, Inputs};
use super::towers::{Loaded, TextTower, items};
use super::{Backend, BackendError};
use crate::options::Capability;
use crate::plugin::{Failure, TrainerShape};
use crate::table::{self, TrainerHandle};
use crate::tensor::{NamedTensor, OwnedTensor};

/// Scores of B images.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// MadCLIP's d = s_ab - s_n of the seg heads, `[B, taps, G, G]`; of heads their logits and distances,
    /// `[B, grids, G, G]`.
    pub grids: Vec<f32>,
    /// MadCLIP's sum over taps of the aggregated abnormal probability of the det heads, `[B]`; empty for heads.
    pub detection: Vec<f32>,
    /// Sum over taps of the abnormal probability map, `[B, S, S]`, where it was asked for.
    pub maps: Option<Vec<f32>>,
}

/// Adam's moments after some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `first.<parameter>` of every parameter, then `second.<parameter>`.
    pub tensors: Vec<OwnedTensor>,
    /// Steps they come from.
    pub steps: u64,
}

/// A model in training, or one that scores. Freed when dropped.
#[derive(Debug)]
pub struct Trainer {
    pub(super) session: Rc<Open>,
    pub(super) handle: NonNull<TrainerHandle>,
    pub(super) shape: TrainerShape,
    functions: Functions,
    held: usize,
    /// Numbers of the sets of taps that it holds.
    pub(super) sets: BTreeSet<u64>,
    // A backend may go on using the text tower a trainer was created with. Dropped after `drop` freed the trainer.
    _text: Option<Rc<Loaded>>,
}

/// The functions of the capability `trainer`, none of them null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    append_support: table::TrainerAppendSupport,
    step: table::TrainerStep,
    read_state: table::TrainerState,
    write_state: table::TrainerState,
    text: table::TrainerText,
    score: table::TrainerScore,
    free: table::TrainerFree,
}

impl Drop for Trainer {
    fn drop(&mut self) {
        // SAFETY: the handle came from `trainer_create`; session and text tower still live. Nobody is left to hear
        // of a failure.
        unsafe { (self.functions.free)(self.handle.as_ptr()) };
    }
}

impl Trainer {
    pub(super) fn functions(backend: &Backend, call: &'static str) -> Result<Functions, BackendError> {
        let trainer = Capability::Trainer;
        Ok(Functions {
            append_support: backend.function(call, trainer, |table| table.trainer_append_support)?,
            step: backend.function(call, trainer, |table| table.trainer_step)?,
            read_state: backend.function(call, trainer, |table| table.trainer_read_state)?,
            write_state: backend.function(call, trainer, |table| table.trainer_write_state)?,
            text: backend.function(call, trainer, |table| table.trainer_text)?,
            score: backend.function(call, trainer, |table| table.trainer_score)?,
            free: backend.function(call, trainer, |table| table.trainer_free)?,
        })
    }

    pub(super) fn new(
        session: Rc<Open>,
        handle: NonNull<TrainerHandle>,
        shape: TrainerShape,
        functions: Functions,
        text: Option<&TextTower>,
    ) -> Self {
        let _text = text.map(TextTower::share);
        Self { session, handle, shape, functions, held: 0, sets: BTreeSet::new(), _text }
    }

    /// Its sizes.
    pub fn shape(&self) -> TrainerShape {
        self.shape
    }

    /// Support images it holds.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Gives it more support images, as many as there are labels: one `[N, T, W]` a tap, labels (1 abnormal, 0 normal),
    /// and masks `[N, S, S]` of 0 and 1 if and only if `has_masks`. They are counted in the order of appending.
    ///
    /// # Errors
    /// Lengths or values that don't fit, or the backend's.
    pub fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), BackendError> {
        const CALL: &str = "trainer_append_support";
        let n = labels.len();
        let side = self.shape.image_size;
        let (tap_shape, mask_shape) = ([n, self.shape.tokens, self.shape.width], [n, side, side]);
        let checked = (|| {
            items("support images", n)?;
            self.check_taps(taps, &tap_shape)?;
            match masks {
                Some(masks) if self.shape.has_masks => {
                    raw::check("masks", masks.len(), &mask_shape)?;
                    binary("masks", masks)?;
                }
                None if !self.shape.has_masks => {}
                _ => return Err(Failure::invalid("masks must be given if and only if `has_masks` is set")),
            }
            binary("labels", labels)
        })();
        checked.map_err(|failure| self.session.error(CALL, failure))?;
        let taps: Vec<table::Tensor> = taps.iter().map(|tap| raw::input(&tap_shape, tap)).collect();
        let labels = raw::input(&tap_shape[..1], labels);
        let masks = masks.map(|masks| raw::input(&mask_shape, masks));
        let masks = masks.as_ref().map_or(std::ptr::null(), |masks| &raw const *masks);
        // SAFETY: the trainer is live and the tensors live through the call.
        let code = unsafe {
            let labels = &raw const labels;
            (self.functions.append_support)(self.handle.as_ptr(), taps.as_ptr(), taps.len(), labels, masks)
        };
        self.session.check(CALL, code)?;
        self.held += n;
        Ok(())
    }

    /// One Adam step on these support images: the losses that the options name, in their order, as they were before the
    /// update and each summed over taps.
    ///
    /// # Errors
    /// An index beyond what is held, a loss that is not finite (`numeric`), or the backend's.
    pub fn step(&mut self, indices: &[u32]) -> Result<Vec<f32>, BackendError> {
        const CALL: &str = "trainer_step";
        self.check_indices(indices).map_err(|failure| self.session.error(CALL, failure))?;
        let (shape, count) = ([indices.len()], [self.shape.losses]);
        let mut losses = vec![raw::UNWRITTEN; self.shape.losses];
        let indices = raw::input(&shape, indices);
        let output = raw::output(&count, &mut losses);
        // SAFETY: the trainer is live, the tensors live through the call, and the losses are nobody else's.
        let code = unsafe { (self.functions.step)(self.handle.as_ptr(), &raw const indices, &raw const output) };
        self.session.check(CALL, code)?;
        raw::finite("the loss", &losses).map_err(|failure| self.session.error(CALL, failure))?;
        Ok(losses)
    }

    /// Gradients of a step's loss on these images, without an update; `wanted` names parameters and their shapes.
    ///
    /// # Errors
    /// An index beyond what is held, a name or shape that is not a parameter's, a value that is not finite (`numeric`),
    /// a missing capability, or the backend's.
    pub fn gradients(
        &mut self,
        indices: &[u32],
        wanted: &[(&str, &[usize])],
    ) -> Result<Vec<OwnedTensor>, BackendError> {
        const CALL: &str = "trainer_gradients";
        let gradients = self.session.backend.function(CALL, Capability::Gradients, |table| table.trainer_gradients)?;
        self.check_indices(indices).map_err(|failure| self.session.error(CALL, failure))?;
        let shape = [indices.len()];
        let indices = raw::input(&shape, indices);
        self.read(CALL, wanted, |handle, tensors, count| {
            // SAFETY: the trainer is live, the tensors live through the call, and the buffers are nobody else's.
            unsafe { gradients(handle, &raw const indices, tensors, count) }
        })
    }

    /// The parameters asked for, by name and shape.
    ///
    /// # Errors
    /// A name or shape that is not a parameter's, a value that is not finite (`numeric`), or the backend's.
    pub fn read_state(&mut self, wanted: &[(&str, &[usize])]) -> Result<Vec<OwnedTensor>, BackendError> {
        let read_state = self.functions.read_state;
        self.read("trainer_read_state", wanted, |handle, tensors, count| {
            // SAFETY: the trainer is live, the tensors live through the call, and the buffers are nobody else's.
            unsafe { read_state(handle, tensors, count) }
        })
    }

    /// Writes a whole state: every parameter, f32. Adam starts again: moments zero, step count zero.
    ///
    /// # Errors
    /// Lengths that don't fit, or the backend's; the state stays what it was.
    pub fn write_state(&mut self, state: &[NamedTensor<'_>]) -> Result<(), BackendError> {
        const CALL: &str = "trainer_write_state";
        let state = Inputs::new(state).map_err(|failure| self.session.error(CALL, failure))?;
        // SAFETY: the trainer is live and the tensors live through the call.
        let code = unsafe { (self.functions.write_state)(self.handle.as_ptr(), state.as_ptr(), state.len()) };
        self.session.check(CALL, code)
    }

    /// Adam's moments of these parameters, by name and shape.
    ///
    /// # Errors
    /// A name or shape that is not a parameter's, a value that is not finite (`numeric`), a missing capability, or the
    /// backend's.
    pub fn read_moments(&mut self, parameters: &[(&str, &[usize])]) -> Result<Moments, BackendError> {
        const CALL: &str = "trainer_read_moments";
        let read = self.session.backend.function(CALL, Capability::Resume, |table| table.trainer_read_moments)?;
        let each = ["first", "second"]
            .into_iter()
            .flat_map(|moment| parameters.iter().map(move |(name, shape)| (format!("{moment}.{name}"), *shape)));
        let names: Vec<(String, &[usize])> = each.collect();
        let wanted: Vec<(&str, &[usize])> = names.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
        let mut steps = 0;
        let tensors = self.read(CALL, &wanted, |handle, tensors, count| {
            // SAFETY: the trainer is live, tensors and count live through the call and are nobody else's.
            unsafe { read(handle, tensors, count, &raw mut steps) }
        })?;
        Ok(Moments { tensors, steps })
    }

    /// Writes both moments of every parameter. With the parameters of the same moment, which are written before, the
    /// next steps are those that would have followed.
    ///
    /// # Errors
    /// Lengths that don't fit, a missing capability, or the backend's; the moments stay what they were.
    pub fn write_moments(&mut self, moments: &[NamedTensor<'_>], steps: u64) -> Result<(), BackendError> {
        const CALL: &str = "trainer_write_moments";
        let write = self.session.backend.function(CALL, Capability::Resume, |table| table.trainer_write_moments)?;
        let moments = Inputs::new(moments).map_err(|failure| self.session.error(CALL, failure))?;
        // SAFETY: the trainer is live and the tensors live through the call.
        let code = unsafe { write(self.handle.as_ptr(), moments.as_ptr(), moments.len(), steps) };
        self.session.check(CALL, code)
    }

    /// Whether its moments can be read and written.
    pub fn resumes(&self) -> bool {
        self.session.backend.has(Capability::Resume)
    }

    /// Text vectors `(t_n, t_ab)` of unit length, `[2, E]`.
    ///
    /// # Errors
    /// A value that is not finite (`numeric`), or the backend's.
    pub fn text(&mut self) -> Result<Vec<f32>, BackendError> {
        const CALL: &str = "trainer_text";
        let shape = [2, self.shape.embed];
        let mut text = raw::buffer("text", &shape).map_err(|failure| self.session.error(CALL, failure))?;
        let output = raw::output(&shape, &mut text);
        // SAFETY: the trainer is live, the tensor lives through the call, and the buffer is nobody else's.
        let code = unsafe { (self.functions.text)(self.handle.as_ptr(), &raw const output) };
        self.session.check(CALL, code)?;
        raw::finite("text", &text).map_err(|failure| self.session.error(CALL, failure))?;
        Ok(text)
    }

    /// Scores `batch` images from one `[batch, T, W]` a tap, and gives maps where `with_maps`.
    ///
    /// # Errors
    /// Lengths that don't fit, a score that is not finite (`numeric`), maps from a backend without the capability, or
    /// the backend's.
    pub fn score(&mut self, taps: &[&[f32]], batch: usize, with_maps: bool) -> Result<Scores, BackendError> {
        const CALL: &str = "trainer_score";
        let tap_shape = [batch, self.shape.tokens, self.shape.width];
        let checked = items("images", batch).and_then(|()| self.check_taps(taps, &tap_shape));
        checked.map_err(|failure| self.session.error(CALL, failure))?;
        let taps: Vec<table::Tensor> = taps.iter().map(|tap| raw::input(&tap_shape, tap)).collect();
        let score = self.functions.score;
        self.scored(CALL, batch, with_maps, |trainer, grids, detection, maps| {
            // SAFETY: the trainer is live, the tensors live through the call, and the buffers are nobody else's.
            unsafe { score(trainer, taps.as_ptr(), taps.len(), grids, detection, maps) }
        })
    }

    /// Buffers for the scores of `batch` images, at least one, filled by a call that gets grids, detection and maps.
    pub(super) fn scored(
        &mut self,
        call: &'static str,
        batch: usize,
        with_maps: bool,
        fill: impl FnOnce(*mut TrainerHandle, *const table::Tensor, *const table::Tensor, *const table::Tensor) -> i32,
    ) -> Result<Scores, BackendError> {
        if with_maps {
            self.session.backend.function(call, Capability::Maps, |table| table.trainer_score)?;
        }
        let TrainerShape { image_size, grid, grids, has_detection, .. } = self.shape;
        let (grid_shape, map_shape) = ([batch, grids, grid, grid], [batch, image_size, image_size]);
        let prepared = (|| {
            let maps = with_maps.then(|| raw::buffer("maps", &map_shape)).transpose()?;
            let detection = vec![raw::UNWRITTEN; if has_detection { batch } else { 0 }];
            Ok(Scores { grids: raw::buffer("grids", &grid_shape)?, detection, maps })
        })();
        let mut scores = prepared.map_err(|failure| self.session.error(call, failure))?;
        let grids = raw::output(&grid_shape, &mut scores.grids);
        let detection = has_detection.then(|| raw::output(&grid_shape[..1], &mut scores.detection));
        let detection = detection.as_ref().map_or(std::ptr::null(), |detection| &raw const *detection);
        let maps = scores.maps.as_mut().map(|maps| raw::output(&map_shape, maps));
        let maps = maps.as_ref().map_or(std::ptr::null(), |maps| &raw const *maps);
        let code = fill(self.handle.as_ptr(), &raw const grids, detection, maps);
        self.session.check(call, code)?;
        let all = [Some(&scores.grids), Some(&scores.detection), scores.maps.as_ref()];
        let finite = all.into_iter().flatten().try_for_each(|values| raw::finite("a score", values));
        finite.map_err(|failure| self.session.error(call, failure))?;
        Ok(scores)
    }

    /// Buffers for named tensors, filled by a call.
    fn read(
        &mut self,
        call: &'static str,
        wanted: &[(&str, &[usize])],
        fill: impl FnOnce(*mut TrainerHandle, *const table::Tensor, usize) -> i32,
    ) -> Result<Vec<OwnedTensor>, BackendError> {
        let mut tensors = Vec::with_capacity(wanted.len());
        for &(name, shape) in wanted {
            let values = raw::buffer(name, shape).map_err(|failure| self.session.error(call, failure))?;
            tensors.push(OwnedTensor { name: name.to_owned(), shape: shape.to_vec(), values });
        }
        let raws: Vec<table::Tensor> = tensors
            .iter_mut()
            .map(|OwnedTensor { name, shape, values }| raw::named_output(name, shape, values))
            .collect();
        let code = fill(self.handle.as_ptr(), raws.as_ptr(), raws.len());
        self.session.check(call, code)?;
        let finite = tensors.iter().try_for_each(|OwnedTensor { name, values, .. }| raw::finite(name, values));
        finite.map_err(|failure| self.session.error(call, failure))?;
        Ok(tensors)
    }

    pub(super) fn check_taps(&self, taps: &[&[f32]], shape: &[usize]) -> Result<(), Failure> {
        if taps.len() != self.shape.taps {
            return Err(Failure::invalid(format!("{} taps given, expected {}", taps.len(), self.shape.taps)));
        }
        taps.iter().try_for_each(|tap| raw::check("a tap", tap.len(), shape))
    }

    fn check_indices(&self, indices: &[u32]) -> Result<(), Failure> {
        items("support images", indices.len())?;
        match indices.iter().find(|&&index| index as usize >= self.held) {
            Some(index) => Err(Failure::invalid(format!("support image {index} of {}", self.held))),
            None => Ok(()),
        }
    }
}

fn binary(what: &str, values: &[u8]) -> Result<(), Failure> {
    match values.iter().find(|&&value| value > 1) {
        Some(value) => Err(Failure::invalid(format!("{what} hold the value {value}, expected 0 and 1"))),
        None => Ok(()),
    }
}
