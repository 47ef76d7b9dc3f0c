//! The signed-rank test: every sign counted by hand, R's values, and what few datasets can't show.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{Error, smallest_wilcoxon_p, wilcoxon};
use proptest::prelude::*;

/// The two-sided p by going through all signs.
fn by_enumeration(differences: &[f64]) -> f64 {
    let sizes: Vec<f64> = differences.iter().filter(|d| **d != 0.0).map(|d| d.abs()).collect();
    let rank = |size: f64| {
        let less = sizes.iter().filter(|other| **other < size).count() as f64;
        less + (sizes.iter().filter(|other| **other == size).count() as f64 + 1.0) / 2.0
    };
    let ranks: Vec<f64> = sizes.iter().map(|size| rank(*size)).collect();
    let positive: f64 = differences.iter().filter(|d| **d > 0.0).map(|d| rank(*d)).sum();
    let total: f64 = ranks.iter().sum();
    let signs = 1_u32 << ranks.len();
    let sum = |signs: u32| -> f64 { (0..ranks.len()).filter(|i| signs >> i & 1 == 1).map(|i| ranks[i]).sum() };
    let extreme = (0..signs).filter(|&signs| sum(signs) <= positive.min(total - positive)).count();
    (2.0 * extreme as f64 / f64::from(signs)).min(1.0)
}

proptest! {
    #[test]
    fn p_counts_all_signs(sizes in prop::collection::vec(-6_i8..=6, 1..11)) {
        let differences: Vec<f64> = sizes.iter().map(|size| f64::from(*size) / 2.0).collect();
        let found = wilcoxon(&differences).unwrap();
        prop_assert!((found.p - by_enumeration(&differences)).abs() < 1e-12);
        prop_assert_eq!(found.count + found.ties, differences.len());
    }
}

#[test]
fn p_is_that_of_r() {
    // wilcox.test(x, exact = TRUE)$p.value
    let cases: [(&[f64], f64, f64); 3] = [
        (&[1.1, 2.2, -0.3, 4.0, 5.0, 6.0], 20.0, 0.0625),
        (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 21.0, 0.03125),
        (&[0.5, -1.5, 2.5, 3.1, -4.2, 5.3, 0.7, -0.2, 1.9], 32.0, 0.300_781_25),
    ];
    for (differences, rank_sum, p) in cases {
        let found = wilcoxon(differences).unwrap();
        assert_eq!(found.rank_sum, rank_sum);
        assert!((found.p - p).abs() < 1e-12, "{}", found.p);
    }
}

#[test]
fn six_datasets_reach_three_percent_and_five_can_never_be_significant() {
    assert_eq!(smallest_wilcoxon_p(6), 0.03125);
    assert_eq!(smallest_wilcoxon_p(5), 0.0625);
    assert_eq!([smallest_wilcoxon_p(1), smallest_wilcoxon_p(0)], [1.0, 1.0]);
    for datasets in 1..20 {
        let all_better: Vec<f64> = (1..=datasets).map(|i| i as f64).collect();
        assert!((wilcoxon(&all_better).unwrap().p - smallest_wilcoxon_p(datasets)).abs() < 1e-15);
    }
}

#[test]
fn datasets_without_a_difference_are_counted_as_ties() {
    let found = wilcoxon(&[0.0, 0.2, -0.0, 0.1]).unwrap();
    assert_eq!((found.count, found.ties, found.p), (2, 2, 0.5));
    let found = wilcoxon(&[0.0; 6]).unwrap();
    assert_eq!((found.count, found.ties, found.p), (0, 6, 1.0));
}

#[test]
fn hundreds_of_differences_are_still_exact() {
    let balanced: Vec<f64> = (1..=300).map(|i| if i % 2 == 0 { f64::from(i) } else { -f64::from(i) }).collect();
    assert!(wilcoxon(&balanced).unwrap().p > 0.9);
    let all_better: Vec<f64> = (1..=300).map(f64::from).collect();
    assert!((wilcoxon(&all_better).unwrap().p / smallest_wilcoxon_p(300) - 1.0).abs() < 1e-12);
}

#[test]
fn nothing_and_what_is_not_finite_is_refused() {
    assert!(matches!(wilcoxon(&[]), Err(Error::Empty { what: "differences" })));
    assert!(matches!(wilcoxon(&[0.1, f64::NAN]), Err(Error::Value { index: 1, .. })));
    assert!(matches!(wilcoxon(&[1.0; 301]), Err(Error::Size { found: 301, .. })));
}
