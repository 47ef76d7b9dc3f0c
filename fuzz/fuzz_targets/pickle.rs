//! Pickles in an archive: read as data or refused, and nothing outside the list of globals is ever named.
#![no_main]

use harness_fuzz::{archive, pickle, scratch};
use harness_weights::{PickleFile, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let pickle = pickle::opcodes(bytes);
    let path = scratch::write(&archive::zip(&[("x/data.pkl", &pickle), ("x/data/0", &[0; 16])]));
    let _ = inspect(&path);
    if let Ok(file) = PickleFile::open(&path) {
        for (name, shape) in file.tensors() {
            let tensor = file.tensor(name).expect("a tensor that is listed");
            assert_eq!(tensor.data.len(), shape.iter().product::<usize>());
        }
    }
});
