//! The generated set is no toy: what is easy to measure does not tell its lesions, and it is the same everywhere.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod common;

use std::path::Path;

use harness_data::decode::{Depth, Samples};
use harness_data::{Dataset, Item, Registry, Source};
use harness_method::Shots;
use rayon::prelude::*;

/// Images of each class that the promises are checked on: an AUROC of 0.5 then has a deviation of 0.02.
const TEST: usize = 250;

fn phantom(side: usize, valid: usize, test: usize, seed: u64) -> Dataset {
    let text = format!(
        "[Phantom]\nlayout = \"phantom\"\nobject = \"Brain\"\nmodality = \"generated\"\nmasks = true\n\
         phantom = {{ side = {side}, valid = {valid}, test = {test}, seed = {seed} }}\n"
    );
    Dataset::open(&Registry::parse(&text, Path::new("datasets.toml")).unwrap(), "Phantom").unwrap()
}

fn grey(source: &Source) -> Vec<u8> {
    match source.pixels(Depth::Scaled).unwrap().samples {
        Samples::Grey(values) => values,
        Samples::Rgb(_) => panic!("the phantom is grey"),
    }
}

/// Probability that an abnormal value is above a normal one, halves for ties.
fn auroc(normal: &[f64], abnormal: &[f64]) -> f64 {
    let wins: f64 = abnormal
        .iter()
        .flat_map(|a| {
            normal.iter().map(move |n| {
                if a > n {
                    1.0
                } else if a == n {
                    0.5
                } else {
                    0.0
                }
            })
        })
        .sum();
    wins / (normal.len() * abnormal.len()) as f64
}

/// AUROC of a measure of images; the better of the two directions.
fn image_auroc(items: &[Item], measure: impl Fn(&[u8]) -> f64 + Sync) -> f64 {
    let values: Vec<(bool, f64)> = items.par_iter().map(|item| (item.abnormal, measure(&grey(&item.image)))).collect();
    let of = |class: bool| -> Vec<f64> { values.iter().filter(|v| v.0 == class).map(|v| v.1).collect() };
    let auroc = auroc(&of(false), &of(true));
    auroc.max(1.0 - auroc)
}

/// AUROC over all pixels from counts of each grey value; the better of the two directions.
fn pixel_auroc(items: &[Item], measure: impl Fn(&[u8], usize) -> Vec<u8> + Sync, side: usize) -> f64 {
    let counts = items
        .par_iter()
        .map(|item| {
            let mask = item.mask.as_ref().map_or_else(|| vec![0; side * side], grey);
            let mut counts = vec![[0u64; 256]; 2];
            for (value, marked) in measure(&grey(&item.image), side).into_iter().zip(mask) {
                counts[usize::from(marked > 0)][usize::from(value)] += 1;
            }
            counts
        })
        .reduce(
            || vec![[0u64; 256]; 2],
            |mut sum, counts| {
                for class in 0..2 {
                    sum[class].iter_mut().zip(counts[class]).for_each(|(s, c)| *s += c);
                }
                sum
            },
        );
    let (mut below, mut wins) = (0.0, 0.0);
    for (normal, lesion) in counts[0].iter().zip(&counts[1]) {
        let (normal, lesion) = (*normal as f64, *lesion as f64);
        wins += lesion * (below + 0.5 * normal);
        below += normal;
    }
    let auroc = wins / (below * counts[1].iter().sum::<u64>() as f64);
    auroc.max(1.0 - auroc)
}

fn mean(values: &[u8]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}

fn deviation(values: &[u8]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>().sqrt()
}

/// The mean of a square of 9 x 9 around each pixel.
fn blurred(values: &[u8], side: usize) -> Vec<u8> {
    let near = |at: usize| at.saturating_sub(4)..(at + 5).min(side);
    let at = |i: usize| {
        let square: Vec<u8> =
            near(i / side).flat_map(|y| near(i % side).map(move |x| y * side + x)).map(|j| values[j]).collect();
        mean(&square) as u8
    };
    (0..side * side).map(at).collect()
}

#[test]
fn neither_brightness_nor_an_images_maximum_tells_the_diseased() {
    let items = phantom(96, 1, TEST, 0).test_set().unwrap();
    let brightest_patch = |values: &[u8]| f64::from(*blurred(values, 96).iter().max().unwrap());
    for (what, auroc) in [
        ("mean intensity", image_auroc(&items, mean)),
        ("maximum", image_auroc(&items, |values| f64::from(*values.iter().max().unwrap()))),
        ("deviation", image_auroc(&items, deviation)),
        ("brightest patch", image_auroc(&items, brightest_patch)),
    ] {
        println!("{what}: image AUROC {auroc:.3}");
        assert!(auroc < 0.75, "{what}: {auroc:.3}");
    }
}

