//! Files of another kind are called by their name, with the way out; files of several pictures are refused.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::{Page, Set, crc32, grey_tiff, png, says};
use harness_data::decode::{Depth, decode};
use harness_data::{DataError, Source};
use image::{GrayImage, Luma};

/// Bytes, what they are called, and what to do.
fn foreign() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let at = |place: usize, bytes: &[u8]| [vec![0; place], bytes.to_vec(), vec![0; 40]].concat();
    let nifti = |head: [u8; 4]| [head.to_vec(), vec![0; 340], b"n+1\0".to_vec(), vec![7; 40]].concat();
    vec![
        (Vec::new(), "empty (0 bytes)", "fetch it again"),
        (at(128, b"DICM\x02\0\0\0UL"), "DICOM", "with the window"),
        (nifti(348u32.to_le_bytes()), "NIfTI", "PNG"),
        (nifti(348u32.to_be_bytes()), "NIfTI", "PNG"),
        (b"\x1F\x8B\x08\x08\0\0\0\0\0\x03scan.nii\0\x03\0".to_vec(), "NIfTI", "PNG"),
        (b"\x1F\x8B\x08\0\0\0\0\0\0\x03\x03\0".to_vec(), "gzip", "unpack"),
        (b"GIF89a\x01\x00\x01\x00".to_vec(), "GIF", "PNG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), "WebP", "convert"),
        (b"\x93NUMPY\x01\0v\0{'descr': '|u1'}".to_vec(), "a NumPy array", "PNG"),
        (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), "HDF5", "PNG"),
        (b"PK\x03\x04\x14\0".to_vec(), "an archive", "unpack"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(), "a Git LFS pointer", "git lfs pull"),
        (b"/annex/objects/SHA256E-s10--ab.png\n".to_vec(), "a git-annex pointer", "git annex get"),
        (b"II+\0\x08\0\0\0".to_vec(), "BigTIFF", "plain TIFF"),
        (b"MM\0+\0\x08\0\0".to_vec(), "BigTIFF", "plain TIFF"),
        (b"<!DOCTYPE html><html>login</html>".to_vec(), "an HTML page", "log in"),
        (b"\n <HTML>\n".to_vec(), "an HTML page", "log in"),
        (b"\0\0\0\x0CjP  \r\n".to_vec(), "JPEG 2000", "PNG"),
        (b"\0\0\0 ftypavif".to_vec(), "HEIF or AVIF", "convert"),
        (b"P5\n3 2\n255\nabcdef".to_vec(), "PNM", "PNG"),
        (b"{\"message\": \"quota exceeded\"}".to_vec(), "text", "fetch the file itself"),
        (vec![0; 300], "nothing but zeros", "fetch it again"),
        (b"%PDF-1.4".to_vec(), "PDF", "PNG"),
    ]
}

#[test]
fn content_of_another_kind_is_called_by_its_name_with_the_way_out() {
    for (bytes, kind, advice) in foreign() {
        let error = decode(&bytes, Path::new("a.png"), Depth::Scaled).unwrap_err();
        assert!(matches!(error, DataError::NoKnownFormat { .. }), "{kind}: {error}");
        says(&error.to_string(), &["a.png", "by its content", kind, advice]);
        let set = Set::new("");
        let source = Source::File(set.write("a.png", &bytes));
        assert_eq!(
            source.dimensions().unwrap_err().to_string().replace(&source.to_string(), "a.png"),
            error.to_string()
        );
    }
}

#[test]
fn a_folder_of_another_kind_is_one_line_that_says_what_to_do() {
    for (ending, kind, advice) in [
        ("dcm", "DICOM", "with the window"),
        ("nii.gz", "NIfTI", "PNG"),
        ("gif", "GIF", "PNG"),
        ("webp", "WebP", "convert"),
        ("npy", "a NumPy array", "PNG"),
        ("mha", "a volume", "PNG"),
        ("svs", "a whole-slide image", "patches"),
    ] {
        let set = Set::mvfa();
        for i in 0..3 {
            set.remove(&format!("test/good/img/n{i}.png"));
        }
        for i in 0..40 {
            set.write(&format!("test/good/img/n{i}.{ending}"), "x");
        }
        let errors = set.errors();
        let folder = set.path("test/good/img").display().to_string();
        let about: Vec<&String> = errors.iter().filter(|error| error.starts_with(&folder)).collect();
        assert_eq!(about.len(), 1, "{errors:#?}");
        says(about[0], &["40 files by their names each", kind, advice, "and 37 more"]);
        // The run refuses the set with the same words.
        let error = set.dataset().test_set().unwrap_err().to_string();
        says(&error, &[&folder, "no image in this folder", "40 files, each", kind, advice]);
    }
}

