//! The bootstrap against what it stands for: images counted as often as they were drawn, in the same numbers of both
//! classes, the same for every variant and on any number of threads.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Uniform;
use harness_metrics::{
    Error, ImageMetrics, Maps, Metric, PixelHistograms, PixelMetrics, PixelTruth, Resampling, delong,
};

const SIDE: usize = 12;

/// Scores of 30 normal and 25 abnormal images, some of them tied.
fn images() -> (Vec<bool>, Vec<f32>) {
    let mut uniform = Uniform(11);
    let labels: Vec<bool> = (0..55).map(|image| image >= 30).collect();
    let score = |abnormal: &bool| ((uniform.draw() + if *abnormal { 0.4 } else { 0.0 }) * 20.0).round();
    let scores = labels.iter().map(score).collect();
    (labels, scores)
}

/// Masks and maps for [`images`]; an abnormal one has a lesion or two.
fn masks_and_maps(labels: &[bool]) -> (Vec<Vec<u8>>, Vec<Vec<f32>>) {
    let mut uniform = Uniform(12);
    let mut draw = move || uniform.draw();
    let of_image = |abnormal: &bool| {
        let mut mask = vec![0; SIDE * SIDE];
        for _ in 0..if *abnormal { 2 } else { 0 } {
            let (x, y) = ((draw() * 8.0) as usize, (draw() * 8.0) as usize);
            (0..12).for_each(|i| mask[(y + i / 4) * SIDE + x + i % 4] = 1);
        }
        let level = draw();
        let map: Vec<f32> = mask.iter().map(|lesion| level + 2.0 * draw() + f32::from(*lesion)).collect();
        (mask, map)
    };
    labels.iter().map(of_image).unzip()
}

fn truth_of<'a>(masks: impl IntoIterator<Item = &'a Vec<u8>>) -> PixelTruth {
    let mut truth = PixelTruth::new(SIDE, SIDE).unwrap();
    masks.into_iter().for_each(|mask| truth.push(mask).unwrap());
    truth
}

/// The images of a resample, each as often as it was drawn.
fn drawn(weights: &[u32]) -> Vec<usize> {
    weights.iter().enumerate().flat_map(|(image, weight)| vec![image; *weight as usize]).collect()
}

#[test]
fn a_replicate_is_the_metric_of_the_drawn_images() {
    let (labels, scores) = images();
    let resampling = Resampling::new("phantom", 3, 40, &labels).unwrap();
    let metrics = resampling.metrics(&scores, None).unwrap();
    let exact = ImageMetrics::compute(&labels, &scores).unwrap();
    assert_eq!(metrics.len(), Metric::ALL.into_iter().filter(|metric| !metric.needs_masks()).count());
    assert_eq!(metrics[&Metric::ImageAuroc].value, exact.auroc);
    for resample in 0..40 {
        let drawn = drawn(&resampling.weights(resample));
        let (labels, scores): (Vec<bool>, Vec<f32>) =
            drawn.iter().map(|image| (labels[*image], scores[*image])).unzip();
        let expected = ImageMetrics::compute(&labels, &scores).unwrap();
        let found = |metric| metrics[&metric].replicates[resample];
        assert!((found(Metric::ImageAuroc) - expected.auroc).abs() < 1e-12);
        assert!((found(Metric::ImageAp) - expected.ap).abs() < 1e-12);
        assert!((found(Metric::ImageF1Max) - expected.f1_max).abs() < 1e-12);
    }
}

#[test]
fn a_replicate_of_pixels_is_the_metric_of_the_drawn_maps_within_the_error_of_bins() {
    let (labels, scores) = images();
    let (masks, maps) = masks_and_maps(&labels);
    let all = maps.concat();
    let (_, histograms) =
        PixelMetrics::with_histograms(&truth_of(&masks), &Maps::new(&all, SIDE * SIDE).unwrap(), 2000).unwrap();
    let resampling = Resampling::new("phantom", 3, 20, &labels).unwrap();
    let metrics = resampling.metrics(&scores, Some(&histograms)).unwrap();
    assert_eq!(metrics.len(), Metric::ALL.len());
    for resample in 0..20 {
        let drawn = drawn(&resampling.weights(resample));
        let maps: Vec<f32> = drawn.iter().flat_map(|image| maps[*image].clone()).collect();
        let truth = truth_of(drawn.iter().map(|image| &masks[*image]));
        let expected = PixelMetrics::compute(&truth, &Maps::new(&maps, SIDE * SIDE).unwrap()).unwrap();
        let error = |metric, exact: f64| (metrics[&metric].replicates[resample] - exact).abs();
        assert!(error(Metric::PixelAuroc, expected.auroc) < 1e-4);
        assert!(error(Metric::PixelAp, expected.ap) < 2e-3);
        assert!(error(Metric::PixelF1Max, expected.f1_max) < 2e-3);
        assert!(error(Metric::Pro03, expected.pro_0_3) < 5e-4);
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let (labels, scores) = images();
    let (masks, maps) = masks_and_maps(&labels);
    let maps = maps.concat();
    let (_, histograms) =
        PixelMetrics::with_histograms(&truth_of(&masks), &Maps::new(&maps, SIDE * SIDE).unwrap(), 64).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let resampling = Resampling::new("phantom", 0, 101, &labels).unwrap();
        pool.install(|| resampling.metrics(&scores, Some(&histograms)).unwrap())
    };
    let alone = on(1);
    assert!(alone.values().all(|replicates| replicates.replicates.len() == 101));
    for threads in [2, 5] {
        assert_eq!(on(threads), alone, "{threads} threads");
    }
}

