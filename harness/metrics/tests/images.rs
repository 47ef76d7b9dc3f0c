//! Image metrics on cases whose values can be worked out by hand, ties above all.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{ImageMetrics, RocPoint, auroc, average_precision, f1_max, roc_curve};

fn metrics(labels: &[bool], scores: &[f64]) -> [f64; 3] {
    let all = ImageMetrics::compute(labels, scores).unwrap();
    let alone = [auroc(labels, scores), average_precision(labels, scores), f1_max(labels, scores)].map(Result::unwrap);
    assert_eq!([all.auroc, all.ap, all.f1_max], alone);
    alone
}

const N: bool = false;
const A: bool = true;

#[test]
fn perfect_and_reversed_orders() {
    assert_eq!(metrics(&[N, N, A, A], &[1.0, 2.0, 3.0, 4.0]), [1.0, 1.0, 1.0]);
    // Abnormal images come third and fourth: precisions of 1/3 and 2/4.
    let [auroc, ap, f1] = metrics(&[A, A, N, N], &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(auroc, 0.0);
    assert!((ap - (1.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15 && (f1 - 2.0 / 3.0).abs() < 1e-15);
}

#[test]
fn one_score_for_all_is_chance_whatever_the_order_of_images() {
    for labels in [[A, N, N, N, N], [N, N, A, N, N], [N, N, N, N, A]] {
        let [auroc, ap, f1] = metrics(&labels, &[0.3; 5]);
        assert_eq!((auroc, ap), (0.5, 0.2));
        assert!((f1 - 1.0 / 3.0).abs() < 1e-15);
    }
}

#[test]
fn a_tie_between_classes_counts_half_and_is_one_threshold() {
    // Highest first: A, then a tie of A and N, then N.
    let [auroc, ap, f1] = metrics(&[A, A, N, N], &[3.0, 2.0, 2.0, 1.0]);
    // Pairs: 1 + 1 and 1/2 + 1 of four.
    assert_eq!(auroc, 3.5 / 4.0);
    // Recall rises by a half at a precision of 1 and by a half at 2/3: never at 2/2, whichever of the tie is listed
    // first.
    assert!((ap - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
    assert!((f1 - 0.8).abs() < 1e-15);
    assert_eq!(metrics(&[A, N, A, N], &[3.0, 2.0, 2.0, 1.0]), [auroc, ap, f1]);
}

#[test]
fn zeros_of_both_signs_tie() {
    assert_eq!(metrics(&[A, N], &[0.0, -0.0]), metrics(&[A, N], &[0.0, 0.0]));
    assert_eq!(auroc(&[A, N], &[-0.0_f32, 0.0]).unwrap(), 0.5);
}

#[test]
fn scores_that_differ_in_the_last_bit_do_not_tie() {
    assert_eq!(auroc(&[A, N], &[1.0_f32.next_up(), 1.0]).unwrap(), 1.0);
    assert_eq!(auroc(&[A, N], &[0.1_f64, 0.1_f64.next_up()]).unwrap(), 0.0);
}

#[test]
fn the_curve_has_one_point_for_a_tie() {
    let point = |false_positive_rate, true_positive_rate, threshold| RocPoint {
        false_positive_rate,
        true_positive_rate,
        threshold,
    };
    assert_eq!(
        roc_curve(&[A, A, N, N], &[3.0, 2.0, 2.0, 1.0]).unwrap(),
        [point(0.0, 0.0, f64::INFINITY), point(0.0, 0.5, 3.0), point(0.5, 1.0, 2.0), point(1.0, 1.0, 1.0)]
    );
}
