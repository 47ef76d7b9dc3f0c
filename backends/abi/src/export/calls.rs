//! The C functions of a plugin written in Rust, except the trainer's: each checks its arguments and calls the trait.
//!
//! Every function here relies on the caller's promises in `include/harness_backend.h`: a handle is null or live and of
//! this backend, one thread at a time uses a session, and a pointer is null or valid for the announced length until the
//! call returns. The SAFETY lines name them "the header's promises".

use std::ffi::c_char;
use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;

use super::handle::{Held, Message, free, guarded, lend, message, with};
use super::views::{View, disjoint, named_inputs, text};
use crate::options::{Capability, Description};
use crate::plugin::{Failure, ImageTower, ImageTowerShape, Images, Plugin, Session, TextTower};
use crate::table::{self, ImageTowerHandle, SessionHandle, Tensor, TextTowerHandle};
use crate::tensor::DType;

type ImageTowerOf<P> = <<P as Plugin>::Session as Session>::ImageTower;
pub(super) type TextTowerOf<P> = <<P as Plugin>::Session as Session>::TextTower;
/// Whether a backend has a capability, at compile time too.
pub(super) const fn has<P: Plugin>(capability: Capability) -> bool {
    let mut index = 0;
    while index < P::CAPABILITIES.len() {
        if P::CAPABILITIES[index] as u8 == capability as u8 {
            return true;
        }
        index += 1;
    }
    false
}

/// Writes as much of `text` as fits and how long it is.
///
/// # Safety
/// `buffer` is null or has `capacity` writable bytes; `length` is null or writable.
unsafe fn put(text: &str, buffer: *mut c_char, capacity: usize, length: *mut usize) -> Result<(), Failure> {
    if length.is_null() || (buffer.is_null() && capacity != 0) {
        return Err(Failure::invalid("the buffer for the text or the pointer for its length is null"));
    }
    // SAFETY: not null, hence writable.
    unsafe { length.write(text.len()) };
    let fits = text.len().min(capacity);
    if fits > 0 {
        // SAFETY: both have `fits` bytes, and a string of the plugin's is apart from a buffer of the caller's.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), fits) };
    }
    Ok(())
}

/// # Safety
/// As for [`text`].
pub(super) unsafe fn options<T: DeserializeOwned>(data: *const c_char, length: usize) -> Result<T, Failure> {
    // SAFETY: the same contract.
    let json = unsafe { text("options", data, length) }?;
    serde_json::from_str(json).map_err(|cause| Failure::invalid(format!("options: {cause}")))
}

pub(super) unsafe extern "C" fn describe<P: Plugin>(buffer: *mut c_char, capacity: usize, length: *mut usize) -> i32 {
    guarded(None, || {
        let capabilities = P::CAPABILITIES.iter().map(|capability| capability.name().to_owned()).collect();
        let json = serde_json::to_string(&Description { capabilities, ..P::describe() })
            .map_err(|cause| Failure::internal(format!("description: {cause}")))?;
        // SAFETY: the header's promises.
        unsafe { put(&json, buffer, capacity, length) }
    })
}

pub(super) unsafe extern "C" fn last_error<P: Plugin>(
    session: *const SessionHandle,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    // SAFETY: the header's promises: null or this backend's session.
    let held = unsafe { session.cast::<Held<P::Session>>().as_ref() };
    let text = message(held.map(|held| &held.message));
    // Asking for a message is not a call that replaces it.
    // SAFETY: the header's promises.
    match unsafe { put(&text, buffer, capacity, length) } {
        Ok(()) => crate::status::OK,
        Err(failure) => failure.status.code(),
    }
}

pub(super) unsafe extern "C" fn session_open<P: Plugin>(
    json: *const c_char,
    json_length: usize,
    session: *mut *mut SessionHandle,
) -> i32 {
    guarded(None, || {
        let message: Message = Arc::new(Mutex::default());
        // SAFETY: the header's promises.
        unsafe { lend(session, &message, || P::open(options(json, json_length)?)) }
    })
}

pub(super) unsafe extern "C" fn session_close<P: Plugin>(session: *mut SessionHandle) -> i32 {
    // SAFETY: the header's promises.
    unsafe { free(session.cast::<Held<P::Session>>()) }
}