#[test]
fn a_resample_depends_on_no_other_and_its_bits_stay() {
    let (labels, scores) = images();
    let few = Resampling::new("phantom", 7, 5, &labels).unwrap();
    let many = Resampling::new("phantom", 7, 50, &labels).unwrap();
    assert!((0..5).all(|resample| few.weights(resample) == many.weights(resample)));
    let values =
        |resampling: &Resampling| resampling.metrics(&scores, None).unwrap()[&Metric::ImageAuroc].replicates.clone();
    assert_eq!(values(&few), values(&many)[..5]);
    // Computed from docs/method.md section 5 by a program of its own.
    assert_eq!(few.weights(0)[..12], [1, 2, 1, 0, 1, 1, 0, 1, 0, 2, 1, 0]);
}

#[test]
fn every_resample_has_as_many_images_of_a_class_as_the_test_set() {
    let (labels, _) = images();
    let resampling = Resampling::new("phantom", 0, 200, &labels).unwrap();
    for resample in 0..200 {
        let weights = resampling.weights(resample);
        let of = |class: bool| weights.iter().zip(&labels).filter(|(_, l)| **l == class).map(|(w, _)| *w).sum::<u32>();
        assert_eq!((of(false), of(true)), (30, 25));
    }
}

#[test]
fn images_of_a_patient_are_drawn_together_and_no_class_is_ever_missing() {
    // Two patients with both classes, three normal ones, two abnormal ones, and an image of nobody known.
    let of = [
        (0, false),
        (0, true),
        (1, true),
        (1, false),
        (2, false),
        (3, false),
        (3, false),
        (4, false),
        (5, true),
        (6, true),
    ];
    let mut labels: Vec<bool> = of.iter().map(|(_, label)| *label).collect();
    let mut patients: Vec<Option<String>> = of.iter().map(|(patient, _)| Some(format!("p{patient}"))).collect();
    labels.push(true);
    patients.push(None);
    let resampling = Resampling::of_patients("phantom", 0, 300, &labels, &patients).unwrap();
    assert_eq!((resampling.units(), resampling.images()), (8, 11));
    let mut mixed = 0;
    for resample in 0..300 {
        let w = resampling.weights(resample);
        assert!(w[0] == w[1] && w[2] == w[3] && w[5] == w[6], "{w:?}");
        // As many patients of each kind as there are.
        assert_eq!((w[0] + w[2], w[4] + w[5] + w[7], w[8] + w[9] + w[10]), (2, 3, 3));
        mixed += u32::from(w[0] == 2);
    }
    assert!((50..100).contains(&mixed), "{mixed} of 300, expected a quarter");
}

#[test]
fn names_of_patients_do_not_matter_and_one_image_a_patient_is_the_plain_bootstrap() {
    let (labels, _) = images();
    let named = |prefix: &str, each: usize| -> Vec<Option<String>> {
        (0..labels.len()).map(|image| Some(format!("{prefix}{}", image / each))).collect()
    };
    let of = |patients: &[Option<String>]| Resampling::of_patients("phantom", 0, 9, &labels, patients).unwrap();
    let weights = |resampling: &Resampling| (0..9).map(|resample| resampling.weights(resample)).collect::<Vec<_>>();
    assert_eq!(weights(&of(&named("a", 3))), weights(&of(&named("z", 3))));
    assert_eq!(weights(&of(&named("a", 1))), weights(&Resampling::new("phantom", 0, 9, &labels).unwrap()));
}

