//! Pixel metrics where their machinery is in use: many buckets, full queues, several threads; and the easy cases whose
//! values are known.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Uniform;
use harness_metrics::{Maps, PixelMetrics, PixelTruth, per_image_ap};

const SIDE: usize = 96;
const IMAGES: usize = 7;

/// Up to five discs as lesions in six of seven images; scores rounded to `steps` distinct values a unit, so that coarse
/// ones tie.
fn test_set(steps: f32) -> (Vec<u8>, Vec<f32>, PixelTruth) {
    let (mut masks, mut maps, mut uniform) = (Vec::new(), Vec::new(), Uniform(3));
    for image in 0..IMAGES {
        let discs: Vec<[f32; 3]> = (0..image.min(5))
            .map(|_| [uniform.draw() * SIDE as f32, uniform.draw() * SIDE as f32, 6.0 + 16.0 * uniform.draw()])
            .collect();
        for pixel in 0..SIDE * SIDE {
            let (x, y) = ((pixel % SIDE) as f32, (pixel / SIDE) as f32);
            let inside = discs.iter().any(|[cx, cy, r]| (x - cx).powi(2) + (y - cy).powi(2) <= r * r);
            masks.push(u8::from(inside));
            let score = uniform.draw() + uniform.draw() + if inside { 0.7 } else { 0.0 };
            maps.push((score * steps).round() / steps - 0.5);
        }
    }
    let mut truth = PixelTruth::new(SIDE, SIDE).unwrap();
    masks.chunks(SIDE * SIDE).for_each(|mask| truth.push(mask).unwrap());
    (masks, maps, truth)
}

#[test]
fn many_distinct_scores_give_the_same_as_a_plain_sweep() {
    for steps in [1e7, 3000.0, 16.0] {
        let (masks, maps, truth) = test_set(steps);
        let metrics = PixelMetrics::compute(&truth, &Maps::new(&maps, SIDE * SIDE).unwrap()).unwrap();
        assert!(truth.abnormal_pixels() > 6000, "enough for several buckets: {}", truth.abnormal_pixels());

        let mut items: Vec<(f32, bool)> = maps.iter().copied().zip(masks.iter().map(|mask| *mask > 0)).collect();
        items.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (normal, abnormal) = (truth.normal_pixels() as f64, truth.abnormal_pixels() as f64);
        let (mut tp, mut fp, mut auroc, mut ap, mut f1) = (0.0, 0.0, 0.0, 0.0, 0.0_f64);
        for tied in items.chunk_by(|a, b| a.0 == b.0) {
            let new = tied.iter().filter(|(_, lesion)| *lesion).count() as f64;
            let false_new = tied.len() as f64 - new;
            auroc += false_new * (tp + new / 2.0);
            (tp, fp) = (tp + new, fp + false_new);
            ap += new / abnormal * tp / (tp + fp);
            f1 = f1.max(2.0 * tp / (tp + fp + abnormal));
        }
        assert!((metrics.auroc - auroc / normal / abnormal).abs() < 1e-12);
        assert!((metrics.ap - ap).abs() < 1e-12);
        assert!((metrics.f1_max - f1).abs() < 1e-12);
        assert!((metrics.pro_0_3 - common::pro(&masks, &maps, SIDE, SIDE)).abs() < 1e-12);
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let (_, maps, truth) = test_set(1e7);
    let maps = Maps::new(&maps, SIDE * SIDE).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let metrics = pool.install(|| PixelMetrics::compute(&truth, &maps).unwrap());
        [metrics.auroc, metrics.ap, metrics.f1_max, metrics.pro_0_3].map(f64::to_bits)
    };
    let alone = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(on(threads), alone, "{threads} threads");
    }
}

#[test]
fn order_of_images_shows_in_no_count() {
    let (masks, maps, truth) = test_set(300.0);
    let backwards: Vec<f32> = maps.chunks(SIDE * SIDE).rev().flatten().copied().collect();
    let mut reversed = PixelTruth::new(SIDE, SIDE).unwrap();
    masks.chunks(SIDE * SIDE).rev().for_each(|mask| reversed.push(mask).unwrap());
    let forward = PixelMetrics::compute(&truth, &Maps::new(&maps, SIDE * SIDE).unwrap()).unwrap();
    assert_eq!(PixelMetrics::compute(&reversed, &Maps::new(&backwards, SIDE * SIDE).unwrap()).unwrap(), forward);
}

