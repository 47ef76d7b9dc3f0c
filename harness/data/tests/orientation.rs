//! Pictures are read as viewers show them: turned as their orientation tag says, images and masks alike.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::{Page, Set, encoded, found, grey_tiff, png, says, turned_jpeg, turned_png};
use harness_data::decode::{Depth, Pixels, Samples, decode, dimensions};
use harness_data::{FileHashes, Severity, Source};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};

const WIDTH: u32 = 6;
const HEIGHT: u32 = 4;

fn value(x: u32, y: u32) -> u8 {
    (10 + 30 * x + 7 * y) as u8
}

fn stored() -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([value(x, y)]))
}

/// What Exif means by an orientation: which stored pixel is shown at a place.
fn shown(orientation: u8) -> (usize, usize, Vec<u8>) {
    let (w, h) = (WIDTH, HEIGHT);
    let (width, height) = if orientation < 5 { (w, h) } else { (h, w) };
    let from = |x: u32, y: u32| match orientation {
        1 => (x, y),
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (w - 1 - y, x),
        _ => unreachable!(),
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| from(x, y))).map(|(x, y)| value(x, y)).collect();
    (width as usize, height as usize, pixels)
}

fn files(orientation: u8) -> Vec<(&'static str, Vec<u8>)> {
    let picture = stored();
    let page = |fields| grey_tiff(&[Page { width: WIDTH, height: HEIGHT, pixels: picture.as_raw(), fields }]);
    vec![
        ("png", turned_png(&png(&picture), orientation, false)),
        ("png, tag after the pixels", turned_png(&png(&picture), orientation, true)),
        ("tiff", page(&[(274, u32::from(orientation))])),
    ]
}

#[test]
fn a_picture_is_read_as_viewers_show_it() {
    let set = Set::new("");
    for orientation in 1..=8 {
        let (width, height, expected) = shown(orientation);
        for (kind, bytes) in files(orientation) {
            let path = set.write("picture", &bytes);
            let read = decode(&bytes, &path, Depth::Scaled).unwrap();
            let expected = Pixels { width, height, samples: Samples::Grey(expected.clone()) };
            assert_eq!(read, expected, "{kind}, orientation {orientation}");
            assert_eq!(dimensions(&path).unwrap(), (width as u32, height as u32), "{kind}, orientation {orientation}");
        }
        let large = image::imageops::resize(&stored(), 48, 32, image::imageops::FilterType::Triangle);
        let jpeg = encoded(DynamicImage::ImageLuma8(large), ImageFormat::Jpeg);
        let plain = decode(&jpeg, Path::new("plain"), Depth::Scaled).unwrap();
        let path = set.write("picture", turned_jpeg(&jpeg, orientation));
        let read = Source::File(path.clone()).pixels(Depth::Scaled).unwrap();
        let size = if orientation < 5 { (48, 32) } else { (32, 48) };
        assert_eq!((read.width, read.height), size, "jpeg, orientation {orientation}");
        assert_eq!(dimensions(&path).unwrap(), (size.0 as u32, size.1 as u32));
        // The stored corner at the top left is shown at the corner that the tag names.
        let corner = match orientation {
            1 | 5 => 0,
            2 | 6 => size.0 - 1,
            3 | 7 => size.0 * size.1 - 1,
            _ => size.0 * (size.1 - 1),
        };
        assert_eq!(read.to_grey()[corner], plain.to_grey()[0], "jpeg, orientation {orientation}");
    }
}

#[test]
fn a_tag_out_of_range_turns_nothing() {
    for orientation in [0, 9, 200] {
        for (kind, bytes) in files(orientation) {
            let read = decode(&bytes, Path::new("picture"), Depth::Scaled).unwrap();
            assert_eq!(read.samples, Samples::Grey(shown(1).2), "{kind}, orientation {orientation}");
        }
    }
}

#[test]
fn the_content_hash_changes_for_turned_pictures_and_for_no_others() {
    let set = Set::new("");
    let hashes = FileHashes::in_memory();
    let mut turned = Vec::new();
    for orientation in 1..=8 {
        for (kind, bytes) in files(orientation) {
            let source = Source::File(set.write(&format!("{kind} {orientation}"), &bytes));
            let (hash, of_bytes) = (source.content_hash().unwrap(), *blake3::hash(&bytes).as_bytes());
            assert_eq!(hash == of_bytes, orientation == 1, "{kind}, orientation {orientation}");
            assert_eq!(hashes.of_source(&source).unwrap(), hash);
            turned.push(hash);
        }
    }
    turned.sort_unstable();
    turned.dedup();
    assert_eq!(turned.len(), 24);
}