#[test]
fn test_sets_and_seeds_are_drawn_differently() {
    let (labels, _) = images();
    let of = |name: &str, seed| -> Vec<Vec<u32>> {
        let resampling = Resampling::new(name, seed, 4, &labels).unwrap();
        (0..4).map(|resample| resampling.weights(resample)).collect()
    };
    let differing = |a: &[Vec<u32>], b: &[Vec<u32>]| {
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        pairs.filter(|(a, b)| a != b).count()
    };
    let first = of("phantom", 0);
    assert_eq!(first, of("phantom", 0));
    // Independent weights differ in two of three places; shifted ones would hardly differ.
    for other in [of("phantom", 1), of("phantom2", 0)] {
        assert!(differing(&first, &other) > 110, "{} of 220", differing(&first, &other));
    }
    assert!(differing(&first[..1], &first[1..2]) > 27);
}

#[test]
fn the_standard_error_is_that_of_delong() {
    let mut uniform = Uniform(4);
    let labels: Vec<bool> = (0..400).map(|image| image >= 150).collect();
    let mut scores = || -> Vec<f32> {
        labels.iter().map(|abnormal| uniform.draw() + uniform.draw() + if *abnormal { 0.4 } else { 0.0 }).collect()
    };
    let (a, b) = (scores(), scores());
    let resampling = Resampling::new("phantom", 0, 4000, &labels).unwrap();
    let of = |scores: &[f32]| resampling.metrics(scores, None).unwrap().remove(&Metric::ImageAuroc).unwrap();
    let expected = delong(&labels, &a, &b).unwrap();
    let deviation = |values: &[f64]| harness_metrics::Summary::new(values).unwrap().deviation.unwrap();
    let (a, b) = (of(&a), of(&b));
    let ratio = deviation(&a.replicates) / expected.variances[0].sqrt();
    assert!((ratio - 1.0).abs() < 0.04, "{ratio}");
    let variance = expected.variances[0] + expected.variances[1] - 2.0 * expected.covariance;
    let ratio = deviation(&a.minus(&b).unwrap().replicates) / variance.sqrt();
    assert!((ratio - 1.0).abs() < 0.04, "{ratio}");
}

#[test]
fn what_can_not_be_resampled_is_refused() {
    let labels = [false, false, true, true];
    let patients = [Some("a"), Some("a"), Some("b"), Some("c")];
    let error = Resampling::of_patients("phantom", 0, 10, &labels, &patients).unwrap_err();
    assert!(matches!(error, Error::TooFew { what: "images or patients of class normal", found: 1, needed: 2 }));
    assert!(matches!(
        Resampling::of_patients("phantom", 0, 10, &labels, &patients[..3]),
        Err(Error::Length { what: "patients", found: 3, expected: 4, .. })
    ));
    assert!(matches!(Resampling::new("phantom", 0, 10, &[true; 4]), Err(Error::TooFew { found: 0, .. })));
    assert!(matches!(Resampling::new("phantom", 0, 10, &[]), Err(Error::Empty { what: "images" })));
    assert!(matches!(Resampling::new("phantom", 0, 0, &labels), Err(Error::Size { .. })));

    let resampling = Resampling::new("phantom", 0, 10, &labels).unwrap();
    assert!(matches!(resampling.metrics(&[0.0; 3], None), Err(Error::Length { .. })));
    assert!(matches!(resampling.metrics(&[0.0, 0.0, f32::NAN, 0.0], None), Err(Error::Score { image: 2, .. })));
}

#[test]
fn resamples_without_lesion_pixels_and_histograms_of_other_images_are_refused() {
    // Of two images that are called abnormal one has no lesion: a quarter of the resamples has none at all.
    let masks = [vec![0; SIDE * SIDE], vec![0; SIDE * SIDE], vec![0; SIDE * SIDE], vec![1; SIDE * SIDE]];
    let maps: Vec<f32> = (0..4 * SIDE * SIDE).map(|i| (i % 7) as f32).collect();
    let maps = Maps::new(&maps, SIDE * SIDE).unwrap();
    let (_, histograms) = PixelMetrics::with_histograms(&truth_of(&masks), &maps, PixelHistograms::BINS).unwrap();
    let labels = [false, false, true, true];
    let resampling = Resampling::new("phantom", 0, 50, &labels).unwrap();
    let error = resampling.metrics(&[0.0; 4], Some(&histograms)).unwrap_err();
    assert!(matches!(error, Error::OneClass { what: "pixels of a resample", abnormal: 0, .. }), "{error}");

    let five = Resampling::new("phantom", 0, 50, &[false, false, true, true, true]).unwrap();
    let error = five.metrics(&[0.0; 5], Some(&histograms)).unwrap_err();
    assert!(matches!(error, Error::Length { what: "images of histograms", found: 4, expected: 5, .. }), "{error}");
}
