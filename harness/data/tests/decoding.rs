//! Every kind of image file gives the pixels it holds: four formats, grey, colour, alpha and palette, eight and sixteen
//! bits.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use common::{Set, encoded, names, palette_bmp, palette_png, palette_tiff, says};
use harness_data::decode::{Depth, Pixels, Samples, decode};
use harness_data::{MaskValues, Source, load_image, load_mask};
use image::{DynamicImage, ImageFormat};

const WIDTH: u32 = 7;
const HEIGHT: u32 = 5;

/// Red, green, blue and alpha of a place.
fn rgba(x: u32, y: u32) -> [u8; 4] {
    [(20 * x + 3 * y) as u8, (40 * y + x) as u8, (200 - 10 * x - 7 * y) as u8, (255 - 30 * x) as u8]
}

fn grey(x: u32, y: u32) -> u8 {
    (30 * x + 11 * y) as u8
}

/// A sixteen-bit value that rounds to `v`, not always by cutting off.
fn wide(v: u8, x: u32) -> u16 {
    u16::from(v) * 257 + if v < 255 { (x as u16 * 37) % 129 } else { 0 }
}

fn read(bytes: &[u8]) -> Pixels {
    decode(bytes, Path::new("image"), Depth::Scaled).unwrap()
}

fn colours(keep: usize) -> Samples {
    let all = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| rgba(x, y)));
    Samples::Rgb(all.flat_map(|p| p[..keep].to_vec()).collect())
}

fn greys() -> Samples {
    Samples::Grey((0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| grey(x, y))).collect())
}

/// Every image that the encoders can write, and the samples it must come back as.
fn images() -> Vec<(&'static str, DynamicImage, Samples)> {
    use image::{ImageBuffer as Buffer, Luma, LumaA, Rgb, Rgba};
    let wide3 = |x, y| rgba(x, y).map(|v| wide(v, x));
    vec![
        ("grey 8", DynamicImage::ImageLuma8(Buffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([grey(x, y)]))), greys()),
        (
            "grey 16",
            DynamicImage::ImageLuma16(Buffer::from_fn(WIDTH, HEIGHT, |x, y| Luma([wide(grey(x, y), x)]))),
            greys(),
        ),
        (
            "grey and alpha 8",
            DynamicImage::ImageLumaA8(Buffer::from_fn(WIDTH, HEIGHT, |x, y| LumaA([grey(x, y), 77]))),
            greys(),
        ),
        (
            "RGB 8",
            DynamicImage::ImageRgb8(Buffer::from_fn(WIDTH, HEIGHT, |x, y| {
                let [r, g, b, _] = rgba(x, y);
                Rgb([r, g, b])
            })),
            colours(3),
        ),
        (
            "RGB 16",
            DynamicImage::ImageRgb16(Buffer::from_fn(WIDTH, HEIGHT, |x, y| {
                let [r, g, b, _] = wide3(x, y);
                Rgb([r, g, b])
            })),
            colours(3),
        ),
        ("RGBA 8", DynamicImage::ImageRgba8(Buffer::from_fn(WIDTH, HEIGHT, |x, y| Rgba(rgba(x, y)))), colours(3)),
        ("RGBA 16", DynamicImage::ImageRgba16(Buffer::from_fn(WIDTH, HEIGHT, |x, y| Rgba(wide3(x, y)))), colours(3)),
    ]
}

#[test]
fn png_bmp_and_tiff_come_back_exactly_without_alpha() {
    let mut read_back = 0;
    for (kind, image, samples) in images() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
            let mut bytes = std::io::Cursor::new(Vec::new());
            // BMP has no sixteen bits, TIFF's encoder no grey with alpha.
            if image.write_to(&mut bytes, format).is_err() {
                continue;
            }
            let pixels = read(bytes.get_ref());
            assert_eq!((pixels.width, pixels.height), (7, 5), "{kind} {format:?}");
            // BMP keeps grey as a palette of greys, which reads as colour.
            let grey = pixels.to_grey();
            match &samples {
                Samples::Grey(expected) => assert_eq!(&grey, expected, "{kind} {format:?}"),
                rgb => assert_eq!(&pixels.samples, rgb, "{kind} {format:?}"),
            }
            read_back += 1;
        }
    }
    assert!(read_back >= 16, "{read_back} kinds of file");
}

#[test]
fn jpeg_comes_back_within_its_loss() {
    for (kind, image, samples) in images().into_iter().filter(|(kind, ..)| matches!(*kind, "grey 8" | "RGB 8")) {
        let mut bytes = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
        image.write_with_encoder(encoder).unwrap();
        let pixels = read(&bytes);
        let ((Samples::Grey(found), Samples::Grey(expected)) | (Samples::Rgb(found), Samples::Rgb(expected))) =
            (pixels.samples, samples)
        else {
            panic!("{kind}")
        };
        let worst = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 24, "{kind}: off by {worst}; chroma is kept at half the resolution");
    }
}

