//! The C interface itself: structs, numbers and function types, laid out as in `include/harness_backend.h`.

use std::ffi::{c_char, c_void};
use std::mem::{align_of, offset_of, size_of};

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the backend interface is laid out for 64-bit targets");

/// What a table begins with: `HARNESSB` as a big-endian number.
pub const MAGIC: u64 = 0x4841_524E_4553_5342;
/// Changes of meaning. Must be equal on both sides.
pub const MAJOR: u32 = 2;
/// Additions. A newer one on either side is fine.
pub const MINOR: u32 = 4;
/// Name of the function that returns a plugin's table: `const harness_backend_table_t *harness_backend_table(void)`.
pub const SYMBOL: &str = "harness_backend_table";

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug)]
        pub struct $name {
            // Never made or read on the host's side; a pointer to it is all there is.
            opaque: [u8; 0],
            neither_send_nor_sync: std::marker::PhantomData<*mut u8>,
        }
    )*};
}

opaque!(
    /// An open device.
    SessionHandle,
    /// A loaded image tower.
    ImageTowerHandle,
    /// A loaded text tower.
    TextTowerHandle,
    /// A trainer.
    TrainerHandle
);

/// A row-major tensor, perhaps named. Its memory is the caller's and is lent for the time of the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    /// Bytes of this struct; in an array, the distance to the next.
    pub size: usize,
    /// UTF-8, not terminated; null where a tensor is known by its position.
    pub name: *const c_char,
    /// Bytes of the name.
    pub name_length: usize,
    /// A [`crate::tensor::DType`].
    pub dtype: u32,
    /// Sides of the shape.
    pub rank: u32,
    /// Shape, slowest side first.
    pub shape: *const usize,
    /// Elements, aligned for their type; written only where a function says so.
    pub data: *mut c_void,
    /// Bytes of `data`: product of the shape times the element's.
    pub bytes: usize,
}

/// Peak memory. The caller sets `size`; fields beyond it are not written.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes of this struct.
    pub size: usize,
    /// Peak of host memory in bytes; 0 is unknown.
    pub host_peak_bytes: u64,
    /// Peak of device memory in bytes; 0 is unknown.
    pub device_peak_bytes: u64,
}

