//! Files of weights, whatever their format: what is listed can be read, in the length of its shape.
#![no_main]

use harness_fuzz::scratch;
use harness_weights::{Checkpoint, PickleFile, Weights, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = scratch::write(bytes);
    let _ = (Weights::open(&path), inspect(&path), Checkpoint::open(&path));
    if let Ok(file) = PickleFile::open(&path) {
        for (name, shape) in file.tensors() {
            let tensor = file.tensor(name).expect("a tensor that is listed");
            assert_eq!(tensor.data.len(), shape.iter().product::<usize>());
        }
    }
});