#[test]
fn palettes_of_png_bmp_and_tiff_become_their_colours() {
    let colour = |i: u8| [i / 2, 255 - i, i.wrapping_mul(3)];
    let indices: Vec<u8> = (0..WIDTH * HEIGHT).map(|i| (i * 7) as u8).collect();
    let expected: Vec<u8> = indices.iter().flat_map(|i| colour(*i)).collect();
    for (format, bytes) in [
        ("png", palette_png(WIDTH, HEIGHT, &indices, colour)),
        ("bmp", palette_bmp(WIDTH, HEIGHT, &indices, colour)),
        ("tiff", palette_tiff(WIDTH, HEIGHT, &indices, colour)),
    ] {
        assert_eq!(read(&bytes).samples, Samples::Rgb(expected.clone()), "{format}");
        let marked = decode(&bytes, Path::new("mask"), Depth::Nonzero).unwrap().samples;
        assert_eq!(marked, Samples::Rgb(expected.iter().map(|v| u8::from(*v > 0) * 255).collect()), "{format}");
    }
}

#[test]
fn a_png_of_one_two_or_four_bits_is_scaled_to_eight() {
    for (depth, largest) in [(png::BitDepth::One, 1u8), (png::BitDepth::Two, 3), (png::BitDepth::Four, 15)] {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 8, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(depth);
        let row = vec![0xFF; depth as usize];
        encoder.write_header().unwrap().write_image_data(&row).unwrap();
        assert_eq!(read(&bytes).samples, Samples::Grey(vec![255; 8]), "{largest}");
    }
}

#[test]
fn the_content_decides_the_format_not_the_name() {
    let set = Set::new("");
    let (_, image, samples) = images().remove(0);
    let path = set.write("looks-like.jpg", encoded(image, ImageFormat::Png));
    assert_eq!(Source::File(path).pixels(Depth::Scaled).unwrap().samples, samples);
}

#[test]
fn sixteen_bit_values_are_rounded_to_their_share_of_full_scale() {
    for (value, expected) in [(0u16, 0u8), (128, 0), (129, 1), (256, 1), (32_767, 127), (32_896, 128), (65_535, 255)] {
        let image = image::ImageBuffer::from_pixel(1, 1, image::Luma([value]));
        let pixels = read(&encoded(DynamicImage::ImageLuma16(image), ImageFormat::Png));
        assert_eq!(pixels.samples, Samples::Grey(vec![expected]), "{value}");
    }
}

#[test]
fn a_grey_image_fills_three_equal_planes() {
    let set = Set::new("");
    let path = set.image("grey.png", 90);
    let planes = load_image(&Source::File(path), 4).unwrap();
    assert_eq!(planes, vec![90; 3 * 4 * 4]);
}

#[test]
fn a_mask_marks_above_half_or_above_zero_as_its_entry_says() {
    let set = Set::new("");
    let values = [0u8, 1, 127, 128, 255];
    let image = image::GrayImage::from_fn(5, 5, |x, _| image::Luma([values[x as usize]]));
    let source = Source::File(set.write("mask.png", common::png(&image)));
    let row = |mask_values| load_mask(&source, 5, mask_values).unwrap()[..5].to_vec();
    assert_eq!(row(MaskValues::Half), [0, 0, 0, 1, 1]);
    assert_eq!(row(MaskValues::Nonzero), [0, 1, 1, 1, 1]);
    // Sixteen bits: any value above zero, however small its share of full scale.
    let wide = image::ImageBuffer::from_fn(5, 5, |x, _| image::Luma([u16::from(values[x as usize])]));
    let source = Source::File(set.write("wide.png", encoded(DynamicImage::ImageLuma16(wide), ImageFormat::Png)));
    assert_eq!(load_mask(&source, 5, MaskValues::Half).unwrap()[..5], [0; 5]);
    assert_eq!(load_mask(&source, 5, MaskValues::Nonzero).unwrap()[..5], [0, 1, 1, 1, 1]);
}

#[test]
fn floating_point_pixels_are_refused_with_what_to_do() {
    let image = DynamicImage::ImageRgb32F(image::ImageBuffer::from_pixel(2, 2, image::Rgb([0.5f32; 3])));
    let bytes = encoded(image, ImageFormat::Tiff);
    let error = decode(&bytes, Path::new("a.tif"), Depth::Scaled).unwrap_err();
    names(&error, Path::new("a.tif"), &["convert it to 8 or 16 bit grey or RGB"]);
}

#[test]
fn what_is_no_image_at_all_is_told_from_a_damaged_one() {
    let error = decode(b"\x01\x02\x03\x04", Path::new("a.png"), Depth::Scaled).unwrap_err();
    names(&error, Path::new("a.png"), &["neither PNG, JPEG, BMP nor TIFF"]);
    let error = decode(b"\x89PNG\r\n\x1a\n", Path::new("a.png"), Depth::Scaled).unwrap_err().to_string();
    says(&error, &["damaged or cut short"]);
}