#[test]
fn long_lists_are_cut_with_a_count() {
    let set = Set::mvfa();
    for i in 0..40 {
        set.image(&format!("test/Ungood/img/more{i:02}.png"), 100 + i);
    }
    let findings = harness_data::verify(&set.dataset());
    assert!(findings.len() < 12, "{findings:#?}");
    assert_eq!(findings.iter().map(|finding| finding.count).sum::<usize>(), 40);
    assert!(findings.iter().any(|finding| finding.message.contains("and 35 more like that")), "{findings:#?}");
}

const PIXELS: [u8; 6] = [0, 50, 100, 150, 200, 250];

fn page(fields: &[(u16, u32)]) -> Page<'_> {
    Page { width: 3, height: 2, pixels: &PIXELS, fields }
}

#[test]
fn several_pages_are_refused_and_reduced_copies_are_no_pages() {
    let read = |pages: &[Page<'_>]| decode(&grey_tiff(pages), Path::new("a.tif"), Depth::Scaled);
    assert_eq!(read(&[page(&[])]).unwrap().to_grey(), PIXELS);
    let error = read(&[page(&[]), page(&[]), page(&[])]).unwrap_err().to_string();
    says(&error, &["a.tif: has 3 pages", "one image a file is read"]);
    // Further pages that are thumbnails or transparency masks of the first.
    for aside in [(254, 1), (254, 4), (255, 2)] {
        assert_eq!(read(&[page(&[(254, 0)]), page(&[aside])]).unwrap().to_grey(), PIXELS);
    }
    says(&read(&[page(&[(254, 2)]), page(&[(254, 2)])]).unwrap_err().to_string(), &["has 2 pages"]);
    says(&read(&[page(&[(254, 1)]), page(&[])]).unwrap_err().to_string(), &["a reduced copy of another"]);
}

#[test]
fn a_chain_of_pages_that_never_ends_is_not_walked_for_ever() {
    let mut bytes = grey_tiff(&[page(&[])]);
    let first = bytes[4..8].to_vec();
    let link = bytes.len() - 4;
    bytes[link..].copy_from_slice(&first);
    says(&decode(&bytes, Path::new("a.tif"), Depth::Scaled).unwrap_err().to_string(), &["one image a file is read"]);
}

#[test]
fn a_tiff_in_which_white_is_zero_is_read_as_it_looks() {
    let bytes = grey_tiff(&[page(&[(262, 0)])]);
    assert_eq!(decode(&bytes, Path::new("a.tif"), Depth::Scaled).unwrap().to_grey(), PIXELS.map(|value| 255 - value));
}

#[test]
fn an_animated_png_is_refused_and_one_of_a_single_frame_is_read() {
    let picture = png(&GrayImage::from_pixel(4, 4, Luma([9])));
    let animated = |frames: u32| {
        let chunk = [b"acTL".to_vec(), frames.to_be_bytes().to_vec(), vec![0; 4]].concat();
        let parts = [&picture[..33], &8u32.to_be_bytes(), &chunk, &crc32(&chunk).to_be_bytes(), &picture[33..]];
        parts.concat()
    };
    let error = decode(&animated(2), Path::new("a.png"), Depth::Scaled).unwrap_err().to_string();
    says(&error, &["a.png: has 2 frames", "one image a file is read"]);
    assert_eq!(decode(&animated(1), Path::new("a.png"), Depth::Scaled).unwrap().to_grey(), [9; 16]);
    // A frame beside the picture that viewers without animation show is another picture.
    let frame = [b"fcTL".to_vec(), vec![0; 26]].concat();
    let frame = [&26u32.to_be_bytes()[..], &frame, &crc32(&frame).to_be_bytes()].concat();
    let still = animated(1);
    let end = still.windows(4).rposition(|kind| kind == b"IEND").unwrap() - 4;
    let beside = [&still[..end], &frame, &still[end..]].concat();
    let error = decode(&beside, Path::new("a.png"), Depth::Scaled).unwrap_err().to_string();
    says(&error, &["a.png", "has 2 frames"]);
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_called_by_their_names() {
    for (marker, bits, says) in [
        (0xC1, 12, "a JPEG of 12 bits"),
        (0xC3, 16, "a lossless JPEG"),
        (0xC5, 8, "a hierarchical JPEG"),
        (0xC9, 8, "a JPEG with arithmetic coding"),
        (0xF7, 8, "JPEG-LS"),
    ] {
        let bytes = [0xFF, 0xD8, 0xFF, marker, 0, 11, bits, 0, 4, 0, 6, 1, 1, 0x11, 0];
        let error = decode(&bytes, Path::new("a.jpg"), Depth::Scaled).unwrap_err().to_string();
        common::says(&error, &["a.jpg: by its content ", says, "; convert it to PNG"]);
    }
}

/// Big-endian bits, 9 at a time: what LZW makes of a few values.
fn lzw(values: &[u8]) -> Vec<u8> {
    let codes = std::iter::once(256).chain(values.iter().map(|value| u32::from(*value))).chain([257]);
    let bits: Vec<u8> = codes.flat_map(|code| (0..9).rev().map(move |bit| (code >> bit & 1) as u8)).collect();
    bits.chunks(8).map(|bits| bits.iter().enumerate().map(|(i, bit)| bit << (7 - i)).sum()).collect()
}

/// A zlib stream of one block without compression.
fn zlib(values: &[u8]) -> Vec<u8> {
    let (a, b) = values.iter().fold((1u32, 0u32), |(a, b), value| {
        let a = (a + u32::from(*value)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let length = values.len() as u16;
    let head = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    [head, values.to_vec(), (b << 16 | a).to_be_bytes().to_vec()].concat()
}

#[test]
fn usual_compressions_of_tiff_are_read_to_the_same_pixels() {
    let packed = [&[5][..], &PIXELS].concat();
    for (compression, pixels) in
        [(1, PIXELS.to_vec()), (5, lzw(&PIXELS)), (8, zlib(&PIXELS)), (0x80B2, zlib(&PIXELS)), (0x8005, packed)]
    {
        let page = Page { width: 3, height: 2, pixels: &pixels, fields: &[(259, compression)] };
        let read = decode(&grey_tiff(&[page]), Path::new("a.tif"), Depth::Scaled).unwrap();
        assert_eq!(read.to_grey(), PIXELS, "compression {compression}");
    }
    let mut jpeg = Vec::new();
    let flat = GrayImage::from_pixel(16, 16, Luma([90]));
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100);
    image::DynamicImage::ImageLuma8(flat).write_with_encoder(encoder).unwrap();
    let page = Page { width: 16, height: 16, pixels: &jpeg, fields: &[(259, 7)] };
    let read = decode(&grey_tiff(&[page]), Path::new("a.tif"), Depth::Scaled).unwrap();
    assert!(read.to_grey().iter().all(|value| value.abs_diff(90) <= 1), "{:?}", &read.to_grey()[..16]);
}

#[test]
fn what_is_not_read_of_tiff_is_named_with_the_way_out() {
    for (fields, parts) in [
        (&[(259, 50_000)][..], ["compressed with Zstandard", "save it without compression"]),
        (&[(259, 34_925)], ["compressed with LZMA", "LZW or deflate"]),
        (&[(259, 3)], ["compressed with CCITT Group 3", "LZW or deflate"]),
        (&[(259, 34_712)], ["compressed with JPEG 2000", "LZW or deflate"]),
        (&[(259, 777)], ["compressed with method 777", "LZW or deflate"]),
        (&[(258, 4)], ["TIFF of grey, 4 bits a channel", "8 or 16 bit grey or RGB"]),
        (&[(258, 32), (339, 3)], ["grey, 32 bits a channel as floating point", "8 or 16 bit grey or RGB"]),
        (&[(262, 8), (277, 3)], ["CIE L*a*b*", "8 or 16 bit grey or RGB"]),
        (&[(277, 2), (338, 2)], ["grey with an alpha channel", "without the alpha channel"]),
    ] {
        let bytes = grey_tiff(&[Page { width: 1, height: 1, pixels: &[9; 24], fields }]);
        let error = decode(&bytes, Path::new("a.tif"), Depth::Scaled).unwrap_err().to_string();
        says(&error, &[&["a.tif: "][..], &parts].concat());
    }
}

#[test]
fn channels_that_have_no_place_in_a_picture_are_refused_and_alpha_is_not() {
    let read = |samples: u32, more: &[(u16, u32)]| {
        let fields = [&[(262, 2), (277, samples)][..], more].concat();
        decode(
            &grey_tiff(&[Page {
                width: 2,
                height: 1,
                pixels: &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
                fields: &fields,
            }]),
            Path::new("a.tif"),
            Depth::Scaled,
        )
    };
    for (samples, more) in [(5, &[][..]), (5, &[(338, 1)]), (4, &[(338, 0)])] {
        let error = read(samples, more).unwrap_err().to_string();
        says(
            &error,
            &["a.tif: ", &format!("{samples} channels, of which RGB has 3"), "save those that make the picture"],
        );
    }
    for more in [&[][..], &[(338, 1)], &[(338, 2)]] {
        assert_eq!(read(4, more).unwrap().planes()[0], [10, 50], "{more:?}");
    }
    let grey = grey_tiff(&[Page { width: 1, height: 1, pixels: &[1, 2, 3], fields: &[(277, 3)] }]);
    let error = decode(&grey, Path::new("a.tif"), Depth::Scaled).unwrap_err().to_string();
    says(&error, &["3 channels, of which grey has 1"]);
}