/// A lesion of three pixels and one of a single pixel, and a normal image.
fn small_truth() -> PixelTruth {
    let mut truth = PixelTruth::new(4, 2).unwrap();
    truth.push(&[1, 1, 0, 0, 1, 0, 0, 1]).unwrap();
    truth.push_normal();
    truth
}

#[test]
fn perfect_separation_gives_one_everywhere() {
    let maps = [9.0, 8.0, 1.0, 1.0, 7.0, 0.0, 2.0, 6.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let maps = Maps::new(&maps, 8).unwrap();
    let metrics = PixelMetrics::compute(&small_truth(), &maps).unwrap();
    assert_eq!(metrics, PixelMetrics { auroc: 1.0, ap: 1.0, f1_max: 1.0, pro_0_3: 1.0 });
    assert_eq!(per_image_ap(&small_truth(), &maps).unwrap(), [Some(1.0), None]);
}

#[test]
fn one_score_for_all_pixels_is_chance() {
    let maps = [0.25; 16];
    let metrics = PixelMetrics::compute(&small_truth(), &Maps::new(&maps, 8).unwrap()).unwrap();
    assert_eq!((metrics.auroc, metrics.ap), (0.5, 0.25));
    assert!((metrics.f1_max - 0.4).abs() < 1e-15);
    // One straight line from (0, 0) to (1, 1), cut at 0.3.
    assert!((metrics.pro_0_3 - 0.15).abs() < 1e-15);
}

#[test]
fn wholly_wrong_maps_give_zero_area() {
    let maps: Vec<f32> =
        [1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0].iter().map(|lesion| -(*lesion as f32)).collect();
    let metrics = PixelMetrics::compute(&small_truth(), &Maps::new(&maps, 8).unwrap()).unwrap();
    assert_eq!((metrics.auroc, metrics.ap, metrics.pro_0_3), (0.0, 0.25, 0.0));
}

#[test]
fn zeros_of_both_signs_tie() {
    let plus = [0.0; 16];
    let mixed: Vec<f32> = (0..16).map(|i| if i % 3 == 0 { -0.0 } else { 0.0 }).collect();
    let of = |maps: &[f32]| PixelMetrics::compute(&small_truth(), &Maps::new(maps, 8).unwrap()).unwrap();
    assert_eq!(of(&mixed), of(&plus));
}

#[test]
fn pro_weighs_regions_and_not_pixels() {
    // The single-pixel region is found first, the one of three pixels after every normal pixel.
    let maps = [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let metrics = PixelMetrics::compute(&small_truth(), &Maps::new(&maps, 8).unwrap()).unwrap();
    assert!((metrics.pro_0_3 - 0.5).abs() < 1e-15);
    assert!((metrics.auroc - 0.25).abs() < 1e-15);
}

#[test]
fn an_abnormal_image_without_lesion_pixels_counts_with_normal_pixels_and_no_region() {
    let map = |image: u32| (0..16).map(move |i| ((7 * i + 3 * image + i * i * (image + 1)) % 23) as f32 / 23.0);
    let maps: Vec<f32> = (0..3).flat_map(map).collect();
    let mut truth = PixelTruth::new(4, 4).unwrap();
    truth.push_normal();
    truth.push(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]).unwrap();
    truth.push(&[0; 16]).unwrap();
    let maps = Maps::new(&maps, 16).unwrap();
    let metrics = PixelMetrics::compute(&truth, &maps).unwrap();
    // By definition, in numpy: over 45 normal pixels, 3 lesion pixels and 2 regions.
    let expected = [0.7296296296296296, 0.24924924924924924, 0.4444444444444444, 0.4166666666666667];
    for (value, expected) in [metrics.auroc, metrics.ap, metrics.f1_max, metrics.pro_0_3].into_iter().zip(expected) {
        assert!((value - expected).abs() < 1e-12, "{metrics:?}");
    }
    assert!(matches!(per_image_ap(&truth, &maps).unwrap()[..], [None, Some(_), None]));
}

#[test]
fn auroc_alone_is_the_same_number() {
    let (_, maps, truth) = test_set(1000.0);
    let maps = Maps::new(&maps, SIDE * SIDE).unwrap();
    let all = PixelMetrics::compute(&truth, &maps).unwrap();
    assert_eq!(PixelMetrics::auroc_only(&truth, &maps).unwrap(), all.auroc);
}
