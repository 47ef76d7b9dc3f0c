//! The C functions of a trainer in a plugin written in Rust. As in `calls`, each relies on the caller's promises in
//! `include/harness_backend.h`, which the SAFETY lines name "the header's promises".

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::sync::Arc;

use super::calls::{TextTowerOf, expect_all, has, leading, options, within};
use super::handle::{Held, Message, free, lend, with};
use super::scores::Scores;
use super::views::{View, disjoint, named_inputs, named_outputs};
use crate::options::Capability;
use crate::plugin::{Failure, Outputs, Plugin, Session, Trainer, TrainerOptions};
use crate::table::{SessionHandle, Tensor, TextTowerHandle, TrainerHandle};
use crate::tensor::DType;

/// What the indices of a step are of.
const SUPPORT: &str = "support image";

pub(super) type TrainerOf<P> = Support<<<P as Plugin>::Session as Session>::Trainer>;

/// A trainer, how many support images it holds, the names of its losses, and the images of each set of taps it holds.
pub(super) struct Support<T> {
    pub(super) trainer: T,
    held: usize,
    losses: Vec<String>,
    pub(super) sets: BTreeMap<u64, usize>,
}

pub(super) unsafe extern "C" fn trainer_create<P: Plugin>(
    session: *mut SessionHandle,
    json: *const c_char,
    json_length: usize,
    text_tower: *mut TextTowerHandle,
    prompts: *const Tensor,
    prompt_count: usize,
    state: *const Tensor,
    state_count: usize,
    trainer: *mut *mut TrainerHandle,
) -> i32 {
    let call = |session: &mut P::Session, message: &Message| {
        if !text_tower.is_null() && !has::<P>(Capability::TextTower) {
            return Err(Failure::invalid("a text tower for a backend that has none"));
        }
        // SAFETY: the header's promises: null or this backend's tower, which then is a type that has values.
        let text = unsafe { text_tower.cast::<Held<TextTowerOf<P>>>().as_ref() };
        if text.is_some_and(|text| !Arc::ptr_eq(&text.message, message)) {
            return Err(Failure::invalid("the text tower belongs to another session"));
        }
        let make = || {
            // SAFETY: the header's promises.
            let (options, prompts, state) = unsafe {
                (
                    options::<TrainerOptions>(json, json_length)?,
                    named_inputs("the prompts", prompts, prompt_count)?,
                    named_inputs("the state", state, state_count)?,
                )
            };
            let trainer = session.create_trainer(&options, text.map(|text| &text.value), &prompts, &state)?;
            Ok(Support { trainer, held: 0, losses: options.losses, sets: BTreeMap::new() })
        };
        // SAFETY: the header's promises.
        unsafe { lend(trainer, message, make) }
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_append_support<P: Plugin>(
    trainer: *mut TrainerHandle,
    taps: *const Tensor,
    tap_count: usize,
    labels: *const Tensor,
    masks: *const Tensor,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (taps, labels, masks) = unsafe {
            (View::many("taps", taps, tap_count)?, View::one("labels", labels)?, View::optional("masks", masks)?)
        };
        let shape = support.trainer.shape();
        let n = leading("labels", &labels)?;
        labels.expect("labels", DType::U8, &[n])?;
        expect_all("taps", &taps, shape.taps, &[n, shape.tokens, shape.width])?;
        match masks {
            Some(masks) if shape.has_masks => {
                masks.expect("masks", DType::U8, &[n, shape.image_size, shape.image_size])?;
            }
            None if !shape.has_masks => {}
            _ => return Err(Failure::invalid("masks must be given if and only if `has_masks` is set")),
        }
        // SAFETY: the header's promises; nothing is written in this call.
        let (labels, masks) = unsafe { (labels.input(), masks.map(|masks| masks.input())) };
        // SAFETY: as above.
        let taps = taps.iter().map(|tap| unsafe { tap.input() }.f32()).collect::<Result<Vec<_>, _>>()?;
        let masks = masks.map(|masks| masks.u8()).transpose()?;
        binary("labels", labels.u8()?)?;
        binary("masks", masks.unwrap_or_default())?;
        support.trainer.append_support(&taps, labels.u8()?, masks)?;
        support.held += n;
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_step<P: Plugin>(
    trainer: *mut TrainerHandle,
    indices: *const Tensor,
    losses: *const Tensor,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (indices, losses) = unsafe { (View::one("indices", indices)?, View::one("losses", losses)?) };
        losses.expect("losses", DType::F32, &[support.losses.len()])?;
        disjoint(&[indices], &[losses])?;
        // SAFETY: the header's promises; `disjoint` found no overlap.
        let (indices, losses) = unsafe { (batch(SUPPORT, &indices, support.held)?, losses.output("losses")?) };
        support.trainer.step(indices, losses)?;
        if losses.iter().all(|loss| loss.is_finite()) {
            return Ok(());
        }
        let listed: Vec<_> = support.losses.iter().zip(losses).map(|(name, loss)| format!("{name} {loss}")).collect();
        Err(Failure::numeric(format!("the loss is not finite: {}", listed.join(", "))))
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_gradients<P: Plugin>(
    trainer: *mut TrainerHandle,
    indices: *const Tensor,
    gradients: *const Tensor,
    gradient_count: usize,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let indices = unsafe { View::one("indices", indices) }?;
        // SAFETY: the header's promises.
        let mut outputs = unsafe { named_outputs("the gradients", gradients, gradient_count, &[indices]) }?;
        // SAFETY: the header's promises; the outputs were found apart from the indices.
        support.trainer.gradients(unsafe { batch(SUPPORT, &indices, support.held) }?, &mut outputs)?;
        complete(&outputs)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_read_state<P: Plugin>(
    trainer: *mut TrainerHandle,
    state: *const Tensor,
    state_count: usize,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let mut outputs = unsafe { named_outputs("the state", state, state_count, &[]) }?;
        support.trainer.read_state(&mut outputs)?;
        complete(&outputs)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_write_state<P: Plugin>(
    trainer: *mut TrainerHandle,
    state: *const Tensor,
    state_count: usize,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        support.trainer.write_state(&unsafe { named_inputs("the state", state, state_count) }?)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_read_moments<P: Plugin>(
    trainer: *mut TrainerHandle,
    moments: *const Tensor,
    moment_count: usize,
    steps: *mut u64,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        if steps.is_null() || !steps.is_aligned() {
            return Err(Failure::invalid("the pointer for the count of steps is null or misaligned"));
        }
        // SAFETY: the header's promises.
        let mut outputs = unsafe { named_outputs("the moments", moments, moment_count, &[]) }?;
        let taken = support.trainer.read_moments(&mut outputs)?;
        complete(&outputs)?;
        // SAFETY: not null and aligned, hence writable.
        unsafe { steps.write(taken) };
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_write_moments<P: Plugin>(
    trainer: *mut TrainerHandle,
    moments: *const Tensor,
    moment_count: usize,
    steps: u64,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        support.trainer.write_moments(&unsafe { named_inputs("the moments", moments, moment_count) }?, steps)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_text<P: Plugin>(trainer: *mut TrainerHandle, text: *const Tensor) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let text = unsafe { View::one("text", text) }?;
        text.expect("text", DType::F32, &[2, support.trainer.shape().embed])?;
        // SAFETY: the header's promises; it is the call's one buffer.
        support.trainer.text(unsafe { text.output("text") }?)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_score<P: Plugin>(
    trainer: *mut TrainerHandle,
    taps: *const Tensor,
    tap_count: usize,
    grids: *const Tensor,
    detection: *const Tensor,
    maps: *const Tensor,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (taps, scores) = unsafe { (View::many("taps", taps, tap_count)?, Scores::of(grids, detection, maps)?) };
        let shape = support.trainer.shape();
        let n = scores.images()?;
        expect_all("taps", &taps, shape.taps, &[n, shape.tokens, shape.width])?;
        scores.expect::<P>(&shape, n)?;
        // SAFETY: the header's promises.
        unsafe {
            scores.fill(&taps, |buffers| {
                let taps = taps.iter().map(|tap| tap.input().f32()).collect::<Result<Vec<_>, _>>()?;
                support.trainer.score(&taps, n, buffers)
            })
        }
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_free<P: Plugin>(trainer: *mut TrainerHandle) -> i32 {
    // SAFETY: the header's promises.
    unsafe { free(trainer.cast::<Held<TrainerOf<P>>>()) }
}

/// Indices of `what`, none of them beyond the `held` there are.
///
/// # Safety
/// As for [`View::input`].
pub(super) unsafe fn batch<'a>(what: &str, indices: &View<'a>, held: usize) -> Result<&'a [u32], Failure> {
    let n = leading("indices", indices)?;
    // SAFETY: the same contract.
    let indices = unsafe { indices.expect("indices", DType::U32, &[n])?.input() }.u32()?;
    within(what, indices, held)?;
    Ok(indices)
}

fn binary(what: &str, values: &[u8]) -> Result<(), Failure> {
    match values.iter().find(|&&value| value > 1) {
        Some(value) => Err(Failure::invalid(format!("{what} hold the value {value}, expected 0 and 1"))),
        None => Ok(()),
    }
}

fn complete(outputs: &Outputs<'_>) -> Result<(), Failure> {
    match outputs.0.iter().find(|output| !output.filled) {
        Some(output) => Err(Failure::invalid(format!("there is no tensor `{}` to read", output.name))),
        None => Ok(()),
    }
}
