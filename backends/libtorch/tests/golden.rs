//! The plugin that cargo built, loaded as the harness loads it: the golden cases, precisions, threads, refusals.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../burn/tests/plugin/mod.rs"]
mod plugin;

use harness_backend_abi::host::{Capability, Precision, SessionOptions, Status};

#[test]
fn libtorch_reproduces_the_golden_cases_on_every_device() {
    let backend = plugin::load("libtorch");
    for device in plugin::devices(&backend) {
        println!("device {device}");
        plugin::reproduces_the_golden_cases(&plugin::open(&backend, &device, None));
    }
}

#[test]
fn half_precision_stays_near() {
    let backend = plugin::load("libtorch");
    let session = plugin::open(&backend, "cpu", None);
    let expected = plugin::taps(&session, Precision::F32);
    for (precision, tolerance) in [(Precision::F16, 2e-3), (Precision::Bf16, 2e-2)] {
        let distance = plugin::distance(&plugin::taps(&session, precision), &expected);
        println!("{} {distance:.1e}", precision.name());
        assert!((1e-6..tolerance).contains(&distance), "{} {distance}", precision.name());
    }
}

#[test]
fn sessions_with_other_threads_agree() {
    let backend = plugin::load("libtorch");
    let [one, two] = [1, 2].map(|threads| plugin::open(&backend, "cpu", Some(threads)));
    let expected = plugin::taps(&one, Precision::F32);
    assert!(plugin::distance(&plugin::taps(&two, Precision::F32), &expected) < 1e-5);
    assert_eq!(plugin::taps(&one, Precision::F32), expected, "the other session's threads do not show");
}

#[test]
fn it_describes_itself_and_refuses_what_it_lacks() {
    let backend = plugin::load("libtorch");
    assert_eq!((backend.describe().name.as_str(), backend.capabilities()), ("libtorch", Capability::ALL.as_slice()));
    assert_eq!(backend.describe().devices.last().unwrap(), "cpu");
    let error = backend.open(&SessionOptions::on("tpu:0")).unwrap_err();
    assert!(error.status == Status::InvalidArgument && error.message.contains("`tpu:0`"), "{error}");
}
