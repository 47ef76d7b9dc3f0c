//! Properties: the fast metrics equal their plain definitions, ties and extreme values included.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use harness_metrics::{ImageMetrics, Maps, PixelMetrics, PixelTruth, per_image_ap, regions, roc_curve};
use proptest::prelude::*;

/// Scores of three kinds: a few distinct ones with both zeros, close ones, and any finite bits.
fn score() -> impl Strategy<Value = f32> {
    let few = prop::sample::select(vec![-1.0, -0.0, 0.0, 0.25, 1.0, 3.0]);
    let any = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |score| score.is_finite());
    prop_oneof![4 => few, 4 => 0.0_f32..4.0, 1 => any]
}

/// (width, height, masks, maps) of one to three images, with one lesion pixel and one normal pixel at least.
fn test_set() -> impl Strategy<Value = (usize, usize, Vec<u8>, Vec<f32>)> {
    let sizes = (1_usize..8, 1_usize..8, 1_usize..4).prop_filter("two pixels", |(w, h, n)| w * h * n > 1);
    sizes.prop_flat_map(|(width, height, images)| {
        let pixels = width * height * images;
        let lesion = prop_oneof![2 => Just(0_u8), 1 => Just(1), 1 => Just(255)];
        let masks = prop::collection::vec(lesion, pixels)
            .prop_filter("both classes", |masks| masks.contains(&0) && masks.iter().any(|mask| *mask > 0));
        (Just(width), Just(height), masks, prop::collection::vec(score(), pixels))
    })
}

fn truth_of(masks: &[u8], width: usize, height: usize) -> PixelTruth {
    let mut truth = PixelTruth::new(width, height).unwrap();
    for mask in masks.chunks(width * height) {
        truth.push(mask).unwrap();
    }
    truth
}

fn labels_of(masks: &[u8]) -> Vec<bool> {
    masks.iter().map(|mask| *mask > 0).collect()
}

fn wide(scores: &[f32]) -> Vec<f64> {
    scores.iter().copied().map(f64::from).collect()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-12
}

proptest! {
    #[test]
    fn image_metrics_equal_their_definitions(items in prop::collection::vec((any::<bool>(), score()), 2..40)) {
        let (labels, scores): (Vec<bool>, Vec<f32>) = items.into_iter().unzip();
        prop_assume!(labels.contains(&true) && labels.contains(&false));
        let (metrics, scores) = (ImageMetrics::compute(&labels, &scores).unwrap(), wide(&scores));
        prop_assert!(close(metrics.auroc, common::auroc(&labels, &scores)));
        prop_assert!(close(metrics.ap, common::average_precision(&labels, &scores)));
        prop_assert!(close(metrics.f1_max, common::f1_max(&labels, &scores)));
    }

    #[test]
    fn the_curve_has_a_point_for_each_distinct_score_and_auroc_as_its_area(
        items in prop::collection::vec((any::<bool>(), score()), 2..40)
    ) {
        let (labels, scores): (Vec<bool>, Vec<f32>) = items.into_iter().unzip();
        prop_assume!(labels.contains(&true) && labels.contains(&false));
        let curve = roc_curve(&labels, &scores).unwrap();
        let last = curve[curve.len() - 1];
        prop_assert_eq!(curve.len(), common::counts(&labels, &wide(&scores)).len() + 1);
        prop_assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
        prop_assert!(curve.windows(2).all(|pair| pair[0].threshold > pair[1].threshold));
        let trapezoid = |pair: &[harness_metrics::RocPoint]| {
            let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
            width * (pair[0].true_positive_rate + pair[1].true_positive_rate) / 2.0
        };
        let area: f64 = curve.windows(2).map(trapezoid).sum();
        prop_assert!(close(area, common::auroc(&labels, &wide(&scores))));
    }

    #[test]
    fn pixel_metrics_equal_their_definitions((width, height, masks, maps) in test_set()) {
        let truth = truth_of(&masks, width, height);
        let source = Maps::new(&maps, width * height).unwrap();
        let metrics = PixelMetrics::compute(&truth, &source).unwrap();
        let (labels, scores) = (labels_of(&masks), wide(&maps));
        prop_assert!(close(metrics.auroc, common::auroc(&labels, &scores)));
        prop_assert!(close(metrics.ap, common::average_precision(&labels, &scores)));
        prop_assert!(close(metrics.f1_max, common::f1_max(&labels, &scores)));
        let pro = common::pro(&masks, &maps, width, height);
        prop_assert!(close(metrics.pro_0_3, pro), "{} for {}", metrics.pro_0_3, pro);
        prop_assert_eq!(PixelMetrics::auroc_only(&truth, &source).unwrap(), metrics.auroc);
    }

    #[test]
    fn the_ap_of_an_image_equals_its_definition((width, height, masks, maps) in test_set()) {
        let truth = truth_of(&masks, width, height);
        let aps = per_image_ap(&truth, &Maps::new(&maps, width * height).unwrap()).unwrap();
        prop_assert_eq!(aps.len(), truth.images());
        for ((ap, mask), map) in aps.into_iter().zip(masks.chunks(width * height)).zip(maps.chunks(width * height)) {
            let labels = labels_of(mask);
            let both = labels.contains(&true) && labels.contains(&false);
            prop_assert_eq!(ap.is_some(), both);
            prop_assert!(ap.is_none_or(|ap| close(ap, common::average_precision(&labels, &wide(map)))));
        }
    }

    #[test]
    fn regions_equal_a_flood_fill(
        (width, mask) in (1_usize..12).prop_flat_map(|width| {
            let rows = (0_usize..12).prop_map(move |height| height * width);
            (Just(width), rows.prop_flat_map(|pixels| prop::collection::vec(0_u8..2, pixels)))
        })
    ) {
        let expected = common::flood_fill(&mask, width);
        let found = regions(&mask, width).unwrap();
        let mut labels = vec![0; mask.len()];
        for run in &found.runs {
            prop_assert_eq!(run.start as usize / width, (run.end as usize - 1) / width);
            labels[run.start as usize..run.end as usize].fill(run.region + 1);
        }
        for (region, size) in found.sizes.iter().enumerate() {
            prop_assert_eq!(*size as usize, expected.iter().filter(|label| **label as usize == region + 1).count());
        }
        prop_assert_eq!(labels, expected);
    }
}
