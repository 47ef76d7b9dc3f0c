//! Masks and images that can't be what they seem are warned of, with what to set; right ones are not.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use common::{Set, encoded, found, png, says};
use harness_data::{
    FileHashes, Looked, MaskValues, Print, Severity, Source, Unusable, inspect, inspect_images, misfits, same_pictures,
    sample, verify_with,
};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA};

const SIDE: u32 = 8;

/// A set whose masks are these, by column and row.
fn masks(keys: &str, value: impl Fn(u32, u32) -> u8) -> Set {
    masks_as(keys, |set, name| {
        set.write(name, png(&GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([value(x, y)]))));
    })
}

fn masks_as(keys: &str, write: impl Fn(&Set, &str)) -> Set {
    let set = Set::mvfa_with(keys);
    for split in ["valid", "test"] {
        for i in 0..3 {
            write(&set, &format!("{split}/Ungood/anomaly_mask/a{i}.png"));
        }
    }
    set
}

fn warnings(set: &Set) -> Vec<String> {
    assert_eq!(set.errors(), [""; 0]);
    found(&set.dataset(), Severity::Warning)
}

/// The one warning there is, with these parts.
#[track_caller]
fn warns(set: &Set, parts: &[&str]) {
    let warnings = warnings(set);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    says(&warnings[0], &["[Set]: "]);
    says(&warnings[0], parts);
}

const NONZERO: &str = "mask_values = \"nonzero\"\n";

#[test]
fn right_masks_are_not_warned_of() {
    let lesion = |value: u8| move |x: u32, y: u32| if x < 3 && y < 3 { value } else { 0 };
    for set in [masks("", lesion(255)), masks(NONZERO, lesion(255)), masks(NONZERO, lesion(1))] {
        assert_eq!(warnings(&set), [""; 0]);
    }
    // The loss of JPEG around a threshold in the middle.
    let jpeg = masks_as("", |set, name| {
        let mask = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([lesion(255)(x, y)]));
        set.write(name, encoded(DynamicImage::ImageLuma8(mask), ImageFormat::Jpeg));
    });
    assert_eq!(warnings(&jpeg), [""; 0]);
}

#[test]
fn inverted_masks_are_warned_of_with_their_median_share() {
    let set = masks("", |x, y| if x < 4 && y < 4 { 0 } else { 255 });
    warns(&set, &["masks seem to be inverted", "median of 6 masks 75 %", "lesions are bright"]);
}

#[test]
fn a_mask_of_nothing_but_lesion_among_others_is_warned_of() {
    let set = Set::mvfa();
    set.write("test/Ungood/anomaly_mask/a1.png", png(&GrayImage::from_pixel(SIDE, SIDE, Luma([255]))));
    warns(&set, &["1 of 6 masks marks every pixel", "a1.png"]);
}

#[test]
fn lesions_drawn_between_zero_and_full_scale_are_warned_of() {
    let set = masks("", |x, _| if x < 3 { 128 } else { 0 });
    warns(
        &set,
        &["all 6 masks hold values other than 0 and 255: 128", "write lesions as 255", "mask_values = \"nonzero\""],
    );
    // An organ beside the lesion.
    let set = masks("", |x, _| [255, 255, 100, 100, 0, 0, 0, 0][x as usize]);
    warns(&set, &["values other than 0 and 255: 100"]);
    let set = masks("", |x, y| if x < 4 { 255 - (x * 8 + y) as u8 } else { 0 });
    warns(&set, &["all 6 masks hold many values between 0 and 255"]);
}

#[test]
fn labels_by_number_are_named_under_nonzero_and_refused_under_half() {
    let labels = |x: u32, _: u32| [1, 2, 4, 0, 0, 0, 0, 0][x as usize];
    warns(&masks(NONZERO, labels), &["several labels (1, 2, 4", "6 masks hold more than one", "organ"]);
    let errors = masks("", labels).errors();
    assert_eq!(errors.len(), 6);
    says(&errors[0], &["largest value is 4 of 255", "mask_values = \"nonzero\""]);
    // One label a mask, and not the same in all of them.
    let set = masks(NONZERO, |x, _| u8::from(x < 3));
    set.write(
        "test/Ungood/anomaly_mask/a1.png",
        png(&GrayImage::from_fn(SIDE, SIDE, |x, _| Luma([2 * u8::from(x < 3)]))),
    );
    warns(&set, &["several labels (1, 2; 0 masks hold more than one)"]);
}

