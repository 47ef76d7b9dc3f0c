//! The plugin that cargo built, loaded as the harness loads it: the golden cases where there is a device, and a plain
//! word where there is none.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../burn/tests/plugin/mod.rs"]
mod plugin;

use harness_backend_abi::host::{Precision, SessionOptions, Status};

#[test]
fn cuda_reproduces_the_golden_cases() {
    let backend = plugin::load("cuda");
    if let Some(device) = plugin::devices(&backend).first() {
        let session = plugin::open(&backend, device, None);
        plugin::reproduces_the_golden_cases(&session);
        assert!(session.memory().unwrap().device_peak_bytes > 0);
    }
}

#[test]
fn half_precision_stays_near() {
    let backend = plugin::load("cuda");
    if let Some(device) = plugin::devices(&backend).first() {
        let session = plugin::open(&backend, device, None);
        let expected = plugin::taps(&session, Precision::F32);
        for (precision, tolerance) in [(Precision::F16, 2e-3), (Precision::Bf16, 2e-2)] {
            let distance = plugin::distance(&plugin::taps(&session, precision), &expected);
            assert!((1e-6..tolerance).contains(&distance), "{} {distance}", precision.name());
        }
    }
}

#[test]
fn without_a_device_it_says_why_in_one_line_and_nothing_panics() {
    let backend = plugin::load("cuda");
    let description = backend.describe();
    assert_eq!(description.devices.is_empty(), description.note.is_some());
    assert!(description.note.iter().all(|note| note.lines().count() == 1));
    let error = backend.open(&SessionOptions::on("cuda:99")).unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument, "{error}");
}
