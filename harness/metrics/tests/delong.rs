//! DeLong's test against R's pROC, whose script and output are in `fixtures/delong`; and its limits.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{Error, auroc, delong};

const SCORES: &str = include_str!("fixtures/delong/scores.csv");
const EXPECTED: &str = include_str!("fixtures/delong/expected.csv");

/// The rows of a table, without its header.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).map(|line| line.split(',').map(str::trim).collect())
}

#[test]
fn values_are_those_of_proc() {
    let mut cases = 0;
    for row in rows(EXPECTED) {
        let of_case: Vec<Vec<&str>> = rows(SCORES).filter(|score| score[0] == row[0]).collect();
        let labels: Vec<bool> = of_case.iter().map(|score| score[1] == "1").collect();
        let scores =
            |column: usize| -> Vec<f64> { of_case.iter().map(|score| score[column].parse().unwrap()).collect() };
        let found = delong(&labels, &scores(2), &scores(3)).unwrap();
        let [a, b] = found.aurocs;
        let [variance_a, variance_b] = found.variances;
        let values = [a, b, variance_a, variance_b, found.covariance, found.z.unwrap(), found.p.unwrap()];
        for (value, expected) in values.iter().zip(&row[1..]) {
            let expected: f64 = expected.parse().unwrap();
            assert!((value - expected).abs() < 1e-12, "{}: {value} for {expected}", row[0]);
        }
        cases += 1;
    }
    assert_eq!(cases, 8);
}

#[test]
fn aurocs_are_the_reported_metric_to_the_bit() {
    let labels = [false, true, false, true, true, false, true];
    let (a, b) = ([0.1, 0.7, 0.7, 0.9, 0.3, 0.2, 0.7], [0.3, 0.1, 0.2, 0.8, 0.8, 0.5, 0.6]);
    let found = delong(&labels, &a, &b).unwrap();
    assert_eq!(found.aurocs, [auroc(&labels, &a).unwrap(), auroc(&labels, &b).unwrap()]);
}

#[test]
fn exchanging_the_scores_changes_the_sign_alone() {
    let labels = [false, true, false, true, true, false];
    let (a, b) = ([0.1_f32, 0.7, 0.6, 0.9, 0.3, 0.2], [0.3, 0.1, 0.2, 0.8, 0.8, 0.5]);
    let (there, back) = (delong(&labels, &a, &b).unwrap(), delong(&labels, &b, &a).unwrap());
    assert_eq!(there.z.unwrap(), -back.z.unwrap());
    assert_eq!(there.p, back.p);
}

#[test]
fn a_difference_without_variance_has_no_p() {
    let labels = [false, false, true, true];
    let found = delong(&labels, &[0.0, 1.0, 2.0, 3.0], &[3.0, 2.0, 1.0, 0.0]).unwrap();
    assert_eq!(found.aurocs, [1.0, 0.0]);
    assert_eq!((found.z, found.p), (None, None));
}

#[test]
fn one_image_of_a_class_has_no_variance_and_is_refused() {
    let error = delong(&[false, true, true], &[0.0, 1.0, 2.0], &[0.0, 1.0, 2.0]).unwrap_err();
    assert!(matches!(error, Error::TooFew { what: "normal images", found: 1, needed: 2 }));
    assert_eq!(error.to_string(), "1 normal images where at least 2 are needed: their variation can't be known");
}

#[test]
fn scores_are_checked_as_for_an_auroc() {
    let labels = [false, false, true, true];
    assert!(matches!(delong(&labels, &[0.0; 4], &[0.0; 3]), Err(Error::Length { .. })));
    assert!(matches!(delong(&labels, &[0.0; 4], &[0.0, 0.0, f64::NAN, 0.0]), Err(Error::Score { image: 2, .. })));
    assert!(matches!(delong(&[true; 4], &[0.0; 4], &[0.0; 4]), Err(Error::OneClass { .. })));
}
