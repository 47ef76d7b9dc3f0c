//! Copies of images to learn from are found among test images, saved with loss, resized, mirrored, turned or made
//! brighter, and other pictures are not taken for copies.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Set, encoded, found, says};
use harness_data::{FileHashes, Item, Severity, near_copies, repeated};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};

const WIDTH: u32 = 80;

/// A picture of waves, others for each number.
fn picture(number: u32) -> GrayImage {
    let wave = |at: u32, length: f32| (at as f32 / WIDTH as f32 * length + number as f32).sin();
    GrayImage::from_fn(WIDTH, 64, |x, y| {
        Luma([(110.0 + 60.0 * wave(x, 7.0 + number as f32) * wave(y, 3.0) + 30.0 * wave(x + 2 * y, 5.0)) as u8])
    })
}

fn stored(picture: GrayImage, format: ImageFormat) -> Vec<u8> {
    encoded(DynamicImage::ImageLuma8(picture), format)
}

/// [`Set::mvfa`] of pictures that are all different.
fn pictures() -> Set {
    let set = Set::new("layout = \"mvfa\"\nmasks = false\n");
    for number in 0..3 {
        for (at, folder) in ["valid/good", "valid/Ungood", "test/good", "test/Ungood"].into_iter().enumerate() {
            let picture = picture(4 * number + at as u32);
            set.write(&format!("{folder}/img/p{number}.png"), stored(picture, ImageFormat::Png));
        }
    }
    set
}

#[test]
fn copies_that_are_not_equal_pixel_by_pixel_are_warned_of() {
    assert_eq!(found(&pictures().dataset(), Severity::Warning), [""; 0]);
    let original = picture(0);
    let lossy = |quality: u8| {
        let mut bytes = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
        DynamicImage::ImageLuma8(original.clone()).write_with_encoder(encoder).unwrap();
        bytes
    };
    let brighter = GrayImage::from_fn(WIDTH, 64, |x, y| Luma([original.get_pixel(x, y)[0] / 2 + 80]));
    let copies = [
        lossy(90),
        lossy(60),
        stored(imageops::resize(&original, 120, 96, FilterType::CatmullRom), ImageFormat::Png),
        stored(imageops::resize(&original, 45, 35, FilterType::Lanczos3), ImageFormat::Png),
        stored(imageops::flip_horizontal(&original), ImageFormat::Png),
        stored(imageops::flip_vertical(&original), ImageFormat::Bmp),
        stored(imageops::rotate90(&original), ImageFormat::Png),
        stored(imageops::flip_vertical(&imageops::rotate270(&original)), ImageFormat::Png),
        stored(brighter, ImageFormat::Png),
    ];
    for (at, copy) in copies.into_iter().enumerate() {
        let set = pictures();
        set.write("test/Ungood/img/copy.png", copy);
        let warnings = found(&set.dataset(), Severity::Warning);
        assert_eq!(warnings.len(), 1, "{at}: {warnings:?}");
        says(
            &warnings[0],
            &[
                "[Set]: 1 test image looks nearly the same as an image to learn from",
                "valid/good/img/p0.png",
                "copy.png",
            ],
        );
        assert_eq!(set.errors(), [""; 0]);
    }
}

#[test]
fn copies_are_counted_once_and_equal_pixels_not_at_all() {
    let set = pictures();
    for name in ["b", "c"] {
        let turned = imageops::rotate180(&picture(0));
        set.write(&format!("test/good/img/{name}.png"), stored(turned, ImageFormat::Png));
    }
    set.write("test/good/img/same.bmp", stored(picture(0), ImageFormat::Bmp));
    let (dataset, hashes) = (set.dataset(), FileHashes::in_memory());
    let (pool, test) = (dataset.support_pool().unwrap().0, dataset.test_set().unwrap());
    let facts = |items: &[Item]| items.iter().map(|item| hashes.facts(&item.image).unwrap()).collect::<Vec<_>>();
    let (of_pool, of_test) = (facts(&pool), facts(&test));
    let learned: Vec<_> = pool.iter().zip(&of_pool).map(|(item, facts)| (item, &**facts)).collect();
    let test: Vec<_> = test.iter().zip(&of_test).map(|(item, facts)| (item, &**facts)).collect();
    let finding = near_copies("[Set]", &learned, &test).unwrap();
    assert_eq!(finding.count, 2, "{finding:?}");
    says(&finding.message, &["2 test images look nearly the same", "b.png, test/good/img/c.png)"]);
    // What both lists name is one image.
    assert_eq!(near_copies("[Set]", &learned, &learned), None);
}

#[test]
fn images_that_are_there_twice_are_told_by_class() {
    let set = pictures();
    let told = |set: &Set| {
        let (items, hashes) = (set.dataset().test_set().unwrap(), FileHashes::in_memory());
        let facts: Vec<_> = items.iter().map(|item| hashes.facts(&item.image).unwrap()).collect();
        let images: Vec<_> = items.iter().zip(&facts).map(|(item, facts)| (item, &**facts)).collect();
        repeated("[Set]", "test image", &images).into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(told(&set), [""; 0]);
    set.write("test/good/img/again.bmp", stored(picture(2), ImageFormat::Bmp));
    set.write("test/Ungood/img/other.png", stored(picture(6), ImageFormat::Png));
    let told_now = told(&set);
    assert_eq!(
        told_now,
        [
            "[Set]: 1 test image shows the same pixels as another one of the class, such as test/good/img/again.bmp and \
             test/good/img/p0.png: they count twice",
            "[Set]: 1 test image shows the same pixels as one of the other class, such as test/good/img/p1.png and \
             test/Ungood/img/other.png: remove the one of the wrong label",
        ]
    );
}

#[test]
fn a_test_image_that_was_saved_again_beside_itself_is_warned_of() {
    let set = pictures();
    set.write("test/good/img/p0.jpg", stored(picture(2), ImageFormat::Jpeg));
    let warnings = found(&set.dataset(), Severity::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    says(&warnings[0], &["1 test image shows nearly the same as another one", "p0.jpg and test/good/img/p0.png"]);
}