#[test]
fn faint_values_that_jpeg_leaves_are_warned_of_under_nonzero() {
    let set = masks_as(NONZERO, |set, name| {
        let place = 8 + u32::from(name.as_bytes()[name.len() - 5] - b'0') + 4 * u32::from(name.starts_with('t'));
        let marked = |x: u32, y: u32| x.abs_diff(place) + y.abs_diff(12) < 6;
        let mask = GrayImage::from_fn(24, 24, |x, y| Luma([if marked(x, y) { 255 } else { 0 }]));
        let mut bytes = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60);
        DynamicImage::ImageLuma8(mask).write_with_encoder(encoder).unwrap();
        set.write(name, bytes);
        set.write(
            &name.replace("anomaly_mask", "img"),
            png(&GrayImage::from_fn(24, 24, |x, y| Luma([(x * x * place + y * y * 3) as u8]))),
        );
    });
    warns(&set, &["JPEG leaves faint values", "set `mask_values = \"half\"`"]);
}

#[test]
fn a_lesion_in_the_alpha_channel_is_warned_of() {
    let alpha = |colour: u8| {
        move |set: &Set, name: &str| {
            let mask = ImageBuffer::from_fn(SIDE, SIDE, |x, _| LumaA([colour, if x < 3 { 255 } else { 0 }]));
            set.write(name, encoded(DynamicImage::ImageLumaA8(mask), ImageFormat::Png));
        }
    };
    // Not of being inverted, which is what the other channels look like.
    warns(&masks_as("", alpha(255)), &["all 6 masks seem to hold the lesion in the alpha channel"]);
    let errors = masks_as("", alpha(0)).errors();
    assert_eq!(errors.len(), 6);
    says(&errors[0], &["the lesion seems to be in its alpha channel"]);
}

/// A set whose images are sixteen-bit ramps up to this.
fn ramps(largest: u32) -> Set {
    let set = Set::mvfa();
    for (s, split) in ["valid", "test"].into_iter().enumerate() {
        for (class, letter) in [("good", 'n'), ("Ungood", 'a')] {
            for i in 0..3 {
                let shift = 9 * s as u32 + 3 * u32::from(letter == 'a') + i;
                let ramp = ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
                    Luma([(largest * ((x + y * SIDE + shift) % (SIDE * SIDE)) / (SIDE * SIDE - 1)) as u16])
                });
                set.write(
                    &format!("{split}/{class}/img/{letter}{i}.png"),
                    encoded(DynamicImage::ImageLuma16(ramp), ImageFormat::Png),
                );
            }
        }
    }
    set
}

#[test]
fn images_of_fewer_bits_in_sixteen_are_warned_of_with_their_largest_value() {
    for (largest, bits) in [(255, ": 8-bit values"), (4095, ": values of at most 12 bits"), (16_383, "at most 14 bits")]
    {
        warns(
            &ramps(largest),
            &[
                &format!("values of 12 16-bit images are from 0 to {largest} of 65535"),
                bits,
                "rescale them to the full 16 bit, or save them as 8 bit",
            ],
        );
    }
    assert_eq!(warnings(&ramps(65_535)), [""; 0]);
}

/// A set whose images have 1,600 pixels, with a lesion in its masks.
fn large(picture: impl Fn(u32) -> DynamicImage) -> Set {
    let set = Set::mvfa();
    for (s, split) in ["valid", "test"].into_iter().enumerate() {
        for i in 0..3 {
            for (c, class) in ["good/img/n", "Ungood/img/a"].into_iter().enumerate() {
                let number = 6 * s as u32 + 3 * c as u32 + i;
                set.write(&format!("{split}/{class}{i}.png"), encoded(picture(number), ImageFormat::Png));
            }
            set.write(&format!("{split}/Ungood/anomaly_mask/a{i}.png"), lesion(3 * s as u32 + i));
        }
    }
    set
}

/// A mask of 40 x 40 pixels: a square of 9 x 9 at a place of its own.
fn lesion(number: u32) -> Vec<u8> {
    drawn(|x, y| x.wrapping_sub(number) < 9 && y < 9)
}

fn drawn(marked: impl Fn(u32, u32) -> bool) -> Vec<u8> {
    png(&GrayImage::from_fn(40, 40, |x, y| Luma([if marked(x, y) { 255 } else { 0 }])))
}

/// [`large`] with ramps as images, of which some masks are replaced.
fn large_with(changed: &[&str], mask: impl Fn(u32) -> Vec<u8>) -> Set {
    let set = large(|number| large_ramp(number, |_, _, value| 16 * value));
    for (number, name) in (0..).zip(changed) {
        set.write(&format!("{name}.png"), mask(number));
    }
    set
}