/// `describe`: JSON into `buffer`, by the rule of sizes in the header.
pub type Describe = unsafe extern "C" fn(buffer: *mut c_char, capacity: usize, length: *mut usize) -> i32;
/// `last_error`: message of the session's last call, or with null of this thread's last call without a session.
pub type LastError = unsafe extern "C" fn(
    session: *const SessionHandle,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> i32;
/// `session_open`.
pub type SessionOpen =
    unsafe extern "C" fn(options: *const c_char, options_length: usize, session: *mut *mut SessionHandle) -> i32;
/// `session_close`. Towers and trainers are freed before.
pub type SessionClose = unsafe extern "C" fn(session: *mut SessionHandle) -> i32;
/// `memory`.
pub type MemoryOf = unsafe extern "C" fn(session: *mut SessionHandle, memory: *mut Memory) -> i32;
/// `gemm_rate`: writes 10^9 operations a second.
pub type GemmRate = unsafe extern "C" fn(session: *mut SessionHandle, gflops: *mut f64) -> i32;
/// `nearest`: bank f32 `[M, D]`, queries f32 `[N, D]`; writes distances f32 `[N]`.
pub type Nearest = unsafe extern "C" fn(
    session: *mut SessionHandle,
    bank: *const Tensor,
    queries: *const Tensor,
    distances: *const Tensor,
) -> i32;
/// `image_tower_load` and `text_tower_load`.
pub type TowerLoad<T> = unsafe extern "C" fn(
    session: *mut SessionHandle,
    options: *const c_char,
    options_length: usize,
    tensors: *const Tensor,
    tensor_count: usize,
    tower: *mut *mut T,
) -> i32;
/// `image_tower_encode`: images u8 or f32 `[B, 3, S, S]`; writes one f32 `[B, T, W]` a tap.
pub type ImageTowerEncode = unsafe extern "C" fn(
    tower: *mut ImageTowerHandle,
    images: *const Tensor,
    taps: *const Tensor,
    tap_count: usize,
) -> i32;
/// `image_tower_encode_windows`: images as for [`ImageTowerEncode`]; writes class tokens f32 `[B, n, W]`.
pub type ImageTowerEncodeWindows =
    unsafe extern "C" fn(tower: *mut ImageTowerHandle, images: *const Tensor, side: u32, windows: *const Tensor) -> i32;
/// `image_tower_free`.
pub type ImageTowerFree = unsafe extern "C" fn(tower: *mut ImageTowerHandle) -> i32;
/// `text_tower_encode`: embedded f32 `[N, context, Wt]`, eot u32 `[N]`; writes features f32 `[N, E]`.
pub type TextTowerEncode = unsafe extern "C" fn(
    tower: *mut TextTowerHandle,
    embedded: *const Tensor,
    eot: *const Tensor,
    causal: u32,
    features: *const Tensor,
) -> i32;
/// `text_tower_free`.
pub type TextTowerFree = unsafe extern "C" fn(tower: *mut TextTowerHandle) -> i32;
/// `trainer_create`.
pub type TrainerCreate = unsafe extern "C" fn(
    session: *mut SessionHandle,
    options: *const c_char,
    options_length: usize,
    text_tower: *mut TextTowerHandle,
    prompts: *const Tensor,
    prompt_count: usize,
    state: *const Tensor,
    state_count: usize,
    trainer: *mut *mut TrainerHandle,
) -> i32;
/// `trainer_append_support`: one f32 `[N, T, W]` a tap, labels u8 `[N]`, masks u8 `[N, S, S]` or null.
pub type TrainerAppendSupport = unsafe extern "C" fn(
    trainer: *mut TrainerHandle,
    taps: *const Tensor,
    tap_count: usize,
    labels: *const Tensor,
    masks: *const Tensor,
) -> i32;
/// `trainer_step`: indices u32 `[B]`; writes one f32 for each loss that the options name.
pub type TrainerStep =
    unsafe extern "C" fn(trainer: *mut TrainerHandle, indices: *const Tensor, losses: *const Tensor) -> i32;
/// `trainer_gradients`: indices u32 `[B]`; writes named f32 tensors.
pub type TrainerGradients = unsafe extern "C" fn(
    trainer: *mut TrainerHandle,
    indices: *const Tensor,
    gradients: *const Tensor,
    gradient_count: usize,
) -> i32;
/// `trainer_read_state` writes named f32 tensors; `trainer_write_state` reads them.
pub type TrainerState =
    unsafe extern "C" fn(trainer: *mut TrainerHandle, state: *const Tensor, state_count: usize) -> i32;
/// `trainer_read_moments`: writes named f32 tensors and the count of steps.
pub type TrainerReadMoments = unsafe extern "C" fn(
    trainer: *mut TrainerHandle,
    moments: *const Tensor,
    moment_count: usize,
    steps: *mut u64,
) -> i32;
/// `trainer_write_moments`: reads them.
pub type TrainerWriteMoments =
    unsafe extern "C" fn(trainer: *mut TrainerHandle, moments: *const Tensor, moment_count: usize, steps: u64) -> i32;
/// `trainer_text`: writes f32 `[2, E]`.
pub type TrainerText = unsafe extern "C" fn(trainer: *mut TrainerHandle, text: *const Tensor) -> i32;
/// `trainer_score`: one f32 `[B, T, W]` a tap; writes grids f32 `[B, taps, G, G]`, detection f32 `[B]` and, unless
/// null, maps f32 `[B, S, S]`; for heads grids `[B, grids, G, G]` alone.
pub type TrainerScore = unsafe extern "C" fn(
    trainer: *mut TrainerHandle,
    taps: *const Tensor,
    tap_count: usize,
    grids: *const Tensor,
    detection: *const Tensor,
    maps: *const Tensor,
) -> i32;
/// `trainer_room`: writes bytes.
pub type TrainerRoom = unsafe extern "C" fn(trainer: *mut TrainerHandle, bytes: *mut u64) -> i32;
/// `trainer_hold_taps`: one f32 `[N, T, W]` a tap; writes the set's number.
pub type TrainerHoldTaps =
    unsafe extern "C" fn(trainer: *mut TrainerHandle, taps: *const Tensor, tap_count: usize, set: *mut u64) -> i32;
/// `trainer_score_held`: indices u32 `[B]` of a set's images; writes as [`TrainerScore`].
pub type TrainerScoreHeld = unsafe extern "C" fn(
    trainer: *mut TrainerHandle,
    set: u64,
    indices: *const Tensor,
    grids: *const Tensor,
    detection: *const Tensor,
    maps: *const Tensor,
) -> i32;
/// `trainer_release_taps`.
pub type TrainerReleaseTaps = unsafe extern "C" fn(trainer: *mut TrainerHandle, set: u64) -> i32;
/// `trainer_free`.
pub type TrainerFree = unsafe extern "C" fn(trainer: *mut TrainerHandle) -> i32;

/// A backend's functions. The first four are always there; the rest are null where a capability is absent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Bytes of this struct as the plugin was built.
    pub size: usize,
    /// [`MAGIC`].
    pub magic: u64,
    /// [`MAJOR`] as the plugin was built.
    pub major: u32,
    /// [`MINOR`] as the plugin was built.
    pub minor: u32,
    /// Always there.
    pub describe: Option<Describe>,
    /// Always there.
    pub last_error: Option<LastError>,
    /// Always there.
    pub session_open: Option<SessionOpen>,
    /// Always there.
    pub session_close: Option<SessionClose>,
    /// Capability `memory`.
    pub memory: Option<MemoryOf>,
    /// Capability `image_tower`.
    pub image_tower_load: Option<TowerLoad<ImageTowerHandle>>,
    /// Capability `image_tower`.
    pub image_tower_encode: Option<ImageTowerEncode>,
    /// Capability `image_tower`.
    pub image_tower_free: Option<ImageTowerFree>,
    /// Capability `text_tower`.
    pub text_tower_load: Option<TowerLoad<TextTowerHandle>>,
    /// Capability `text_tower`.
    pub text_tower_encode: Option<TextTowerEncode>,
    /// Capability `text_tower`.
    pub text_tower_free: Option<TextTowerFree>,
    /// Capability `trainer`.
    pub trainer_create: Option<TrainerCreate>,
    /// Capability `trainer`.
    pub trainer_append_support: Option<TrainerAppendSupport>,
    /// Capability `trainer`.
    pub trainer_step: Option<TrainerStep>,
    /// Capability `gradients`.
    pub trainer_gradients: Option<TrainerGradients>,
    /// Capability `trainer`.
    pub trainer_read_state: Option<TrainerState>,
    /// Capability `trainer`.
    pub trainer_write_state: Option<TrainerState>,
    /// Capability `trainer`.
    pub trainer_text: Option<TrainerText>,
    /// Capability `trainer`; a `maps` that is not null needs capability `maps`.
    pub trainer_score: Option<TrainerScore>,
    /// Capability `trainer`.
    pub trainer_free: Option<TrainerFree>,
    /// Capability `gemm`.
    pub gemm_rate: Option<GemmRate>,
    /// Capability `windows`.
    pub image_tower_encode_windows: Option<ImageTowerEncodeWindows>,
    /// Capability `nearest`.
    pub nearest: Option<Nearest>,
    /// Capability `resume`.
    pub trainer_read_moments: Option<TrainerReadMoments>,
    /// Capability `resume`.
    pub trainer_write_moments: Option<TrainerWriteMoments>,
    /// Capability `held_taps`.
    pub trainer_room: Option<TrainerRoom>,
    /// Capability `held_taps`.
    pub trainer_hold_taps: Option<TrainerHoldTaps>,
    /// Capability `held_taps`; `maps` as for `trainer_score`.
    pub trainer_score_held: Option<TrainerScoreHeld>,
    /// Capability `held_taps`.
    pub trainer_release_taps: Option<TrainerReleaseTaps>,
}

