//! Images: any bytes decode to as many samples as they have pixels, or are refused.
#![no_main]

use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use harness_data::decode::{Depth, MAX_PIXELS, MAX_SIDE, Samples, decode};
use harness_fuzz::picture::Picture;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses: bytes as they are, or a picture that is made and then damaged.
    let Some((choice, rest)) = bytes.split_first() else { return };
    let file = if choice % 2 == 0 {
        rest.to_vec()
    } else {
        let Ok(picture) = Picture::arbitrary(&mut Unstructured::new(rest)) else { return };
        picture.bytes()
    };
    for depth in [Depth::Scaled, Depth::Nonzero] {
        let Ok(pixels) = decode(&file, Path::new("image"), depth) else { continue };
        let count = pixels.width * pixels.height;
        assert!(count as u64 <= MAX_PIXELS && pixels.width.max(pixels.height) <= MAX_SIDE as usize);
        match &pixels.samples {
            Samples::Grey(samples) => assert_eq!(samples.len(), count),
            Samples::Rgb(samples) => assert_eq!(samples.len(), 3 * count),
        }
    }
});