const TESTS: [&str; 3] = ["test/Ungood/anomaly_mask/a0", "test/Ungood/anomaly_mask/a1", "test/Ungood/anomaly_mask/a2"];

#[test]
fn a_few_inverted_masks_among_right_ones_are_warned_of_by_name() {
    assert_eq!(warnings(&large_with(&[], lesion)), [""; 0]);
    let inverted = |number: u32| drawn(move |x, y| x.wrapping_sub(20 + number) >= 9 || y.wrapping_sub(5) >= 9);
    let told = ["2 of 6 masks seem to be inverted", "a0.png", "a1.png", "95 % of the pixels", "5 % in the median"];
    warns(&large_with(&TESTS[..2], inverted), &told);
    warns(&large_with(&TESTS[..1], inverted), &["1 of 6 masks seems to be inverted"]);
    // Lesions at the border, and large ones.
    let at_border = |number: u32| drawn(move |x, y| x.wrapping_sub(20 + number) >= 9 || y >= 9);
    warns(&large_with(&TESTS[..2], at_border), &["2 of 6 masks seem to be inverted"]);
    let large_ones = |number: u32| drawn(move |x, y| x.wrapping_sub(6 + number) >= 25 || y.wrapping_sub(7) >= 25);
    warns(&large_with(&TESTS[..2], large_ones), &["2 of 6 masks seem to be inverted", "61 % of the pixels"]);
    // A large lesion that leaves the border free is none.
    let big = |number: u32| drawn(move |x, y| (3..37 - number).contains(&x) && (3..37).contains(&y));
    assert_eq!(warnings(&large_with(&TESTS[..2], big)), [""; 0]);
}

#[test]
fn outlines_are_warned_of_and_filled_lesions_with_a_hole_are_not() {
    let outline = |number: u32| {
        drawn(move |x, y| {
            let (x, y) = (x.abs_diff(20), y.abs_diff(20));
            x.max(y) == 8 + number && x.min(y) <= 8 + number
        })
    };
    let told = ["3 of 6 masks seem to be outlines", "a0.png", "what is inside counts as healthy", "fill them"];
    warns(&large_with(&TESTS, outline), &told);
    let ring = |number: u32| drawn(move |x, y| (3..9).contains(&(x.abs_diff(20 + number).max(y.abs_diff(20)))));
    assert_eq!(warnings(&large_with(&TESTS, ring)), [""; 0]);
}

#[test]
fn one_mask_for_different_images_is_warned_of() {
    warns(
        &large_with(&TESTS, |_| lesion(20)),
        &["3 of 6 masks of different images are pixel by pixel the same", "test/Ungood/img/a0.png"],
    );
    // A picture that is there twice may well have one mask, and so may lesions of a few pixels.
    let set = large_with(&[], lesion);
    set.write("test/Ungood/img/a1.png", fs::read(set.path("test/Ungood/img/a0.png")).unwrap());
    set.write("test/Ungood/anomaly_mask/a1.png", lesion(3));
    warns(&set, &["a0.png and test/Ungood/img/a1.png have the same content; they count twice"]);
    let few = |_| drawn(|x, y| x < 7 && y < 9);
    assert_eq!(warnings(&large_with(&TESTS, few)), [""; 0]);
}

#[test]
fn a_mask_of_a_wrong_size_is_told_once_though_it_is_empty_too() {
    let set = Set::mvfa();
    set.write("test/Ungood/anomaly_mask/a0.png", png(&GrayImage::from_pixel(4, 4, Luma([0]))));
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &["a0.png", "4 x 4 pixels"]);
    // And once though it marks every pixel.
    set.write("test/Ungood/anomaly_mask/a0.png", png(&GrayImage::from_pixel(4, 4, Luma([255]))));
    assert_eq!((set.errors().len(), found(&set.dataset(), Severity::Warning).len()), (1, 0));
}

#[test]
fn a_red_mask_is_told_as_red_where_it_is_read_too() {
    let set = Set::mvfa();
    let red = image::RgbImage::from_fn(SIDE, SIDE, |x, _| image::Rgb([if x < 3 { 255 } else { 0 }, 0, 0]));
    set.write("test/Ungood/anomaly_mask/a0.png", encoded(DynamicImage::ImageRgb8(red), ImageFormat::Png));
    let item = set.dataset().test_set().unwrap().remove(3);
    let error = item.truth(8, MaskValues::Half).unwrap_err().to_string();
    says(&error, &["a0.png", "it is coloured", "mask_values = \"nonzero\""]);
    says(&set.errors()[0], &["it is coloured"]);
}