pub(super) unsafe extern "C" fn memory<P: Plugin>(session: *mut SessionHandle, memory: *mut table::Memory) -> i32 {
    let call = |session: &mut P::Session, _: &Message| {
        if memory.is_null() || !memory.is_aligned() {
            return Err(Failure::invalid("the pointer for memory is null or misaligned"));
        }
        // SAFETY: every struct begins with its size.
        let (size, needed) = (unsafe { memory.cast::<usize>().read() }, size_of::<table::Memory>());
        if size < needed {
            return Err(Failure::invalid(format!("memory is a struct of {size} bytes, expected {needed}")));
        }
        let peaks = session.memory();
        // SAFETY: the struct says that it has these fields. They are written one by one: `size` stays the caller's.
        unsafe {
            (&raw mut (*memory).host_peak_bytes).write(peaks.host_peak_bytes);
            (&raw mut (*memory).device_peak_bytes).write(peaks.device_peak_bytes);
        }
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

pub(super) unsafe extern "C" fn gemm_rate<P: Plugin>(session: *mut SessionHandle, gflops: *mut f64) -> i32 {
    let call = |session: &mut P::Session, _: &Message| {
        if gflops.is_null() || !gflops.is_aligned() {
            return Err(Failure::invalid("the pointer for the rate is null or misaligned"));
        }
        let rate = session.gemm_rate()?;
        // SAFETY: not null and aligned, hence writable.
        unsafe { gflops.write(rate) };
        Ok(())
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

pub(super) unsafe extern "C" fn image_tower_load<P: Plugin>(
    session: *mut SessionHandle,
    json: *const c_char,
    json_length: usize,
    tensors: *const Tensor,
    tensor_count: usize,
    tower: *mut *mut ImageTowerHandle,
) -> i32 {
    let call = |session: &mut P::Session, message: &Message| {
        // SAFETY: the header's promises.
        unsafe {
            lend(tower, message, || {
                let tensors = named_inputs("the image tower", tensors, tensor_count)?;
                session.load_image_tower(&options(json, json_length)?, &tensors)
            })
        }
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

pub(super) unsafe extern "C" fn image_tower_encode<P: Plugin>(
    tower: *mut ImageTowerHandle,
    images: *const Tensor,
    taps: *const Tensor,
    tap_count: usize,
) -> i32 {
    let call = |tower: &mut ImageTowerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (images, taps) = unsafe { (View::one("images", images)?, View::many("taps", taps, tap_count)?) };
        let shape = tower.shape();
        let batch = image_batch(&images, shape)?;
        expect_all("taps", &taps, shape.taps, &[batch, shape.tokens, shape.width])?;
        disjoint(&[images], &taps)?;
        // SAFETY: the header's promises; `disjoint` found no overlap.
        let images = unsafe { pixels(&images) }?;
        // SAFETY: as above.
        let mut taps = taps.iter().map(|tap| unsafe { tap.output("a tap") }).collect::<Result<Vec<_>, _>>()?;
        tower.encode(images, batch, &mut taps)
    };
    // SAFETY: the header's promises.
    unsafe { with(tower.cast::<Held<ImageTowerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn image_tower_encode_windows<P: Plugin>(
    tower: *mut ImageTowerHandle,
    images: *const Tensor,
    side: u32,
    windows: *const Tensor,
) -> i32 {
    let call = |tower: &mut ImageTowerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (images, windows) = unsafe { (View::one("images", images)?, View::one("windows", windows)?) };
        let shape = tower.shape();
        let batch = image_batch(&images, shape)?;
        let side = side as usize;
        let n = shape.windows(side);
        let n = n.ok_or_else(|| Failure::invalid(format!("no windows of {side} patches a side in an image")))?;
        windows.expect("windows", DType::F32, &[batch, n, shape.width])?;
        disjoint(&[images], &[windows])?;
        // SAFETY: the header's promises; `disjoint` found no overlap.
        let (images, windows) = unsafe { (pixels(&images)?, windows.output("windows")?) };
        tower.encode_windows(images, batch, side, windows)
    };
    // SAFETY: the header's promises.
    unsafe { with(tower.cast::<Held<ImageTowerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn image_tower_free<P: Plugin>(tower: *mut ImageTowerHandle) -> i32 {
    // SAFETY: the header's promises.
    unsafe { free(tower.cast::<Held<ImageTowerOf<P>>>()) }
}

pub(super) unsafe extern "C" fn text_tower_load<P: Plugin>(
    session: *mut SessionHandle,
    json: *const c_char,
    json_length: usize,
    tensors: *const Tensor,
    tensor_count: usize,
    tower: *mut *mut TextTowerHandle,
) -> i32 {
    let call = |session: &mut P::Session, message: &Message| {
        // SAFETY: the header's promises.
        unsafe {
            lend(tower, message, || {
                let tensors = named_inputs("the text tower", tensors, tensor_count)?;
                session.load_text_tower(&options(json, json_length)?, &tensors)
            })
        }
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

pub(super) unsafe extern "C" fn text_tower_encode<P: Plugin>(
    tower: *mut TextTowerHandle,
    embedded: *const Tensor,
    eot: *const Tensor,
    causal: u32,
    features: *const Tensor,
) -> i32 {
    let call = |tower: &mut TextTowerOf<P>, _: &Message| {
        // SAFETY: the header's promises.
        let (embedded, eot, features) =
            unsafe { (View::one("embedded", embedded)?, View::one("eot", eot)?, View::one("features", features)?) };
        let shape = tower.shape();
        let n = leading("embedded", &embedded)?;
        embedded.expect("embedded", DType::F32, &[n, shape.context, shape.width])?;
        eot.expect("eot", DType::U32, &[n])?;
        features.expect("features", DType::F32, &[n, shape.embed])?;
        if causal > 1 {
            return Err(Failure::invalid(format!("`causal` is {causal}, expected 0 or 1")));
        }
        disjoint(&[embedded, eot], &[features])?;
        // SAFETY: the header's promises; `disjoint` found no overlap.
        let (embedded, eot, features) = unsafe { (embedded.input(), eot.input(), features.output("features")?) };
        within("end-of-text index", eot.u32()?, shape.context)?;
        tower.encode(embedded.f32()?, eot.u32()?, causal == 1, features)
    };
    // SAFETY: the header's promises.
    unsafe { with(tower.cast::<Held<TextTowerOf<P>>>(), call) }
}

pub(super) unsafe extern "C" fn text_tower_free<P: Plugin>(tower: *mut TextTowerHandle) -> i32 {
    // SAFETY: the header's promises.
    unsafe { free(tower.cast::<Held<TextTowerOf<P>>>()) }
}

pub(super) unsafe extern "C" fn nearest<P: Plugin>(
    session: *mut SessionHandle,
    bank: *const Tensor,
    queries: *const Tensor,
    distances: *const Tensor,
) -> i32 {
    let call = |session: &mut P::Session, _: &Message| {
        // SAFETY: the header's promises.
        let (bank, queries, distances) =
            unsafe { (View::one("bank", bank)?, View::one("queries", queries)?, View::one("distances", distances)?) };
        let (m, n) = (leading("bank", &bank)?, leading("queries", &queries)?);
        let width = *bank.shape.last().unwrap_or(&0);
        if width == 0 {
            return Err(Failure::invalid(format!("the bank is empty: its shape is {:?}", bank.shape)));
        }
        bank.expect("bank", DType::F32, &[m, width])?;
        queries.expect("queries", DType::F32, &[n, width])?;
        distances.expect("distances", DType::F32, &[n])?;
        disjoint(&[bank, queries], &[distances])?;
        // SAFETY: the header's promises; `disjoint` found no overlap.
        let (bank, queries, distances) =
            unsafe { (bank.input().f32()?, queries.input().f32()?, distances.output("distances")?) };
        // A maximum may pass over a NaN.
        if bank.iter().chain(queries).fold(false, |found, value| found | !value.is_finite()) {
            return Err(Failure::numeric("the bank or a query holds a number that is not finite"));
        }
        session.nearest(bank, queries, width, distances)
    };
    // SAFETY: the header's promises.
    unsafe { with(session.cast::<Held<P::Session>>(), call) }
}

/// Checks images for a tower and says how many they are.
fn image_batch(images: &View<'_>, shape: ImageTowerShape) -> Result<usize, Failure> {
    let batch = leading("images", images)?;
    let dtype = if images.dtype() == DType::F32 { DType::F32 } else { DType::U8 };
    images.expect("images", dtype, &[batch, 3, shape.image_size, shape.image_size])?;
    Ok(batch)
}

/// The values of images that were checked.
///
/// # Safety
/// As for [`View::input`].
unsafe fn pixels<'a>(images: &View<'a>) -> Result<Images<'a>, Failure> {
    // SAFETY: the same contract.
    let values = unsafe { images.input() };
    Ok(if images.dtype() == DType::F32 { Images::F32(values.f32()?) } else { Images::U8(values.u8()?) })
}

/// The slowest side, which says how many items a call is about.
pub(super) fn leading(what: &str, view: &View<'_>) -> Result<usize, Failure> {
    match view.shape.first() {
        Some(&n) if n > 0 => Ok(n),
        _ => Err(Failure::invalid(format!("{what} is empty: its shape is {:?}", view.shape))),
    }
}

pub(super) fn expect_all(what: &str, views: &[View<'_>], count: usize, shape: &[usize]) -> Result<(), Failure> {
    if views.len() != count {
        return Err(Failure::invalid(format!("{} tensors of {what}, expected {count}", views.len())));
    }
    for (index, view) in views.iter().enumerate() {
        view.expect(&format!("{what}[{index}]"), DType::F32, shape)?;
    }
    Ok(())
}

pub(super) fn within(what: &str, indices: &[u32], count: usize) -> Result<(), Failure> {
    match indices.iter().find(|&&index| index as usize >= count) {
        Some(index) => Err(Failure::invalid(format!("{what} {index} of {count}"))),
        None => Ok(()),
    }
}
