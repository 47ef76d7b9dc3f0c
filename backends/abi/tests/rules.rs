//! Rules 3 to 10 of the interface, a promise each, kept by the host and by plugins in Rust. Rules 1 and 2 are in
//! `acceptance.rs`, rule 7 in `loading.rs`, calls that break the host's own promises in `raw_calls.rs`.
#![allow(unsafe_code, clippy::unwrap_used, missing_docs, reason = "tests read and change tables")]

mod common;

use common::*;
use harness_backend_abi::host;
use harness_backend_abi::host::Version;
use harness_backend_abi::plugin::{self, Capability, Description, NamedTensor, Plugin, SessionOptions, Status};
use harness_backend_abi::table;
use serde_json::json;

#[test]
fn rule_3_a_panic_becomes_internal_with_its_message_and_the_session_stays_usable() {
    let session = open();
    let mut tower = image_tower(&session, 2.0);
    let (mut a, mut b) = (taps(&[0.0]), taps(&[0.0]));
    let error = tower.encode_u8(&[255; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap_err();
    assert_eq!((error.status, error.call), (Status::Internal, "image_tower_encode"));
    assert!(error.message.contains("panicked") && error.message.contains("a white image"), "{error}");
    tower.encode_u8(&[51; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap();
    assert_eq!(a, taps(&[0.4]));

    let options = host::ImageTowerOptions { activation: json!("panic"), ..image_options() };
    let error = session.load_image_tower(&options, &[]).unwrap_err();
    assert!(error.status == Status::Internal && error.message.ends_with("the activation panics"), "{error}");
    image_tower(&session, 1.0);

    let options = SessionOptions::on("panic");
    let error = backend().unwrap().open(&options).unwrap_err();
    assert!(error.status == Status::Internal && error.message.ends_with("no such device: panic"), "{error}");
    open();
}

#[test]
fn rule_3_a_failure_names_backend_call_and_cause() {
    let error = backend().unwrap().open(&SessionOptions::on("tpu")).unwrap_err();
    let text = "backend `dummy`, session_open: device `tpu`: expected `cpu` (invalid argument)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn rule_3_a_status_of_a_newer_version_is_internal_and_named() {
    unsafe extern "C" fn newer(_: *mut table::TrainerHandle, _: *const table::Tensor) -> i32 {
        99
    }
    let session = open_on(&changed(|table| table.trainer_text = Some(newer)).unwrap(), "cpu");
    let error = trainer(&session).text().unwrap_err();
    assert!(error.status == Status::Internal && error.message.contains("unknown status 99"), "{error}");
}

#[test]
fn rule_3_success_without_a_handle_is_an_error() {
    unsafe extern "C" fn forgetful(_: *const std::ffi::c_char, _: usize, _: *mut *mut table::SessionHandle) -> i32 {
        0
    }
    let backend = changed(|table| table.session_open = Some(forgetful)).unwrap();
    let error = backend.open(&SessionOptions::on("cpu")).unwrap_err();
    assert!(error.status == Status::Internal && error.message.contains("no handle"), "{error}");
}

#[test]
fn rule_4_the_callers_buffers_are_filled_and_nothing_beside_them() {
    let session = open();
    let mut tower = image_tower(&session, 2.0);
    let mut pixels = vec![51_u8; 2 * 3 * S * S];
    pixels[3 * S * S..].fill(102);
    let mut all = vec![-1.0_f32; 2 + 2 * (2 * T * W)];
    let (a, b) = all[1..1 + 4 * T * W].split_at_mut(2 * T * W);
    tower.encode_u8(&pixels, 2, &mut [a, b]).unwrap();
    assert_eq!(all[1..1 + 2 * T * W], taps(&[0.4, 0.8]));
    assert_eq!(all[1 + 2 * T * W..1 + 4 * T * W], taps(&[1.4, 1.8]));
    assert_eq!([all[0], all[1 + 4 * T * W]], [-1.0; 2]);

    let (mut a, mut b) = (taps(&[0.0]), taps(&[0.0]));
    tower.encode_f32(&[0.25; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap();
    assert_eq!((a, b), (taps(&[0.5]), taps(&[1.5])));
}

#[test]
fn rule_4_text_and_scores_come_back_in_their_shapes() {
    let session = open();
    let mut text = session.load_text_tower(&text_options(), &[NamedTensor::f32("text.bias", &[], &[0.5])]).unwrap();
    let embedded: Vec<f32> = (0..2 * CONTEXT * WT).map(|i| i as f32).collect();
    assert_eq!(text.encode(&embedded, &[1, 4], true).unwrap(), [3.5, 4.5, 19.5, 20.5]);

    let mut trainer = session.create_trainer(&trainer_options(true), Some(&text), &[], &state()).unwrap();
    drop((text, session));
    assert_eq!(trainer.text().unwrap(), [0.5; 2 * E]);
    let (a, b) = (taps(&[1.0, 2.0]), taps(&[3.0, 4.0]));
    let scores = trainer.score(&[&a, &b], 2, true).unwrap();
    let grids: Vec<f32> = [1.0, 3.0, 2.0, 4.0].into_iter().flat_map(|value| [value; G * G]).collect();
    assert_eq!((scores.grids, scores.detection), (grids, vec![1.0, 2.0]));
    assert_eq!(scores.maps, Some(vec![0.25; 2 * S * S]));
}

#[test]
fn rule_4_windows_come_back_image_by_image_and_only_those_there_are() {
    let session = open();
    let mut tower = image_tower(&session, 2.0);
    let mut pixels = vec![0.25_f32; 2 * 3 * S * S];
    pixels[3 * S * S..].fill(0.5);
    let mut windows = vec![0.0; 2 * G * G * W];
    tower.encode_windows_f32(&pixels, 2, 1, &mut windows).unwrap();
    let expected = [0.5, 1.5, 2.5, 3.5, 1.0, 2.0, 3.0, 4.0].map(|value| [value; W]);
    assert_eq!(windows, expected.concat());
    let mut one = [0.0; W];
    tower.encode_windows_u8(&[51; 3 * S * S], 1, 2, &mut one).unwrap();
    assert_eq!(one, [0.4; W]);
    for side in [0, 3, usize::MAX] {
        let error = tower.encode_windows_u8(&[0; 3 * S * S], 1, side, &mut one).unwrap_err();
        assert!(error.status == Status::InvalidArgument && error.message.contains("no windows of"), "{error}");
    }
    let error = tower.encode_windows_u8(&[0; 3 * S * S], 1, 1, &mut one).unwrap_err();
    assert!(error.message.contains("its shape [1, 4, 3]"), "{error}");
}

#[test]
fn rule_8_distances_are_of_whole_vectors_and_of_finite_numbers() {
    let session = open();
    let bank = [1.0, 0.0, 0.0, 1.0];
    assert_eq!(session.nearest(&bank, &[0.5, 0.0, 0.25, 0.75, -1.0, -1.0], 2).unwrap(), [0.5, 0.25, 2.0]);
    let refused = |bank: &[f32], queries: &[f32], width| session.nearest(bank, queries, width).unwrap_err();
    assert!(refused(&bank, &[], 2).message.contains("no queries"));
    assert!(refused(&[], &bank, 2).message.contains("no rows of a bank"));
    assert!(refused(&bank[..3], &bank, 2).message.contains("3 elements, its shape [1, 2]"));
    for (bank, query) in [([1.0, f32::NAN], [1.0, 0.0]), ([1.0, 0.0], [f32::INFINITY, 0.0])] {
        assert_eq!(refused(&bank, &query, 2).status, Status::Numeric);
    }
}

#[test]
fn rule_4_support_is_copied_and_counted_in_the_order_of_appending() {
    let session = open();
    let mut trainer = trainer(&session);
    for value in [0.5, 2.0, 4.0] {
        let (a, b) = (taps(&[value]), taps(&[0.0]));
        trainer.append_support(&[&a, &b], &[0], None).unwrap();
    }
    let (a, b) = (taps(&[8.0, 16.0]), taps(&[0.0, 0.0]));
    trainer.append_support(&[&a, &b], &[1, 0], None).unwrap();
    drop((a, b));
    assert_eq!(trainer.held(), 5);
    assert_eq!(trainer.step(&[0, 3, 4]).unwrap(), [0.5 + 9.0 + 16.0, 0.0, 1.0]);
    let error = trainer.step(&[5]).unwrap_err();
    assert!(error.status == Status::InvalidArgument && error.message.contains("support image 5 of 5"), "{error}");
}

#[test]
fn rule_4_lengths_that_do_not_fit_are_refused_with_the_shape_they_miss() {
    let session = open();
    let mut tower = image_tower(&session, 1.0);
    let (mut a, mut short) = (taps(&[0.0]), vec![0.0; T * W - 1]);
    let mut errors = vec![
        (tower.encode_u8(&[0; 47], 1, &mut [&mut a.clone(), &mut a.clone()]), "47 elements, its shape [1, 3, 4, 4]"),
        (tower.encode_u8(&[0; 48], 1, &mut [&mut a.clone(), &mut short]), "14 elements, its shape [1, 5, 3]"),
        (tower.encode_u8(&[0; 48], 1, &mut [&mut a]), "1 buffers for 2 taps"),
        (tower.encode_u8(&[], 0, &mut [&mut [], &mut []]), "no images"),
        (tower.encode_u8(&[0; 48], usize::MAX, &mut [&mut [], &mut []]), "impossible shape"),
    ];
    let mut trainer = session.create_trainer(&trainer_options(true), None, &[], &state()).unwrap();
    let tap = taps(&[0.0]);
    let mask = [0; S * S];
    errors.extend([
        (trainer.append_support(&[&tap, &tap], &[0], None), "if and only if `has_masks`"),
        (trainer.append_support(&[&tap, &tap], &[0], Some(&mask[1..])), "its shape [1, 4, 4] needs 16"),
        (trainer.append_support(&[&tap, &tap], &[2], Some(&mask)), "labels hold the value 2"),
        (trainer.append_support(&[&tap, &tap], &[1], Some(&[255; S * S])), "masks hold the value 255"),
        (trainer.append_support(&[&tap], &[1], Some(&mask)), "1 taps given, expected 2"),
        (trainer.step(&[]).map(drop), "no support images"),
        (trainer.read_state(&[("weight", &[4])]).map(drop), "`weight` has shape [2, 2], asked for [4]"),
        (trainer.read_state(&[("nothing", &[4])]).map(drop), "no tensor `nothing`"),
        (trainer.write_state(&state()[..1]), "tensor `bias` is missing"),
        (trainer.write_state(&[state()[0], state()[0]]), "`weight` is twice in the state"),
        (
            trainer.write_state(&[NamedTensor::f32("weight", &[4], &WEIGHT), state()[1]]),
            "`weight` has shape [4], expected [2, 2]",
        ),
        (trainer.write_state(&[NamedTensor::f32("weight", &[5], &WEIGHT)]), "4 elements, its shape [5] needs 5"),
        (trainer.write_state(&[NamedTensor::u32("weight", &[2, 2], &[0; 4]), state()[1]]), "u32 where f32"),
    ]);
    for (result, expected) in errors {
        let error = result.unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{error}");
        assert!(error.message.contains(expected), "{error}, expected {expected}");
    }
    assert_eq!(trainer.held(), 0);
    assert_eq!(trainer.read_state(&[("weight", &[2, 2])]).unwrap()[0].values, WEIGHT);
}

#[test]
fn rule_4_state_and_gradients_are_read_by_name_and_written_whole() {
    let session = open();
    let mut trainer = trainer(&session);
    let (a, b) = (taps(&[0.0]), taps(&[0.0]));
    trainer.append_support(&[&a, &b], &[1], None).unwrap();
    assert_eq!([trainer.step(&[0]).unwrap()[1], trainer.step(&[0]).unwrap()[1]], [0.0, 1.0]);
    let gradients = trainer.gradients(&[0, 0, 0], &[("bias", &[2]), ("weight", &[2, 2])]).unwrap();
    assert_eq!((gradients[0].name.as_str(), gradients[0].values.as_slice()), ("bias", BIAS.as_slice()));
    let state = trainer.read_state(&[("weight", &[2, 2]), ("bias", &[2])]).unwrap();
    assert_eq!(gradients[1].values, state[0].values.iter().map(|weight| weight * 3.0).collect::<Vec<_>>());
    assert_eq!(state[0].values[0], 1.0 - 0.001 - 0.001);
    let named: Vec<NamedTensor<'_>> = state.iter().map(host::OwnedTensor::as_named).collect();
    trainer.write_state(&named).unwrap();
    assert_eq!(trainer.step(&[0]).unwrap()[1], 0.0, "a written state starts again");
}

#[test]
fn rule_4_moments_are_read_for_parameters_and_written_whole() {
    let session = open();
    let mut first = trainer(&session);
    let (a, b) = (taps(&[0.0]), taps(&[0.0]));
    first.append_support(&[&a, &b], &[1], None).unwrap();
    first.step(&[0]).unwrap();
    first.step(&[0]).unwrap();
    assert!(first.resumes());
    let moments = first.read_moments(&[("weight", &[2, 2]), ("bias", &[2])]).unwrap();
    let names: Vec<&str> = moments.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["first.weight", "first.bias", "second.weight", "second.bias"]);
    assert_eq!((moments.steps, moments.tensors[0].values.as_slice()), (2, [2.0; 4].as_slice()));
    let named: Vec<NamedTensor<'_>> = moments.tensors.iter().map(host::OwnedTensor::as_named).collect();
    let mut second = trainer(&session);
    second.append_support(&[&a, &b], &[1], None).unwrap();
    let error = second.write_moments(&named[..3], 2).unwrap_err();
    assert!(error.message.contains("tensor `second.bias` is missing"), "{error}");
    assert_eq!(second.step(&[0]).unwrap()[1], 0.0, "a failed call changes nothing");
    second.write_moments(&named, moments.steps).unwrap();
    assert_eq!(second.step(&[0]).unwrap()[1], 2.0);
    let error = first.read_moments(&[("nothing", &[2])]).unwrap_err();
    assert!(error.message.contains("no tensor `first.nothing`"), "{error}");
}

#[test]
fn rule_4_held_taps_are_scored_by_index_under_every_state_until_they_are_released() {
    let session = open();
    let mut trainer = trainer(&session);
    let (a, b) = (taps(&[1.0, 2.0, 3.0]), taps(&[4.0, 5.0, 6.0]));
    assert!(trainer.holds_taps());
    assert_eq!(trainer.room().unwrap(), Some(ROOM));
    let held = trainer.hold_taps(&[&a, &b], 3).unwrap();
    assert_eq!((held.images(), trainer.room().unwrap()), (3, Some(7)));
    let one = trainer.hold_taps(&[&taps(&[9.0]), &taps(&[8.0])], 1).unwrap();
    assert_eq!(trainer.room().unwrap(), None, "more than it knew of");
    let sent = trainer.score(&[&a, &b], 3, true).unwrap();
    assert_eq!(trainer.score_held(&held, &[0, 1, 2], true).unwrap(), sent);
    let (c, d) = (taps(&[3.0, 1.0, 3.0]), taps(&[6.0, 4.0, 6.0]));
    assert_eq!(trainer.score_held(&held, &[2, 0, 2], false).unwrap(), trainer.score(&[&c, &d], 3, false).unwrap());
    trainer.write_state(&[NamedTensor::f32("weight", &[2, 2], &[7.0; 4]), state()[1]]).unwrap();
    assert_eq!(trainer.score_held(&held, &[0, 1, 2], false).unwrap().detection, [7.0, 14.0, 21.0]);
    assert_eq!(trainer.score_held(&one, &[0], false).unwrap().detection, [63.0]);
    trainer.release_taps(held).unwrap();
    assert_eq!(trainer.score_held(&one, &[0], false).unwrap().detection, [63.0]);
    assert!(trainer.room().unwrap().is_some());
}

#[test]
fn rule_4_held_taps_that_do_not_fit_are_refused_before_the_call() {
    let session = open();
    let (mut first, mut second) = (trainer(&session), trainer(&session));
    let a = taps(&[1.0, 2.0]);
    let held = first.hold_taps(&[&a, &a], 2).unwrap();
    for (result, expected) in [
        (first.score_held(&held, &[], false).map(drop), "no images given"),
        (first.score_held(&held, &[0, 2], false).map(drop), "image 2 of 2 held"),
        (second.score_held(&held, &[0], false).map(drop), "the held taps are another trainer's"),
        (first.hold_taps(&[], 0).map(drop), "no images given"),
        (first.hold_taps(&[&a], 2).map(drop), "1 taps given, expected 2"),
        (first.hold_taps(&[&a, &a[1..]], 2).map(drop), "29 elements, its shape [2, 5, 3] needs 30"),
        (second.release_taps(held), "the held taps are another trainer's"),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{error}");
        assert!(error.message.contains(expected), "{error}, expected {expected}");
    }
    // A full device holds nothing more, and what it held.
    let held = first.hold_taps(&[&a, &a], 2).unwrap();
    let error = first.hold_taps(&[&taps(&[-1.0]), &taps(&[0.0])], 1).unwrap_err();
    assert_eq!((error.status, error.call), (Status::ResourceExhausted, "trainer_hold_taps"));
    assert_eq!(first.score_held(&held, &[1], false).unwrap().detection, [2.0]);
    let (bad, b) = (taps(&[f32::INFINITY]), taps(&[0.0]));
    let held = first.hold_taps(&[&bad, &b], 1).unwrap();
    assert_eq!(first.score_held(&held, &[0], false).unwrap_err().status, Status::Numeric);
}

#[test]
fn rule_4_a_backend_that_numbers_two_sets_alike_or_none_is_caught() {
    unsafe extern "C" fn numbered<const N: u64>(
        _: *mut table::TrainerHandle,
        _: *const table::Tensor,
        _: usize,
        set: *mut u64,
    ) -> i32 {
        // SAFETY: the host lends a number.
        unsafe { set.write(N) };
        0
    }
    let hold = |function: table::TrainerHoldTaps| {
        let session = open_on(&changed(|table| table.trainer_hold_taps = Some(function)).unwrap(), "cpu");
        let (mut trainer, a) = (trainer(&session), taps(&[1.0]));
        [(); 2].map(|()| trainer.hold_taps(&[&a, &a], 1).map(drop).map_err(|error| error.to_string()))
    };
    let [first, second] = hold(numbered::<0>);
    assert!(first.unwrap_err().contains("gave the number 0, which is no new set's (internal)") && second.is_err());
    let [first, second] = hold(numbered::<7>);
    assert!(first.is_ok() && second.unwrap_err().contains("gave the number 7"));
}

#[test]
fn rule_4_weights_of_any_float_type_at_any_address_arrive() {
    let session = open();
    let encode = |tensor: NamedTensor<'_>| {
        let mut tower = session.load_image_tower(&image_options(), &[tensor]).unwrap();
        let (mut a, mut b) = (taps(&[0.0]), taps(&[0.0]));
        tower.encode_f32(&[0.5; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap();
        a[0]
    };
    let f16 = half::f16::from_f32(3.0).to_bits().to_ne_bytes();
    let bf16 = half::bf16::from_f32(5.0).to_bits().to_ne_bytes();
    let mut mapped = [0_u8; 16];
    let odd = 1 + mapped.as_ptr().addr() % 2;
    mapped[odd..odd + 4].copy_from_slice(&7.0_f32.to_ne_bytes());
    let name = "visual.scale";
    assert_eq!(encode(NamedTensor::new(name, plugin::DType::F16, &[1], &f16)), 1.5);
    assert_eq!(encode(NamedTensor::new(name, plugin::DType::Bf16, &[1], &bf16)), 2.5);
    assert_eq!(encode(NamedTensor::new(name, plugin::DType::F32, &[1], &mapped[odd..odd + 4])), 3.5);
}

#[test]
fn rule_5_two_sessions_are_independent() {
    let (one, two) = (open(), open());
    let (mut first, mut second) = (trainer(&one), trainer(&two));
    let (a, b) = (taps(&[1.0]), taps(&[0.0]));
    first.append_support(&[&a, &b], &[0], None).unwrap();
    assert!(second.step(&[0]).unwrap_err().message.contains("0 of 0"));
    first.step(&[0]).unwrap();
    assert_eq!(second.read_state(&[("weight", &[2, 2])]).unwrap()[0].values, WEIGHT);
    image_tower(&one, 1.0);
    let peaks = [one.memory().unwrap(), two.memory().unwrap()].map(|memory| memory.host_peak_bytes);
    assert_eq!(peaks, [2000, 1000]);
}

#[test]
fn rule_5_a_text_tower_of_another_session_is_refused() {
    let (one, two) = (open(), open());
    let text = one.load_text_tower(&text_options(), &[NamedTensor::f32("text.bias", &[], &[0.5])]).unwrap();
    let error = two.create_trainer(&trainer_options(true), Some(&text), &[], &state()).unwrap_err();
    assert!(error.status == Status::InvalidArgument && error.message.contains("another session"), "{error}");
}

#[test]
fn rule_5_sessions_of_different_threads_run_at_once() {
    let threads: Vec<_> = (1..=4_u8)
        .map(|number| {
            std::thread::spawn(move || {
                let mut tower = image_tower(&open(), f32::from(number));
                let (mut a, mut b) = (taps(&[0.0]), taps(&[0.0]));
                for _ in 0..50 {
                    tower.encode_f32(&[0.5; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap();
                    assert_eq!(a[0], f32::from(number) * 0.5);
                    assert!(tower.encode_u8(&[255; 3 * S * S], 1, &mut [&mut a, &mut b]).is_err());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn rule_6_no_option_takes_a_seed() {
    for (name, error) in options_with("seed") {
        assert!(error.contains("unknown field `seed`"), "{name}: {error}");
    }
}

#[test]
fn rule_8_a_loss_that_is_not_finite_is_numeric_and_changes_nothing() {
    let session = open();
    let mut trainer = trainer(&session);
    let (bad, b) = (taps(&[f32::INFINITY, 1.0]), taps(&[0.0, 0.0]));
    trainer.append_support(&[&bad, &b], &[0, 0], None).unwrap();
    let error = trainer.step(&[0]).unwrap_err();
    assert!(error.status == Status::Numeric && error.message.contains("sum inf"), "{error}");
    assert_eq!(trainer.step(&[1]).unwrap(), [1.0, 0.0, 1.0]);
    let error = trainer.score(&[&bad, &b], 2, false).unwrap_err();
    assert_eq!(error.status, Status::Numeric);
}

#[test]
fn rule_8_the_host_refuses_numbers_that_are_not_finite_from_a_careless_backend() {
    unsafe extern "C" fn careless(
        _: *mut table::TrainerHandle,
        _: *const table::Tensor,
        losses: *const table::Tensor,
    ) -> i32 {
        // SAFETY: the host hands over a tensor of three f32.
        unsafe { (*losses).data.cast::<f32>().write(f32::NAN) };
        0
    }
    let session = open_on(&changed(|table| table.trainer_step = Some(careless)).unwrap(), "cpu");
    let mut trainer = trainer(&session);
    let tap = taps(&[1.0]);
    trainer.append_support(&[&tap, &tap], &[0], None).unwrap();
    assert_eq!(trainer.step(&[0]).unwrap_err().status, Status::Numeric);

    let mut tower = image_tower(&session, f32::NAN);
    let (mut a, mut b) = (taps(&[0.0]), taps(&[0.0]));
    let error = tower.encode_u8(&[1; 3 * S * S], 1, &mut [&mut a, &mut b]).unwrap_err();
    assert!(error.status == Status::Numeric && error.message.contains("a tap"), "{error}");
}

#[test]
fn rule_8_no_memory_and_no_support_pass_through_as_such() {
    let error = backend().unwrap().open(&SessionOptions::on("oom")).unwrap_err();
    assert_eq!(error.status, Status::ResourceExhausted);
    let options = host::ImageTowerOptions { precision: host::Precision::Bf16, ..image_options() };
    assert_eq!(open().load_image_tower(&options, &[]).unwrap_err().status, Status::Unsupported);
}

#[test]
fn rule_8_a_buffer_the_host_can_not_have_is_resource_exhausted() {
    let mut trainer = trainer(&open());
    let error = trainer.read_state(&[("weight", &[1 << 60])]).unwrap_err();
    assert_eq!(error.status, Status::ResourceExhausted, "{error}");
}

/// Every options JSON, valid but for one more key, with the error it meets in the backend.
fn options_with(key: &str) -> Vec<(&'static str, String)> {
    fn with(options: impl serde::Serialize, key: &str) -> serde_json::Value {
        let mut json = serde_json::to_value(options).unwrap();
        json[key] = json!(1);
        json
    }
    fn meets<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> String {
        serde_json::from_value::<T>(json).err().map(|error| error.to_string()).unwrap_or_default()
    }
    let session = SessionOptions { threads: Some(2), tf32: true, ..SessionOptions::on("cpu") };
    vec![
        ("session", meets::<SessionOptions>(with(session, key))),
        ("image tower", meets::<plugin::ImageTowerOptions>(with(image_options(), key))),
        ("text tower", meets::<plugin::TextTowerOptions>(with(text_options(), key))),
        ("trainer", meets::<plugin::TrainerOptions>(with(trainer_options(true), key))),
    ]
}

#[test]
fn rule_9_unknown_keys_are_refused() {
    for (name, error) in options_with("colour") {
        assert!(error.contains("unknown field `colour`"), "{name}: {error}");
    }
}

#[test]
fn rule_9_a_learning_rate_arrives_as_the_bits_that_left() {
    let mut rate = 1e-3_f64;
    for _ in 0..1000 {
        rate = f64::from_bits(rate.to_bits() + 0x1_2345_6789);
        let sent = plugin::TrainerOptions { learning_rate: rate, ..trainer_options(true) };
        let got: plugin::TrainerOptions = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        assert_eq!(got.learning_rate.to_bits(), rate.to_bits());
    }
}

#[test]
fn rule_9_sizes_that_options_lack_are_refused_before_the_call() {
    let session = open();
    let mut options = image_options();
    options.arch = json!({"width": 3});
    let error = session.load_image_tower(&options, &[]).unwrap_err();
    assert!(error.message.contains("`arch` has no whole number `patch`"), "{error}");
    options.arch = json!({"width": 3, "patch": 8});
    let error = session.load_image_tower(&options, &[]).unwrap_err();
    assert!(error.message.contains("4 pixels a side holds no patch of 8"), "{error}");
    let options = host::TrainerOptions { options: json!({"image_size": 4}), ..trainer_options(true) };
    let error = session.create_trainer(&options, None, &[], &state()).unwrap_err();
    assert!(error.message.contains("no list `taps`"), "{error}");
    let options = host::TrainerOptions { losses: vec![], ..trainer_options(true) };
    let error = session.create_trainer(&options, None, &[], &state()).unwrap_err();
    assert!(error.message.contains("`losses`"), "{error}");
}

#[test]
fn rule_10_peaks_are_what_the_backend_says() {
    let session = backend().unwrap().open(&SessionOptions { threads: Some(3), ..SessionOptions::on("cpu") }).unwrap();
    image_tower(&session, 1.0);
    let memory = session.memory().unwrap();
    assert_eq!((memory.host_peak_bytes, memory.device_peak_bytes), (1000, 3));
}

#[test]
fn a_description_is_the_plugins_with_its_interface_and_capabilities() {
    let backend = backend().unwrap();
    let capabilities = Capability::ALL.map(|capability| capability.name().to_owned()).to_vec();
    let expected = Description { interface: "2.4".into(), capabilities, ..Dummy::describe() };
    assert_eq!(*backend.describe(), expected);
    assert_eq!(backend.capabilities(), Capability::ALL);
    assert_eq!(backend.interface(), Version::HARNESS);
}

#[test]
fn a_trainer_outlives_the_session_and_text_tower_it_came_from() {
    let mut kept = {
        let session = open();
        let text = session.load_text_tower(&text_options(), &[NamedTensor::f32("text.bias", &[], &[0.25])]).unwrap();
        session.create_trainer(&trainer_options(false), Some(&text), &[], &state()).unwrap()
    };
    assert_eq!(kept.text().unwrap(), [0.25; 2 * E]);
}