#[test]
fn images_of_no_dataset_are_checked_alike() {
    let set = Set::new("");
    let hashes = FileHashes::in_memory();
    let dark = encoded(large_ramp(0, |_, _, value| value), ImageFormat::Png);
    let turned = common::turned_png(&lesion(0), 6, false);
    let sources =
        [("dark.png", dark), ("turned.png", turned)].map(|(name, bytes)| Source::File(set.write(name, bytes)));
    let facts = sources.each_ref().map(|source| hashes.facts(source).unwrap());
    let given: Vec<_> = sources.iter().zip(&facts).map(|(source, facts)| (source, &**facts)).collect();
    let told: Vec<String> = inspect_images(&given).into_iter().map(|finding| finding.message).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    says(&told[0], &["values of 1 16-bit image are from 0 to 4095 of 65535", "dark.png", "at most 12 bits"]);
    assert_eq!(told[1], "1 image is turned by its orientation tag, as viewers show them");
}

#[test]
fn a_single_hot_pixel_does_not_hide_that_images_are_dark() {
    let ramp =
        |number: u32, hot: u32| large_ramp(number, move |x, y, value| if y == 0 && x < hot { 65_535 } else { value });
    let told = ["values of 12 16-bit images are from 0 to 4095 of 65535", "at most 12 bits", "nearly black"];
    warns(&large(|number| ramp(number, 1)), &told);
    // More than a thousandth of the pixels is no accident: then 3,000 of 65,535 is where most of a picture lies.
    assert_eq!(warnings(&large(|number| large_ramp(number, |_, _, value| 15 * value))), [""; 0]);
}

/// Sixteen-bit values up to 4095, changed by the place.
fn large_ramp(number: u32, change: impl Fn(u32, u32, u32) -> u32) -> DynamicImage {
    DynamicImage::ImageLuma16(ImageBuffer::from_fn(40, 40, |x, y| {
        let value = (x + 40 * y + 7 * number) % 1600 * 4095 / 1599;
        Luma([change(x, y, value) as u16])
    }))
}

#[test]
fn eight_bit_images_that_are_nearly_black_are_warned_of() {
    let picture = |largest: u32| {
        move |number: u32| {
            DynamicImage::ImageLuma8(GrayImage::from_fn(40, 40, |x, y| {
                Luma([((x + 3 * y + number) % (largest + 1)) as u8])
            }))
        }
    };
    let told = ["values of 12 8-bit images are from 0 to 15 of 255", "nearly black", "rescale them to 0 to 255"];
    warns(&large(picture(15)), &told);
    assert_eq!(warnings(&large(picture(90))), [""; 0]);
}

#[test]
fn blank_images_are_warned_of() {
    let picture = |number: u32| large_ramp(number, |_, _, value| 15 * value);
    let set = large(picture);
    set.write("test/good/img/n1.png", png(&GrayImage::from_pixel(40, 40, Luma([90]))));
    warns(
        &set,
        &["1 of 12 images has one colour throughout", "test/good/img/n1.png", "look whether it was exported right"],
    );
    let set = Set::mvfa();
    set.image("test/good/img/n1.png", 0);
    warns(&set, &["1 of 12 images has one colour throughout"]);
}

#[test]
fn a_mask_that_is_a_copy_of_its_image_is_warned_of() {
    let set = Set::mvfa();
    let picture = png(&GrayImage::from_fn(SIDE, SIDE, |x, _| Luma([if x < 2 { 255 } else { 0 }])));
    set.write("test/Ungood/img/a1.png", &picture);
    set.write("test/Ungood/anomaly_mask/a1.png", &picture);
    warns(&set, &["1 of 6 masks is a copy of the image (test/Ungood/img/a1.png)"]);
}