#[test]
fn raw_intensity_does_not_tell_a_lesions_pixels() {
    let items = phantom(96, 1, TEST, 0).test_set().unwrap();
    // Outside the head there is no lesion: within it lies what could be confused.
    for (what, auroc) in [
        ("intensity", pixel_auroc(&items, |values, _| values.to_vec(), 96)),
        ("mean of a patch", pixel_auroc(&items, blurred, 96)),
    ] {
        println!("{what}: pixel AUROC {auroc:.3}");
        assert!(auroc < 0.75, "{what}: {auroc:.3}");
    }
}

#[test]
fn lesions_vary_in_size_place_contrast_and_texture() {
    let dataset = phantom(96, 1, TEST, 0);
    let abnormal: Vec<Item> = dataset.test_set().unwrap().into_iter().filter(|item| item.abnormal).collect();
    let mut shares: Vec<f64> = Vec::new();
    let mut everywhere = vec![0u32; 96 * 96];
    let (mut brighter, mut darker) = (0, 0);
    for item in &abnormal {
        let (image, mask) = (grey(&item.image), grey(item.mask.as_ref().unwrap()));
        assert!(mask.iter().all(|v| *v == 0 || *v == 255), "{}", item.name);
        let inside: Vec<u8> = image.iter().zip(&mask).filter(|(_, m)| **m > 0).map(|(v, _)| *v).collect();
        shares.push(inside.len() as f64 / (96.0 * 96.0));
        if mean(&inside) > 75.0 {
            brighter += 1
        } else {
            darker += 1
        }
        everywhere.iter_mut().zip(&mask).for_each(|(n, m)| *n += u32::from(*m > 0));
    }
    shares.sort_by(f64::total_cmp);
    assert!(shares[0] > 0.003, "the smallest lesion covers {:.4} of its image", shares[0]);
    assert!(
        shares[TEST / 10] * 2.0 < shares[TEST - TEST / 10],
        "sizes {:.3} .. {:.3}",
        shares[TEST / 10],
        shares[TEST - TEST / 10]
    );
    assert!(brighter.min(darker) > TEST / 10, "{brighter} brighter, {darker} darker");
    let covered = everywhere.iter().filter(|n| **n > 0).count() as f64 / (96.0 * 96.0);
    let most = f64::from(*everywhere.iter().max().unwrap()) / TEST as f64;
    assert!(covered > 0.4 && most < 0.5, "{covered:.2} of the image has had a lesion, one place {most:.2} of all");
}

#[test]
fn many_healthy_slices_have_spots_brighter_than_a_lesion() {
    let items = phantom(96, 1, 100, 0).test_set().unwrap();
    // Inside the brain, where scalp and skull don't shine: the middle half of the image.
    let middle =
        |values: &[u8]| -> u8 { (24..72).flat_map(|y| values[y * 96 + 24..y * 96 + 72].to_vec()).max().unwrap() };
    let (normal, abnormal) = items.split_at(100);
    let mut lesions: Vec<u8> = abnormal.iter().map(|item| middle(&grey(&item.image))).collect();
    lesions.sort_unstable();
    let brighter = normal.iter().filter(|item| middle(&grey(&item.image)) > lesions[20]).count();
    assert!(brighter >= 20, "{brighter} of 100 are brighter than the darkest fifth of the diseased");
}

#[test]
fn the_set_is_the_same_on_every_machine() {
    let hash = |seed| {
        let mut hasher = blake3::Hasher::new();
        let dataset = phantom(48, 2, 3, seed);
        let support = dataset.support(Shots::each(2), 1).unwrap();
        for item in dataset.test_set().unwrap().iter().chain(&support.normal).chain(&support.abnormal) {
            hasher.update(&item.image.content_hash().unwrap());
            hasher.update(&item.mask.as_ref().map_or([0; 32], |mask| mask.content_hash().unwrap()));
        }
        hasher.finalize().to_hex().to_string()
    };
    assert_eq!(hash(0), "6817df20bd2bb6a5d4fa9151053e7fa77281a96b1d2f11fdbe567f6a4b558606");
    assert_ne!(hash(0), hash(1));
}

#[test]
fn no_two_images_are_the_same_in_any_split_and_verify_is_content() {
    let dataset = phantom(64, 20, 30, 3);
    assert!(harness_data::verify(&dataset).is_empty(), "{:?}", harness_data::verify(&dataset));
}

#[test]
fn a_support_set_larger_than_the_pool_is_refused() {
    let message = phantom(48, 4, 1, 0).support(Shots::each(5), 0).unwrap_err().to_string();
    common::says(&message, &["5 normal support images", "split valid of the phantom has 4"]);
}