/// Bytes that a table has at least; functions beyond its end are null.
pub const REQUIRED_SIZE: usize = 184;

macro_rules! layout {
    ($($name:ident { size $size:literal $(, $field:ident $offset:literal)* })*) => {
        $(const _: () = {
            assert!(size_of::<$name>() == $size && align_of::<$name>() == 8);
            $(assert!(offset_of!($name, $field) == $offset);)*
        };)*
        /// Every struct's size and its fields' offsets, as asserted above and in the header: `(struct, size, fields)`.
        pub const LAYOUT: &[(&str, usize, &[(&str, usize)])] =
            &[$((stringify!($name), $size, &[$((stringify!($field), $offset)),*])),*];
    };
}

layout! {
    Tensor { size 56, size 0, name 8, name_length 16, dtype 24, rank 28, shape 32, data 40, bytes 48 }
    Memory { size 24, size 0, host_peak_bytes 8, device_peak_bytes 16 }
    Table {
        size 256, size 0, magic 8, major 16, minor 20, describe 24, last_error 32, session_open 40, session_close 48,
        memory 56, image_tower_load 64, image_tower_encode 72, image_tower_free 80, text_tower_load 88,
        text_tower_encode 96, text_tower_free 104, trainer_create 112, trainer_append_support 120, trainer_step 128,
        trainer_gradients 136, trainer_read_state 144, trainer_write_state 152, trainer_text 160, trainer_score 168,
        trainer_free 176, gemm_rate 184, image_tower_encode_windows 192, nearest 200,
        trainer_read_moments 208, trainer_write_moments 216, trainer_room 224, trainer_hold_taps 232,
        trainer_score_held 240, trainer_release_taps 248
    }
}
