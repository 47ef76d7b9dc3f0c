//! Files that are cut short, too large or hostile are refused with their name; nothing panics and little is allocated.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::{Set, crc32, encoded, names, palette_bmp, palette_png, palette_tiff};
use harness_data::decode::{self, Depth, decode};
use harness_data::{DataError, Source};
use image::{DynamicImage, ImageFormat, RgbImage};
use proptest::prelude::*;

/// A picture that does not compress to nothing.
fn busy() -> DynamicImage {
    let value = |x: u32, y: u32, c: u32| (x * 37 + y * 91 + c * 53 + x * y * 7) as u8;
    DynamicImage::ImageRgb8(RgbImage::from_fn(24, 20, |x, y| image::Rgb([0, 1, 2].map(|c| value(x, y, c)))))
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let indices: Vec<u8> = (0..24 * 20u32).map(|i| (i * 31) as u8).collect();
    let colour = |i: u8| [i, 255 - i, i / 3];
    vec![
        ("png", encoded(busy(), ImageFormat::Png)),
        ("jpeg", encoded(busy(), ImageFormat::Jpeg)),
        ("bmp", encoded(busy(), ImageFormat::Bmp)),
        ("tiff", encoded(busy(), ImageFormat::Tiff)),
        ("palette png", palette_png(24, 20, &indices, colour)),
        ("palette bmp", palette_bmp(24, 20, &indices, colour)),
        ("palette tiff", palette_tiff(24, 20, &indices, colour)),
    ]
}

/// A PNG that declares a size, and ends there.
fn declaring(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
    bytes.extend(&header);
    bytes.extend(crc32(&header).to_be_bytes());
    // A data chunk that could grow to all those pixels.
    bytes.extend(b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e");
    bytes
}

/// Peak of this process's resident memory in MiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

#[test]
fn an_image_cut_anywhere_is_an_error_that_names_the_file() {
    let path = Path::new("some/image");
    for (kind, bytes) in files() {
        let whole = decode(&bytes, path, Depth::Scaled).unwrap();
        for length in 0..bytes.len() {
            match decode(&bytes[..length], path, Depth::Scaled) {
                Err(error) => names(&error, path, &[]),
                // What follows the last pixel may be missing: all of them are there.
                Ok(pixels) => assert_eq!(pixels, whole, "{kind} cut to {length} of {}", bytes.len()),
            }
        }
        // Half of a file never holds all pixels.
        let half = decode(&bytes[..bytes.len() / 2], path, Depth::Scaled).unwrap_err().to_string();
        assert!(half.contains("cut short") || half.contains("by its content"), "{kind}: {half}");
    }
}

#[test]
fn a_truncated_png_in_a_data_set_is_found_by_verify() {
    let set = Set::mvfa();
    let path = set.write("test/Ungood/img/a1.png", &encoded(busy(), ImageFormat::Png)[..300]);
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    common::says(&errors[0], &[path.to_str().unwrap(), "fetch it again or remove it"]);
}

#[test]
fn a_png_that_declares_40000_by_40000_pixels_is_refused_before_anything_is_allocated() {
    let set = Set::new("");
    let path = set.write("huge.png", declaring(40_000, 40_000));
    let before = peak();
    let source = Source::File(path.clone());
    for error in [source.pixels(Depth::Scaled).unwrap_err(), source.dimensions().unwrap_err()] {
        assert!(matches!(error, DataError::TooLarge { width: 40_000, height: 40_000, .. }), "{error}");
        names(&error, &path, &["40000 x 40000 pixels", "reduce the image"]);
    }
    if let (Some(before), Some(after)) = (before, peak()) {
        assert!(after - before < 64, "{} MiB were taken", after - before);
    }
}

#[test]
fn sizes_up_to_the_limit_are_read_and_those_above_are_not() {
    let read =
        |width, height| decode::decode(&declaring(width, height), Path::new("a.png"), Depth::Scaled).unwrap_err();
    for (width, height) in
        [(16_385, 1), (1, 16_385), (10_001, 10_000), (u32::MAX >> 1, u32::MAX >> 1), (65_536, 65_536)]
    {
        let error = read(width, height);
        assert!(matches!(error, DataError::TooLarge { .. } | DataError::Decode { .. }), "{width} x {height}: {error}");
    }
    // Not refused for their size, but for the pixels that are missing.
    for (width, height) in [(16_384, 1), (1, 16_384), (100, 100)] {
        assert!(matches!(read(width, height), DataError::Decode { .. }), "{width} x {height}");
    }
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_named() {
    let set = Set::mvfa();
    set.remove("test/good/img/n1.png");
    std::os::unix::fs::symlink("nowhere.png", set.path("test/good/img/n1.png")).unwrap();
    common::says(&set.errors()[0], &[set.path("test/good/img/n1.png").to_str().unwrap(), "a link that leads nowhere"]);
}

#[test]
#[cfg(unix)]
fn a_file_that_may_not_be_read_is_named_with_the_systems_reason() {
    use std::os::unix::fs::PermissionsExt;
    let set = Set::mvfa();
    let path = set.path("test/good/img/n1.png");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        // The superuser reads everything: there is nothing to see.
        return;
    }
    common::says(&set.errors()[0], &[path.to_str().unwrap(), "can't open", "ermission"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_never_panic(which in 0usize..7, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let (_, mut bytes) = files().swap_remove(which);
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        drop(decode(&bytes, Path::new("image"), Depth::Scaled));
        drop(decode(&bytes, Path::new("image"), Depth::Nonzero));
    }

    #[test]
    fn any_bytes_after_a_known_beginning_never_panic(which in 0usize..4, rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let beginning: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II\x2A\x00\x08\x00\x00\x00"];
        drop(decode(&[beginning[which], &rest].concat(), Path::new("image"), Depth::Scaled));
    }
}
