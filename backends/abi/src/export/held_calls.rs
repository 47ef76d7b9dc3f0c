//! The C functions of taps that a trainer holds in a plugin written in Rust. As in `calls`, each relies on the caller's
//! promises in `include/harness_backend.h`, which the SAFETY lines name "the header's promises".

use std::sync::atomic::{AtomicU64, Ordering};

use super::calls::{expect_all, leading};
use super::handle::{Held, Message, with};
use super::scores::Scores;
use super::trainer_calls::{Support, TrainerOf, batch};
use super::views::View;
use crate::plugin::{Failure, Plugin, Trainer};
use crate::table::{Tensor, TrainerHandle};

/// The number of the next set. No two sets of a process share one, so that a trainer never takes another's for its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

pub(super) unsafe extern "C" fn trainer_room<P: Plugin>(trainer: *mut TrainerHandle, bytes: *mut u64) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        writable("the pointer for bytes", bytes)?;
        // SAFETY: not null and aligned, hence writable.
        unsafe { bytes.write(support.trainer.room().unwrap_or(u64::MAX)) };
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_hold_taps<P: Plugin>(
    trainer: *mut TrainerHandle,
    taps: *const Tensor,
    tap_count: usize,
    set: *mut u64,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        writable("the pointer for the set's number", set)?;
        // SAFETY: the header's promises.
        let taps = unsafe { View::many("taps", taps, tap_count) }?;
        let shape = support.trainer.shape();
        let n = match taps.first() {
            Some(first) => leading("taps[0]", first)?,
            None => return Err(Failure::invalid(format!("0 tensors of taps, expected {}", shape.taps))),
        };
        expect_all("taps", &taps, shape.taps, &[n, shape.tokens, shape.width])?;
        // SAFETY: the header's promises; nothing else of the caller's is written in this call.
        let taps = taps.iter().map(|tap| unsafe { tap.input() }.f32()).collect::<Result<Vec<_>, _>>()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        support.trainer.hold_taps(number, &taps, n)?;
        support.sets.insert(number, n);
        // SAFETY: not null and aligned, hence writable.
        unsafe { set.write(number) };
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_score_held<P: Plugin>(
    trainer: *mut TrainerHandle,
    set: u64,
    indices: *const Tensor,
    grids: *const Tensor,
    detection: *const Tensor,
    maps: *const Tensor,
) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (indices, scores) = unsafe { (View::one("indices", indices)?, Scores::of(grids, detection, maps)?) };
        let images = images(support, set)?;
        let n = leading("indices", &indices)?;
        scores.expect::<P>(&support.trainer.shape(), n)?;
        // SAFETY: the header's promises.
        unsafe {
            scores.fill(&[indices], |buffers| {
                let indices = batch(&format!("image of set {set}"), &indices, images)?;
                support.trainer.score_held(set, indices, buffers)
            })
        }
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn trainer_release_taps<P: Plugin>(trainer: *mut TrainerHandle, set: u64) -> i32 {
    let call = |support: &mut TrainerOf<P>, _: &Message| {
        images(support, set)?;
        support.sets.remove(&set);
        support.trainer.release_taps(set)
    };
    // SAFETY: the header's promises.
    unsafe { with(trainer.cast::<Held<TrainerOf<P>>>(), call) }
}

/// Images of a set that a trainer holds.
fn images<T>(support: &Support<T>, set: u64) -> Result<usize, Failure> {
    support.sets.get(&set).copied().ok_or_else(|| {
        Failure::invalid(format!("this trainer holds no set {set} of taps: it was released, or is another trainer's"))
    })
}

fn writable<T>(what: &str, pointer: *mut T) -> Result<(), Failure> {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(Failure::invalid(format!("{what} is null or misaligned")));
    }
    Ok(())
}
