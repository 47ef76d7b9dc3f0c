//! Safetensors headers: read or refused.
#![no_main]

use harness_fuzz::{scratch, tensors};
use harness_weights::{Weights, inspect, safetensors_metadata};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = scratch::write(&tensors::file(bytes));
    let _ = (Weights::open(&path), inspect(&path), safetensors_metadata(&path));
});
