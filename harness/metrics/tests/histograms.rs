//! Histograms of pixel scores: how far their metrics are from the exact ones, and that parts, joins and threads don't
//! show.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Uniform;
use harness_metrics::{
    Error, GridMaps, HistogramParts, ImageMetrics, MapSource, Maps, Metric, MetricValues, PixelHistograms,
    PixelMetrics, PixelTruth, Resampling, SparseCounts,
};

const SIDE: usize = 64;
const GRID: usize = 9;
const TAPS: usize = 2;
const IMAGES: usize = 40;

/// Half of the images have one to three discs as lesions; grids rise by `lift` at them. Scores are smooth over an
/// image, as a model's are, and lie around `level`.
fn test_set(lift: f32, level: f32) -> (PixelTruth, Vec<f32>) {
    let (masks, grids) = masks_and_grids(lift, level);
    (truth_of(&masks), grids)
}

fn truth_of(masks: &[Vec<u8>]) -> PixelTruth {
    let mut truth = PixelTruth::new(SIDE, SIDE).unwrap();
    masks.iter().for_each(|mask| truth.push(mask).unwrap());
    truth
}

fn masks_and_grids(lift: f32, level: f32) -> (Vec<Vec<u8>>, Vec<f32>) {
    let mut uniform = Uniform(5);
    let (mut masks, mut grids) = (Vec::new(), Vec::new());
    for image in 0..IMAGES {
        let discs: Vec<[f32; 3]> = (0..if image % 2 == 0 { 0 } else { 1 + image % 3 })
            .map(|_| [uniform.draw() * SIDE as f32, uniform.draw() * SIDE as f32, 2.0 + 9.0 * uniform.draw()])
            .collect();
        let distance = |x: f32, y: f32| {
            let to = |[cx, cy, r]: &[f32; 3]| ((x - cx).powi(2) + (y - cy).powi(2)).sqrt() / r;
            discs.iter().map(to).fold(f32::INFINITY, f32::min)
        };
        let inside = |i: usize| u8::from(distance((i % SIDE) as f32, (i / SIDE) as f32) <= 1.0);
        masks.push((0..SIDE * SIDE).map(inside).collect());
        for point in 0..TAPS * GRID * GRID {
            let at = |i: usize| i as f32 * (SIDE - 1) as f32 / (GRID - 1) as f32;
            let (x, y) = (at(point % GRID), at(point / GRID % GRID));
            let near = (-0.5 * distance(x, y).powi(2)).exp();
            grids.push(level + lift * near + uniform.draw() + uniform.draw() - 1.0);
        }
    }
    (masks, grids)
}

fn scores_and_labels() -> (Vec<bool>, Vec<f32>) {
    ((0..IMAGES).map(|image| image % 2 == 1).collect(), (0..IMAGES).map(|image| image as f32).collect())
}

/// The metrics that a bootstrap takes from histograms, of the test set as it is.
fn of_histograms(histograms: &PixelHistograms) -> Vec<(Metric, f64)> {
    let (labels, scores) = scores_and_labels();
    let resampling = Resampling::new("histograms", 0, 1, &labels).unwrap();
    let metrics = resampling.metrics(&scores, Some(histograms)).unwrap();
    metrics.into_iter().filter(|(metric, _)| metric.needs_masks()).map(|(metric, r)| (metric, r.value)).collect()
}

/// The errors against exact metrics, in the order AUROC, AP, F1-max, PRO.
fn errors(exact: PixelMetrics, histograms: &PixelHistograms) -> Vec<f64> {
    let (labels, scores) = scores_and_labels();
    let exact = MetricValues { image: ImageMetrics::compute(&labels, &scores).unwrap(), pixel: Some(exact) };
    of_histograms(histograms).iter().map(|(metric, value)| (value - exact.get(*metric).unwrap()).abs()).collect()
}

#[test]
fn metrics_of_histograms_are_within_the_documented_error() {
    for (lift, level) in [(0.0, 0.0), (0.7, 0.0), (2.0, -1.5), (5.0, -3.0), (-1.0, 2.0), (0.002, 0.0), (2.0, 12.0)] {
        let (truth, grids) = test_set(lift, level);
        let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
        let (exact, histograms) = PixelMetrics::with_histograms(&truth, &maps, PixelHistograms::BINS).unwrap();
        assert_eq!(exact, PixelMetrics::compute(&truth, &maps).unwrap());
        let errors = errors(exact, &histograms);
        for (error, limit) in errors.iter().zip(&[1e-4, 5e-4, 1e-3, 2e-4]) {
            assert!(error < limit, "lift {lift}, level {level}: {errors:?}");
        }
    }
}

#[test]
fn scores_that_many_pixels_share_are_ties() {
    let (truth, grids) = test_set(2.0, 0.0);
    let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
    for steps in [4.0, 16.0, 64.0, 128.0, 500.0] {
        let mut coarse = vec![0.0; IMAGES * SIDE * SIDE];
        for (image, map) in coarse.chunks_exact_mut(SIDE * SIDE).enumerate() {
            maps.read(image, map).unwrap();
            map.iter_mut().for_each(|score| *score = (*score * steps).round());
        }
        let maps = Maps::new(&coarse, SIDE * SIDE).unwrap();
        let (exact, histograms) = PixelMetrics::with_histograms(&truth, &maps, PixelHistograms::BINS).unwrap();
        let errors = errors(exact, &histograms);
        for (error, limit) in errors.iter().zip(&[1e-6, 1e-4, 1e-6, 2e-5]) {
            assert!(error < limit, "{steps} steps: {errors:?}");
        }
    }
}

