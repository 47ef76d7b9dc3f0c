//! Calls through the table as another host might make them, also where it breaks its promises: what a plugin in Rust
//! can notice is a status with a message, and nothing is written.
#![allow(unsafe_code, clippy::unwrap_used, missing_docs, reason = "tests call C functions")]

mod common;

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

use common::*;
use harness_backend_abi::plugin::{DType, Status};
use harness_backend_abi::table::{ImageTowerHandle, Memory, SessionHandle, Table, Tensor, TrainerHandle};

const INVALID: i32 = Status::InvalidArgument.code();

fn functions() -> &'static Table {
    // SAFETY: the table of a backend in Rust, for the whole process.
    unsafe { &*table() }
}

/// The message of a session, or of this thread.
fn message(session: *const SessionHandle) -> String {
    let (mut buffer, mut length) = (vec![0_u8; 500], 0);
    // SAFETY: a live session or null, and a buffer with its capacity.
    let code =
        unsafe { functions().last_error.unwrap()(session, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut length) };
    assert_eq!(code, 0);
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn open_raw(options: &[u8]) -> (i32, *mut SessionHandle) {
    let mut session = std::ptr::without_provenance_mut(8);
    // SAFETY: text and handle live through the call.
    let code = unsafe { functions().session_open.unwrap()(options.as_ptr().cast(), options.len(), &raw mut session) };
    (code, session)
}

fn session() -> *mut SessionHandle {
    let (code, session) = open_raw(br#"{"device":"cpu"}"#);
    assert_eq!(code, 0);
    session
}

fn tensor(dtype: DType, shape: &[usize], data: *mut c_void) -> Tensor {
    Tensor {
        size: size_of::<Tensor>(),
        name: null(),
        name_length: 0,
        dtype: dtype.code(),
        rank: shape.len() as u32,
        shape: shape.as_ptr(),
        data,
        bytes: shape.iter().product::<usize>() * dtype.bytes(),
    }
}

fn named(name: &str, tensor: Tensor) -> Tensor {
    Tensor { name: name.as_ptr().cast(), name_length: name.len(), ..tensor }
}

/// Loads an image tower from these tensors.
fn load(session: *mut SessionHandle, tensors: *const Tensor, count: usize) -> (i32, *mut ImageTowerHandle) {
    let options = serde_json::to_string(&image_options()).unwrap();
    let mut tower = std::ptr::without_provenance_mut(8);
    let load = functions().image_tower_load.unwrap();
    // SAFETY: a live session; text, tensors and handle live through the call.
    let code = unsafe { load(session, options.as_ptr().cast(), options.len(), tensors, count, &raw mut tower) };
    (code, tower)
}

fn tower(session: *mut SessionHandle) -> *mut ImageTowerHandle {
    let mut scale = [1.0_f32];
    let tensor = named("visual.scale", tensor(DType::F32, &[1], scale.as_mut_ptr().cast()));
    let (code, tower) = load(session, &raw const tensor, 1);
    assert_eq!(code, 0, "{}", message(session));
    tower
}

/// What encoding these tensors ends in: the message, empty after success.
fn encode(images: Tensor, taps: &[Tensor]) -> (i32, String) {
    let session = session();
    let tower = tower(session);
    // SAFETY: live handles and tensors; the call must notice what is wrong before it reads further.
    unsafe {
        let code = functions().image_tower_encode.unwrap()(tower, &raw const images, taps.as_ptr(), taps.len());
        let text = message(session);
        assert_eq!(functions().image_tower_free.unwrap()(tower), 0);
        assert_eq!(functions().session_close.unwrap()(session), 0);
        (code, text)
    }
}

const IMAGES: [usize; 4] = [1, 3, S, S];
const TAP: [usize; 3] = [1, T, W];

#[test]
fn a_null_handle_is_an_error_and_freeing_it_is_not() {
    let f = functions();
    // SAFETY: null handles, which every function must notice.
    unsafe {
        assert_eq!(f.image_tower_encode.unwrap()(null_mut(), null(), null(), 0), INVALID);
        assert_eq!(message(null()), "the handle is null");
        assert_eq!(f.trainer_step.unwrap()(null_mut(), null(), null()), INVALID);
        assert_eq!(f.memory.unwrap()(null_mut(), null_mut()), INVALID);
        for code in [
            f.session_close.unwrap()(null_mut()),
            f.image_tower_free.unwrap()(null_mut()),
            f.text_tower_free.unwrap()(null_mut()),
            f.trainer_free.unwrap()(null_mut()),
        ] {
            assert_eq!(code, 0);
        }
    }
}

#[test]
fn text_is_cut_at_the_capacity_and_its_whole_length_is_reported() {
    let describe = functions().describe.unwrap();
    let (mut buffer, mut length) = ([b'-'; 8], 0);
    // SAFETY: a buffer that is longer than its capacity says, or none.
    unsafe {
        assert_eq!(describe(buffer.as_mut_ptr().cast(), 5, &raw mut length), 0);
        assert!(length > 8 && &buffer == b"{\"nam---", "{buffer:?}");
        assert_eq!(describe(null_mut(), 0, &raw mut length), 0);
        assert_eq!(describe(null_mut(), 5, &raw mut length), INVALID);
        assert_eq!(describe(buffer.as_mut_ptr().cast(), 8, null_mut()), INVALID);
    }
    assert!(message(null()).contains("null"));
}

#[test]
fn options_that_are_no_options_open_nothing() {
    let refused = [
        (b"{".as_slice(), "options: EOF"),
        (b"\xff\xfe", "options is not UTF-8"),
        (br#"{"device":"cpu","colour":"red"}"#, "unknown field `colour`"),
        (br#"{"threads":1}"#, "missing field `device`"),
    ];
    for (options, expected) in refused {
        let (code, session) = open_raw(options);
        assert_eq!(code, INVALID);
        assert!(session.is_null() && message(null()).contains(expected), "{}", message(null()));
    }
    // SAFETY: a null pointer, which the call must notice, and null text of a length.
    unsafe {
        let mut session = null_mut();
        let open = functions().session_open.unwrap();
        assert_eq!(open(b"{}".as_ptr().cast(), 2, null_mut()), INVALID);
        assert_eq!(open(null::<c_char>(), 2, &raw mut session), INVALID);
    }
}

#[test]
fn a_message_lives_until_the_next_call_on_its_session() {
    let (one, two) = (session(), session());
    assert_eq!(load(one, null(), 0), (INVALID, null_mut()));
    assert_eq!([message(one), message(one)], ["tensor `visual.scale` is missing"; 2], "asking does not replace it");
    assert_eq!([message(two), message(null())], ["", ""]);
    let tower = tower(one);
    assert_eq!(message(one), "", "success empties it");
    // SAFETY: live handles, given back.
    unsafe {
        functions().image_tower_free.unwrap()(tower);
        functions().session_close.unwrap()(one);
        functions().session_close.unwrap()(two);
    }
}

#[test]
fn rule_1_tensors_of_a_newer_host_are_as_far_apart_as_they_say() {
    #[repr(C)]
    struct Newer(Tensor, [usize; 3]);
    let (mut scale, mut other, shape) = ([2.0_f32], [9.0_f32], [1_usize]);
    let longer = |name, data: &mut [f32; 1]| {
        let known = named(name, tensor(DType::F32, &shape, data.as_mut_ptr().cast()));
        Newer(Tensor { size: size_of::<Newer>(), ..known }, [usize::MAX; 3])
    };
    let tensors = [longer("other", &mut other), longer("visual.scale", &mut scale)];
    let session = session();
    let (code, tower) = load(session, tensors.as_ptr().cast(), 2);
    assert_eq!(code, 0, "{}", message(session));
    // SAFETY: live handles, given back.
    unsafe {
        functions().image_tower_free.unwrap()(tower);
        functions().session_close.unwrap()(session);
    }
}

#[test]
fn rule_1_a_memory_struct_is_written_as_far_as_it_is_known() {
    let (session, memory_of) = (session(), functions().memory.unwrap());
    let mut longer = (Memory { size: 32, host_peak_bytes: 7, device_peak_bytes: 7 }, 7_u64);
    // SAFETY: a live session and structs as long as they say, or shorter than any version's.
    unsafe {
        assert_eq!(memory_of(session, (&raw mut longer.0).cast()), 0);
        assert_eq!((longer.0.size, longer.0.host_peak_bytes, longer.0.device_peak_bytes, longer.1), (32, 0, 1, 7));
        longer.0.size = 16;
        assert_eq!(memory_of(session, &raw mut longer.0), INVALID);
        assert_eq!(message(session), "memory is a struct of 16 bytes, expected 24");
        functions().session_close.unwrap()(session);
    }
}

#[test]
fn a_tensor_that_can_not_be_is_refused_before_it_is_read() {
    let mut pixels = [0_u64; 3 * S * S];
    let data = pixels.as_mut_ptr().cast::<c_void>();
    let good = tensor(DType::U8, &IMAGES, data);
    let huge = [usize::MAX, 3, S, S];
    let refused = [
        (Tensor { size: 48, ..good }, "images is a struct of 48 bytes, expected 56"),
        (Tensor { dtype: 77, ..good }, "images has the unknown type 77"),
        (Tensor { rank: 9, ..good }, "images has rank 9 and no usable shape"),
        (Tensor { shape: null(), ..good }, "images has rank 4 and no usable shape"),
        (Tensor { bytes: 47, ..good }, "images has 47 bytes, but its shape [1, 3, 4, 4] of u8 needs 48"),
        (Tensor { shape: huge.as_ptr(), ..good }, "images has the impossible shape"),
        (Tensor { data: null_mut(), ..good }, "images has null or misaligned data"),
        (
            Tensor { data: data.wrapping_byte_add(2), ..tensor(DType::F32, &IMAGES, data) },
            "images has null or misaligned data",
        ),
        (tensor(DType::U32, &IMAGES, data), "images is u32 [1, 3, 4, 4], expected u8 [1, 3, 4, 4]"),
        (tensor(DType::U8, &[1, 3, S, S - 1], data), "images is u8 [1, 3, 4, 3], expected u8 [1, 3, 4, 4]"),
        (tensor(DType::U8, &[0, 3, S, S], data), "images is empty"),
    ];
    for (images, expected) in refused {
        let (mut a, mut b) = (taps(&[7.0]), taps(&[7.0]));
        let buffers = [&mut a, &mut b].map(|tap| tensor(DType::F32, &TAP, tap.as_mut_ptr().cast()));
        let (code, text) = encode(images, &buffers);
        assert_eq!(code, INVALID, "{expected}");
        assert!(text.contains(expected), "{text}, expected {expected}");
        assert_eq!([a, b], [taps(&[7.0]), taps(&[7.0])], "nothing is written: {expected}");
    }
}

#[test]
fn buffers_that_overlap_are_refused() {
    let mut memory = vec![0.0_f32; 200];
    let at = |element: usize, memory: &mut [f32]| memory[element..].as_mut_ptr().cast::<c_void>();
    let images = tensor(DType::F32, &IMAGES, at(0, &mut memory));
    for (first, second, overlaps) in [(100, 110, true), (100, 100, true), (40, 100, true), (48, 63, false)] {
        let buffers = [first, second].map(|element| tensor(DType::F32, &TAP, at(element, &mut memory)));
        let (code, text) = encode(images, &buffers);
        assert_eq!(code == INVALID && text.contains("overlaps"), overlaps, "{first} {second}: {text}");
    }
}

#[test]
fn too_few_buffers_and_tensors_without_names_are_refused() {
    let (mut pixels, mut tap) = ([0_u8; 3 * S * S], taps(&[0.0]));
    let buffer = tensor(DType::F32, &TAP, tap.as_mut_ptr().cast());
    let (code, text) = encode(tensor(DType::U8, &IMAGES, pixels.as_mut_ptr().cast()), &[buffer]);
    assert_eq!((code, text.as_str()), (INVALID, "1 tensors of taps, expected 2"));

    let session = session();
    let mut scale = [1.0_f32];
    let unnamed = tensor(DType::F32, &[1], scale.as_mut_ptr().cast());
    let twice = [named("visual.scale", unnamed), named("visual.scale", unnamed)];
    let bytes = [0xff_u8, 0xfe];
    let no_text = Tensor { name: bytes.as_ptr().cast(), name_length: 2, ..unnamed };
    for (tensors, count, expected) in [
        (&raw const unnamed, 1, "a tensor of the image tower has no name"),
        (twice.as_ptr(), 2, "tensor `visual.scale` is twice in the image tower"),
        (&raw const no_text, 1, "is not UTF-8"),
        (null(), 3, "is null where 3 tensors are announced"),
    ] {
        assert_eq!(load(session, tensors, count), (INVALID, null_mut()));
        assert!(message(session).contains(expected), "{}", message(session));
    }
    // SAFETY: a live session, given back.
    unsafe { functions().session_close.unwrap()(session) };
}

fn trainer(session: *mut SessionHandle) -> *mut TrainerHandle {
    let options = serde_json::to_string(&trainer_options(false)).unwrap();
    let (mut weight, mut bias, shapes) = (WEIGHT, BIAS, [[2_usize, 2], [2, 0]]);
    let state = [
        named("weight", tensor(DType::F32, &shapes[0], weight.as_mut_ptr().cast())),
        named("bias", tensor(DType::F32, &shapes[1][..1], bias.as_mut_ptr().cast())),
    ];
    let mut trainer = null_mut();
    let create = functions().trainer_create.unwrap();
    // SAFETY: a live session; text, tensors and handle live through the call.
    let code = unsafe {
        let (text, length) = (options.as_ptr().cast(), options.len());
        create(session, text, length, null_mut(), null(), 0, state.as_ptr(), state.len(), &raw mut trainer)
    };
    assert_eq!(code, 0, "{}", message(session));
    trainer
}

/// A set of held taps of one image, each tap's elements being `value`.
fn hold(trainer: *mut TrainerHandle, value: f32) -> u64 {
    let mut tap = taps(&[value]);
    let tensors = [tensor(DType::F32, &TAP, tap.as_mut_ptr().cast()); TAPS];
    let mut set = 0;
    // SAFETY: a live trainer; the tensors and the number live through the call.
    let code =
        unsafe { functions().trainer_hold_taps.unwrap()(trainer, tensors.as_ptr(), tensors.len(), &raw mut set) };
    assert_eq!(code, 0);
    set
}

/// Status and detection of an image of a set.
fn score_held(trainer: *mut TrainerHandle, set: u64, mut index: u32) -> (i32, f32) {
    let (mut grids, mut detection) = ([7.0_f32; TAPS * G * G], 7.0_f32);
    let (grid_shape, one) = ([1, TAPS, G, G], [1_usize]);
    let indices = tensor(DType::U32, &one, (&raw mut index).cast());
    let grids = tensor(DType::F32, &grid_shape, grids.as_mut_ptr().cast());
    let output = tensor(DType::F32, &one, (&raw mut detection).cast());
    let score = functions().trainer_score_held.unwrap();
    // SAFETY: a live trainer; the tensors live through the call.
    let code = unsafe { score(trainer, set, &raw const indices, &raw const grids, &raw const output, null()) };
    (code, detection)
}

#[test]
fn a_number_of_another_trainer_s_set_a_released_one_s_or_no_one_s_is_refused() {
    let (f, session) = (functions(), session());
    let (first, second) = (trainer(session), trainer(session));
    let sets = [hold(first, 2.0), hold(second, 3.0), hold(first, 4.0)];
    assert!(sets[0] != 0 && sets[0] < sets[1] && sets[1] < sets[2], "{sets:?}");
    assert_eq!(score_held(first, sets[0], 0), (0, 2.0));
    assert_eq!(score_held(second, sets[1], 0), (0, 3.0));
    let unknown = |set| format!("this trainer holds no set {set} of taps: it was released, or is another trainer's");
    // SAFETY: live trainers and sessions, given back.
    unsafe {
        for set in [sets[1], 0, u64::MAX] {
            assert_eq!(score_held(first, set, 0), (INVALID, 7.0), "nothing is written");
            assert_eq!(message(session), unknown(set));
            assert_eq!(f.trainer_release_taps.unwrap()(first, set), INVALID);
        }
        assert_eq!(score_held(first, sets[0], 1), (INVALID, 7.0));
        assert_eq!(message(session), format!("image of set {} 1 of 1", sets[0]));
        assert_eq!(f.trainer_release_taps.unwrap()(first, sets[0]), 0);
        assert_eq!(f.trainer_release_taps.unwrap()(first, sets[0]), INVALID);
        assert_eq!(message(session), unknown(sets[0]));
        assert_eq!(score_held(first, sets[0], 0), (INVALID, 7.0));
        assert_eq!(score_held(first, sets[2], 0), (0, 4.0));
        for misplaced in [null_mut(), std::ptr::without_provenance_mut(12)] {
            assert_eq!(f.trainer_room.unwrap()(first, misplaced), INVALID);
            assert_eq!(f.trainer_hold_taps.unwrap()(first, null(), 0, misplaced), INVALID);
        }
        let mut number = 5;
        assert_eq!(f.trainer_hold_taps.unwrap()(first, null(), 0, &raw mut number), INVALID);
        assert_eq!((message(session).as_str(), number), ("0 tensors of taps, expected 2", 5));
        assert_eq!(f.trainer_free.unwrap()(first), 0);
        assert_eq!(score_held(second, sets[1], 0), (0, 3.0), "freeing one releases its own");
        assert_eq!(f.trainer_free.unwrap()(second), 0);
        assert_eq!(f.session_close.unwrap()(session), 0);
    }
}