#[test]
fn the_same_pixels_in_other_bytes_are_found_between_valid_and_test() {
    let set = Set::mvfa();
    let picture = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([(x * 20 + y) as u8]));
    set.write("valid/good/img/n1.png", png(&picture));
    // As three equal channels, in another format.
    let coloured = DynamicImage::ImageRgb8(DynamicImage::ImageLuma8(picture).into_rgb8());
    set.remove("test/good/img/n1.png");
    set.write("test/good/img/n1.bmp", encoded(coloured, ImageFormat::Bmp));
    let errors = set.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    says(&errors[0], &["n1.png", "n1.bmp", "show the same pixels", "one in valid and one in test"]);
    let hashes = FileHashes::in_memory();
    let dataset = set.dataset();
    let (support, test) = (dataset.support_pool().unwrap().0, dataset.test_set().unwrap());
    for item in support.iter().chain(&test) {
        hashes.facts(&item.image).unwrap();
    }
    let pairs = same_pictures(&Print::of(&support, &hashes).unwrap(), &Print::of(&test, &hashes).unwrap());
    let names: Vec<_> = pairs.iter().map(|(a, b)| (support[*a].name.as_str(), test[*b].name.as_str())).collect();
    assert_eq!(names, [("valid/good/img/n1.png", "test/good/img/n1.bmp")]);
}

/// Old enough to be remembered.
fn settle(source: &Source) {
    let Source::File(path) = source else { panic!() };
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

#[test]
fn facts_are_remembered_by_content_and_found_out_again_where_their_cache_is_damaged() {
    let set = Set::mvfa();
    let items = set.dataset().test_set().unwrap();
    items.iter().flat_map(|item| [Some(&item.image), item.mask.as_ref()]).flatten().for_each(settle);
    let cache = set.path("cache/file-hashes");
    let first = FileHashes::open(&cache, false);
    let facts: Vec<_> = items.iter().map(|item| first.facts(&item.image).unwrap()).collect();
    let mask = first.facts(items[3].mask.as_ref().unwrap()).unwrap();
    assert_eq!((mask.marked(MaskValues::Half), mask.share(MaskValues::Half)), (32, 0.5));
    first.save().unwrap();
    let again = FileHashes::open(&cache, false);
    for (item, facts) in items.iter().zip(&facts) {
        assert_eq!(again.known_facts(&item.image).as_ref(), Some(facts));
    }
    // A copy elsewhere shares them.
    let copy = set.path("copy.png");
    fs::copy(set.path("test/good/img/n0.png"), &copy).unwrap();
    assert_eq!(again.facts(&Source::File(copy)).unwrap(), facts[0]);
    let file = set.path("cache/file-facts");
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    let damaged = FileHashes::open(&cache, false);
    says(damaged.note().unwrap(), &["file-facts", "is damaged"]);
    assert_eq!(damaged.facts(&items[0].image).unwrap(), facts[0]);
    // `verify` with a cache finds what it finds without.
    assert_eq!(verify_with(&set.dataset(), &again), harness_data::verify(&set.dataset()));
}

#[test]
fn masks_of_another_size_are_found_from_heads_alone() {
    let set = Set::mvfa();
    // Its head is right, and no pixel follows.
    let whole = png(&GrayImage::from_pixel(5, 9, Luma([255])));
    set.write("test/Ungood/anomaly_mask/a1.png", &whole[..40]);
    let found = misfits(&set.dataset().test_set().unwrap(), &FileHashes::in_memory());
    assert_eq!(found.len(), 1, "{found:?}");
    says(&found[0], &["a1.png", "5 x 9 pixels", "8 x 8", "export the mask at the image's size"]);
}

#[test]
fn a_mask_that_can_not_be_used_is_told_by_kind() {
    let set = Set::mvfa();
    set.write("test/Ungood/anomaly_mask/a0.png", png(&GrayImage::from_pixel(SIDE, SIDE, Luma([0]))));
    set.write("test/Ungood/anomaly_mask/a1.png", "GIF89a");
    set.write("test/Ungood/anomaly_mask/a2.png", png(&GrayImage::from_pixel(4, 4, Luma([255]))));
    let (dataset, hashes) = (set.dataset(), FileHashes::in_memory());
    let items = dataset.test_set().unwrap();
    let looked: Vec<Looked<'_>> = items.iter().map(|item| Looked::at(item, &hashes)).collect();
    let kinds: Vec<_> =
        inspect(&dataset, &looked).unusable.into_iter().map(|(kind, told)| (kind, told.len())).collect();
    assert_eq!(kinds, [(Unusable::Mask, 1), (Unusable::Size, 1), (Unusable::Empty, 1)]);
}

#[test]
fn a_sample_is_evenly_spaced_and_no_larger_than_the_whole() {
    let all: Vec<usize> = (0..100).collect();
    assert_eq!(sample(&all, 4).copied().collect::<Vec<_>>(), [0, 25, 50, 75]);
    assert_eq!(sample(&all[..3], 50).copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(sample(&all[..0], 50).count(), 0);
}