#[test]
fn one_score_for_all_pixels_is_chance() {
    let (truth, _) = test_set(0.0, 0.0);
    let constant = vec![0.25; IMAGES * SIDE * SIDE];
    let maps = Maps::new(&constant, SIDE * SIDE).unwrap();
    let (exact, histograms) = PixelMetrics::with_histograms(&truth, &maps, 64).unwrap();
    assert!(errors(exact, &histograms).iter().all(|error| *error < 1e-6));
    assert_eq!(exact.auroc, 0.5);
}

#[test]
fn histograms_count_every_pixel_and_every_region() {
    let (truth, grids) = test_set(1.0, 0.0);
    let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
    let (_, histograms) = PixelMetrics::with_histograms(&truth, &maps, 50).unwrap();
    let parts = histograms.parts();
    let sum = |counts: &SparseCounts| counts.counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    assert_eq!((sum(&parts.normal), sum(&parts.lesion)), (truth.normal_pixels(), truth.abnormal_pixels()));
    let regions: u64 = parts.regions.iter().map(|regions| u64::from(*regions)).sum();
    assert_eq!(regions, truth.regions());
    let overlap: f64 = parts.overlap.iter().copied().map(f64::from).sum();
    assert!((overlap - regions as f64).abs() < 1e-4);
}

#[test]
fn parts_of_a_test_set_join_to_the_whole() {
    let (masks, grids) = masks_and_grids(1.0, 0.0);
    let (truth, maps) = (truth_of(&masks), GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap());
    let (_, whole) = PixelMetrics::with_histograms(&truth, &maps, 100).unwrap();
    let part = |images: std::ops::Range<usize>| {
        let values = TAPS * GRID * GRID;
        let maps = GridMaps::new(&grids[images.start * values..images.end * values], TAPS, GRID, SIDE).unwrap();
        PixelHistograms::compute(&truth_of(&masks[images]), &maps, &whole.parts().edges).unwrap()
    };
    let mut joined = part(0..7);
    joined.append(&part(7..8)).unwrap();
    joined.append(&part(8..IMAGES)).unwrap();
    assert_eq!(joined, whole);

    let (_, other) = PixelMetrics::with_histograms(&truth, &maps, 20).unwrap();
    assert!(matches!(joined.append(&other), Err(Error::Histograms { .. })));
}

#[test]
fn the_number_of_threads_does_not_show() {
    let (truth, grids) = test_set(1.0, 0.0);
    let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| PixelMetrics::with_histograms(&truth, &maps, 100).unwrap().1)
    };
    let alone = on(1);
    for threads in [2, 5] {
        assert_eq!(on(threads), alone, "{threads} threads");
    }
}

#[test]
fn the_stored_form_comes_back() {
    let (truth, grids) = test_set(1.0, 0.0);
    let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
    let (_, histograms) = PixelMetrics::with_histograms(&truth, &maps, 100).unwrap();
    assert_eq!(PixelHistograms::new(histograms.parts().clone()).unwrap(), histograms);
}

#[test]
fn damaged_parts_are_refused() {
    let counts = |ends: &[u32], bins: &[u16]| SparseCounts {
        ends: ends.to_vec(),
        bins: bins.to_vec(),
        counts: vec![1; bins.len()],
    };
    let whole = HistogramParts {
        edges: vec![0.0, 0.5],
        normal: counts(&[2, 3], &[0, 2, 1]),
        lesion: counts(&[0, 1], &[2]),
        overlap: vec![1.0],
        regions: vec![0, 1],
    };
    assert!(PixelHistograms::new(whole.clone()).is_ok());
    let damages: [fn(&mut HistogramParts); 12] = [
        |parts| parts.edges.clear(),
        |parts| parts.edges = vec![0.5, 0.0],
        |parts| parts.edges = vec![0.5, 0.5],
        |parts| parts.edges = vec![f32::NAN, 0.5],
        |parts| parts.normal.ends = vec![3, 2],
        |parts| parts.normal.ends = vec![2, 4],
        |parts| parts.normal.ends = vec![2, 3, 3],
        |parts| parts.normal.bins = vec![0, 3, 1],
        |parts| parts.normal.bins = vec![2, 0, 1],
        |parts| parts.normal.counts.truncate(2),
        |parts| parts.overlap.clear(),
        |parts| parts.overlap = vec![f32::NAN],
    ];
    for (i, damage) in damages.into_iter().enumerate() {
        let mut parts = whole.clone();
        damage(&mut parts);
        let error = PixelHistograms::new(parts).unwrap_err();
        assert!(error.to_string().starts_with("the histograms of pixel scores are damaged: "), "{i}: {error}");
    }
}

#[test]
fn numbers_of_bins_and_edges_that_can_not_be_are_refused() {
    let (truth, grids) = test_set(1.0, 0.0);
    let maps = GridMaps::new(&grids, TAPS, GRID, SIDE).unwrap();
    for bins in [0, 10_001] {
        assert!(matches!(PixelMetrics::with_histograms(&truth, &maps, bins), Err(Error::Size { .. })));
    }
    for edges in [&[][..], &[0.5, 0.4], &[f32::NAN]] {
        assert!(matches!(PixelHistograms::compute(&truth, &maps, edges), Err(Error::Histograms { .. })));
    }
    for bins in [1, 2, 3, 500, 10_000] {
        assert!(PixelMetrics::with_histograms(&truth, &maps, bins).unwrap().1.bins() <= 5 * bins + 4);
    }
}