/// A set whose first abnormal test image is stored as 6 x 4 pixels with an orientation, and its mask.
fn pair(size: (u32, u32), image: u8, mask_size: (u32, u32), mask: u8) -> Set {
    let set = Set::mvfa();
    let picture = GrayImage::from_fn(size.0, size.1, |x, y| Luma([value(x, y)]));
    set.write("test/Ungood/img/a1.png", turned_png(&png(&picture), image, false));
    let drawn = GrayImage::from_fn(mask_size.0, mask_size.1, |x, _| Luma([if x < 2 { 255 } else { 0 }]));
    set.write("test/Ungood/anomaly_mask/a1.png", turned_png(&png(&drawn), mask, false));
    set
}

#[test]
fn a_mask_drawn_on_the_shown_picture_fits_and_a_note_counts_what_is_turned() {
    let set = pair((6, 4), 6, (4, 6), 1);
    assert_eq!(set.errors(), [""; 0]);
    assert_eq!(found(&set.dataset(), Severity::Warning), [""; 0]);
    says(&found(&set.dataset(), Severity::Note)[0], &["[Set]: 1 image is turned by its orientation tag"]);
    let item = set.dataset().test_set().unwrap().into_iter().find(|item| item.name.contains("a1")).unwrap();
    item.truth(4, set.dataset().mask_values()).unwrap();
    let both = pair((6, 4), 6, (6, 4), 6);
    assert_eq!((both.errors().len(), found(&both.dataset(), Severity::Warning).len()), (0, 0));
}

#[test]
fn a_mask_that_fits_the_stored_picture_alone_is_refused_with_the_reason() {
    for (size, image, mask_size, mask) in [((6, 4), 6, (6, 4), 1), ((6, 4), 1, (6, 4), 8)] {
        let set = pair(size, image, mask_size, mask);
        let errors = set.errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        says(&errors[0], &["a1.png", "one is turned by its orientation tag", "remove the tag"]);
        let item = set.dataset().test_set().unwrap().into_iter().find(|item| item.name.contains("a1")).unwrap();
        let error = item.truth(4, set.dataset().mask_values()).unwrap_err().to_string();
        assert_eq!(error, errors[0]);
    }
}

#[test]
fn a_tag_on_one_of_a_square_pair_is_doubtful() {
    for (size, image, mask) in [((6, 6), 6, 1), ((6, 6), 1, 3), ((6, 4), 3, 1), ((6, 6), 6, 8)] {
        let set = pair(size, image, size, mask);
        assert_eq!(set.errors(), [""; 0]);
        let warnings = found(&set.dataset(), Severity::Warning);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        says(&warnings[0], &["turned differently by their orientation tags", "a1.png", "remove the tags"]);
    }
}

/// A JPEG and a PNG with an XMP packet.
fn with_xmp(packet: &str) -> [Vec<u8>; 2] {
    let jpeg = encoded(DynamicImage::ImageLuma8(stored()), ImageFormat::Jpeg);
    let block = [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat();
    let jpeg = [&jpeg[..2], &[0xFF, 0xE1], &(block.len() as u16 + 2).to_be_bytes(), &block, &jpeg[2..]].concat();
    let png = png(&stored());
    let chunk = [b"iTXtXML:com.adobe.xmp\0\0\0\0\0", packet.as_bytes()].concat();
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    [jpeg, [&png[..33], &length, &chunk, &common::crc32(&chunk).to_be_bytes(), &png[33..]].concat()]
}

#[test]
fn an_orientation_in_xmp_alone_turns_nothing_and_is_told() {
    let packet = |entry: &str| format!("<x:xmpmeta><rdf:Description {entry}</rdf:Description></x:xmpmeta>");
    let set = Set::mvfa();
    for entry in ["tiff:Orientation=\"6\">", "><tiff:Orientation>6</tiff:Orientation>"] {
        for bytes in with_xmp(&packet(entry)) {
            let path = set.write("test/good/img/n0.png", &bytes);
            assert_eq!(dimensions(&path).unwrap(), (WIDTH, HEIGHT), "{entry}");
            let warnings = found(&set.dataset(), Severity::Warning);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            says(&warnings[0], &["1 file", "n0.png", "has an orientation in XMP data", "as browsers show them"]);
        }
    }
    // Upright, or where the tag decides.
    let [jpeg, png] = with_xmp(&packet("tiff:Orientation=\"1\">"));
    let tagged = turned_jpeg(&with_xmp(&packet("tiff:Orientation=\"3\">"))[0], 6);
    for bytes in [jpeg, png, tagged] {
        set.write("test/good/img/n0.png", bytes);
        assert_eq!(found(&set.dataset(), Severity::Warning), [""; 0]);
    }
}
