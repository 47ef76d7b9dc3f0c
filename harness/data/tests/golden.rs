//! Resizing, augmentation and drawing against the method's golden values.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use harness_data::resize::{bicubic_plane, nearest_plane};
use harness_data::{Jitter, augment_class, jitter_factors};
use harness_method::Shots;
use harness_method::options::Side;
use harness_method::{AUGMENTED_VARIANTS, Variants};
use safetensors::SafeTensors;

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    tensors.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn luma(p: &[u8]) -> u8 {
    ((u32::from(p[0]) * 19_595 + u32::from(p[1]) * 38_470 + u32::from(p[2]) * 7_471 + 0x8000) >> 16) as u8
}

#[test]
fn resizing_is_pillows() {
    let path = harness_tests::golden("pre/tensors.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (mut different, mut total) = (0usize, 0usize);
    for case in ["wide", "tall", "big", "tiny"] {
        let input = tensors.tensor(&format!("resize.{case}.input")).unwrap();
        let (height, width, channels) = (input.shape()[0], input.shape()[1], input.shape()[2]);
        let plane = |c: usize| -> Vec<u8> { input.data().iter().skip(c).step_by(channels).copied().collect() };
        for size in [48, 224] {
            let expected = tensors.tensor(&format!("resize.{case}.bicubic.{size}")).unwrap();
            for c in 0..3 {
                let resized = bicubic_plane(&plane(c.min(channels - 1)), width, height, size);
                for (a, b) in resized.iter().zip(expected.data().iter().skip(c).step_by(3)) {
                    assert!(a.abs_diff(*b) <= 1, "{case} {size}");
                    different += usize::from(a != b);
                    total += 1;
                }
            }
            let grey = if channels == 3 { input.data().chunks_exact(3).map(luma).collect() } else { plane(0) };
            let expected = tensors.tensor(&format!("resize.{case}.nearest.{size}")).unwrap();
            assert_eq!(nearest_plane(&grey, width, height, size), expected.data(), "{case} {size}");
        }
    }
    assert_eq!(different, 0, "of {total} bicubic values");
}

#[test]
fn augmentation_is_the_references() {
    let path = harness_tests::golden("pre/tensors.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (k, size) = (2, 40);
    let of = |name: &str, length: usize| -> Vec<Vec<f32>> {
        floats(&tensors, name).chunks_exact(length).map(<[f32]>::to_vec).collect()
    };
    let images = of("augment.images", 3 * size * size);
    let masks = of("augment.masks", size * size);
    let jitter = Jitter { brightness: 1.07, contrast: 0.88 };
    let augmented = augment_class(&images, Some(&masks), size, Variants::Madclip, jitter);
    assert_eq!(augmented.images.len(), AUGMENTED_VARIANTS * k);
    let mut worst = 0.0f32;
    for (ours, theirs) in augmented.images.iter().zip(of("augment.out_images", 3 * size * size)) {
        worst = ours.iter().zip(theirs).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
    }
    assert!(worst < 1e-5, "images differ by {worst}");
    let mut different = 0;
    for (ours, theirs) in augmented.masks.iter().zip(of("augment.out_masks", size * size)) {
        different += ours.iter().zip(theirs).filter(|(a, b)| **a != u8::from(*b > 0.5)).count();
    }
    assert_eq!(different, 0, "mask pixels after thresholding");
    // The eleven of MVFA are those without zooms and jitter, in the same order.
    let eleven = augment_class(&images, Some(&masks), size, Variants::Mvfa, jitter);
    let expected: Vec<&Vec<f32>> =
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 15].iter().flat_map(|v| &augmented.images[v * k..][..k]).collect();
    assert_eq!(eleven.images.iter().collect::<Vec<_>>(), expected);
    assert_eq!(augment_class(&images, None, size, Variants::None, jitter).images, images);
}

#[test]
fn jitter_and_draws_are_the_streams() {
    let path = harness_tests::golden("pre/streams.json");
    let streams: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let seed = streams["seed"].as_u64().unwrap();
    let jitter = jitter_factors(Side::Abnormal, seed);
    assert_eq!(jitter.brightness, streams["jitter_abnormal"][0].as_f64().unwrap() as f32);
    assert_eq!(jitter.contrast, streams["jitter_abnormal"][1].as_f64().unwrap() as f32);

    // The golden draw, from files of those names.
    let names: Vec<&str> = streams["support_names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    for class in ["valid/good/img", "valid/Ungood/img"] {
        std::fs::create_dir_all(folder.path().join(class)).unwrap();
        for (i, name) in names.iter().enumerate() {
            image::GrayImage::from_pixel(4, 4, image::Luma([i as u8]))
                .save(folder.path().join(class).join(name))
                .unwrap();
        }
    }
    let text = "[Brain]\nroot = \".\"\nlayout = \"mvfa\"\nobject = \"Brain\"\nmodality = \"MRI\"\nmasks = false\n";
    let registry = harness_data::Registry::parse(text, &folder.path().join("datasets.toml")).unwrap();
    let set = harness_data::Dataset::open(&registry, "Brain").unwrap().support(Shots::each(4), 2).unwrap();
    let drawn: Vec<String> = set.normal.iter().map(|item| item.name.replace("valid/good/img/", "")).collect();
    let expected: Vec<&str> =
        streams["support_Brain_4_normal_draw_2"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    assert_eq!(drawn, expected);
    assert!(set.drawn);
}
