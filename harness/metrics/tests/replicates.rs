//! What is read off replicates: intervals and p of differences, means over test sets, and trainings nested in draws;
//! and that nothing is compared that was not drawn alike.
#![allow(clippy::unwrap_used, reason = "tests")]

use harness_metrics::{Difference, Error, Metric, Repetition, Replicates, Resampling, Summary, nested};

fn replicates(value: f64, replicates: &[f64]) -> Replicates {
    Replicates { value, replicates: replicates.to_vec(), pairing: 1 }
}

fn difference(replicates: &[f64]) -> Difference {
    Difference { value: 0.0, replicates: replicates.to_vec() }
}

#[test]
fn a_variant_against_itself_is_a_tie() {
    let labels: Vec<bool> = (0..40).map(|image| image % 2 == 0).collect();
    let scores: Vec<f64> =
        (0..40).map(|image| f64::from(image * 7 % 23 + if image % 2 == 0 { 4 } else { 0 })).collect();
    let metrics = Resampling::new("phantom", 0, 100, &labels).unwrap().metrics(&scores, None).unwrap();
    let auroc = &metrics[&Metric::ImageAuroc];
    let itself = auroc.minus(auroc).unwrap();
    assert_eq!((itself.value, itself.p_value().unwrap()), (0.0, 1.0));
    let interval = itself.interval(0.95).unwrap();
    assert_eq!((interval.low, interval.high), (0.0, 0.0));
    assert!(auroc.interval(0.95).unwrap().low < auroc.value && auroc.value < auroc.interval(0.95).unwrap().high);
}

#[test]
fn p_counts_the_rarer_side_twice_and_is_never_zero() {
    let at = |below: usize, above: usize| {
        let mut values = vec![-1.0; below];
        values.extend(vec![1.0; above]);
        difference(&values).p_value().unwrap()
    };
    assert_eq!(at(0, 1999), 2.0 / 2000.0);
    assert_eq!(at(19, 1980), 40.0 / 2000.0);
    assert_eq!(at(1980, 19), 40.0 / 2000.0);
    assert_eq!(at(1000, 999), 1.0);
    assert_eq!(difference(&[0.0, 0.0, 0.0, 1.0]).p_value().unwrap(), 1.0);
}

#[test]
fn p_and_the_interval_agree() {
    for below in 0..120 {
        let values: Vec<f64> = (0..1999).map(|i| f64::from(i) - f64::from(below) + 0.5).collect();
        let difference = difference(&values);
        let reaches_zero = difference.interval(0.95).unwrap().low <= 0.0;
        assert_eq!(difference.p_value().unwrap() > 0.05, reaches_zero, "{below} below 0");
    }
}

#[test]
fn the_mean_over_test_sets_averages_them_resample_by_resample() {
    let (a, mut b) = (replicates(0.5, &[0.4, 0.6]), replicates(0.9, &[0.8, 1.0]));
    b.pairing = 2;
    let mean = Replicates::mean(&[&a, &b]).unwrap();
    assert_eq!(mean.value, 0.7);
    assert!(mean.replicates.iter().zip([0.6, 0.8]).all(|(found, expected)| (found - expected).abs() < 1e-15));
    // Pairs with the mean over the same test sets, not with one of them.
    assert!(mean.minus(&Replicates::mean(&[&a, &b]).unwrap()).is_ok());
    assert!(matches!(mean.minus(&a), Err(Error::Unpaired { .. })));
    assert!(matches!(Replicates::mean(&[&a, &a]), Err(Error::Unpaired { .. })));
    assert!(matches!(Replicates::mean(&[]), Err(Error::Empty { .. })));
    b.replicates.push(0.9);
    assert!(matches!(Replicates::mean(&[&a, &b]), Err(Error::Unpaired { .. })));
}

#[test]
fn other_test_sets_seeds_and_numbers_of_resamples_do_not_pair() {
    let labels = [false, false, true, true, true];
    let scores = [0.1, 0.5, 0.4, 0.8, 0.9];
    let of = |name: &str, seed, resamples, labels: &[bool]| {
        let resampling = Resampling::new(name, seed, resamples, labels).unwrap();
        resampling.metrics(&scores, None).unwrap().remove(&Metric::ImageAuroc).unwrap()
    };
    let first = of("phantom", 0, 20, &labels);
    assert!(first.minus(&of("phantom", 0, 20, &labels)).is_ok());
    let others = [
        of("other", 0, 20, &labels),
        of("phantom", 1, 20, &labels),
        of("phantom", 0, 21, &labels),
        of("phantom", 0, 20, &[true, true, false, false, true]),
    ];
    for other in others {
        let error = first.minus(&other).unwrap_err();
        assert_eq!(error.to_string(), "can't pair values of different test sets, resamplings, or draws and seeds");
    }
    let patients = [Some("a"), Some("b"), Some("a"), Some("c"), Some("d")];
    let by_patient = Resampling::of_patients("phantom", 0, 20, &labels, &patients).unwrap();
    let by_patient = by_patient.metrics(&scores, None).unwrap().remove(&Metric::ImageAuroc).unwrap();
    assert!(first.minus(&by_patient).is_err());
}

/// Trainings whose replicates are constant, so that all variation is that of draws and seeds.
fn trainings(values: &[(u64, u64, f64)]) -> Vec<(u64, u64, Replicates)> {
    values.iter().map(|&(draw, seed, value)| (draw, seed, replicates(value, &[value; 4000]))).collect()
}

fn nest(trainings: &[(u64, u64, Replicates)]) -> Result<Replicates, Error> {
    let repetitions = trainings.iter();
    let repetitions: Vec<Repetition<'_>> =
        repetitions.map(|(draw, seed, replicates)| Repetition { draw: *draw, seed: *seed, replicates }).collect();
    nested("phantom", 0, &repetitions)
}

#[test]
fn replicates_of_trainings_vary_as_their_mean_does() {
    let draws = [(0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.5), (1, 1, 0.7), (5, 0, 0.9), (5, 1, 0.9)];
    let of_draws = [0.3, 0.6, 0.9];
    let seeds = [(3, 0, 0.1), (3, 1, 0.2), (3, 7, 0.6), (3, 9, 0.9)];
    let of_seeds = [0.1, 0.2, 0.6, 0.9];
    for (values, units) in [(&draws[..], &of_draws[..]), (&seeds, &of_seeds)] {
        let nested = nest(&trainings(values)).unwrap();
        let expected = Summary::new(units).unwrap();
        assert!((nested.value - expected.mean).abs() < 1e-12);
        // The standard error of a mean, without the factor of (n - 1) / n.
        let error = expected.deviation.unwrap() / (units.len() as f64).sqrt();
        let found = Summary::new(&nested.replicates).unwrap();
        assert!((found.mean - expected.mean).abs() < 0.02 && (found.deviation.unwrap() / error - 1.0).abs() < 0.05);
    }
}

#[test]
fn one_training_is_what_it_is() {
    let labels = [false, false, false, true, true, true];
    let resampling = Resampling::new("phantom", 0, 50, &labels).unwrap();
    let metrics = resampling.metrics(&[0.1, 0.5, 0.2, 0.4, 0.8, 0.9], None).unwrap();
    let alone = &metrics[&Metric::ImageAuroc];
    let nested = nested("phantom", 0, &[Repetition { draw: 0, seed: 0, replicates: alone }]).unwrap();
    assert_eq!((nested.value, nested.replicates), (alone.value, alone.replicates.clone()));
}

#[test]
fn variants_with_the_same_draws_and_seeds_pair_in_any_order_and_others_do_not() {
    let values = [(0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.5), (1, 1, 0.7)];
    let first = nest(&trainings(&values)).unwrap();
    let better = values.map(|(draw, seed, value)| (draw, seed, value + 0.1));
    let difference = nest(&trainings(&better)).unwrap().minus(&first).unwrap();
    assert!(difference.replicates.iter().all(|replicate| (replicate - 0.1).abs() < 1e-12));
    let mut reversed = values;
    reversed.reverse();
    assert_eq!(nest(&trainings(&reversed)).unwrap(), first);
    let other_seed = [(0, 0, 0.2), (0, 2, 0.4), (1, 0, 0.5), (1, 1, 0.7)];
    let other_draw = [(0, 0, 0.2), (0, 1, 0.4), (2, 0, 0.5), (2, 1, 0.7)];
    for other in [&other_seed[..], &other_draw, &values[..3]] {
        assert!(matches!(nest(&trainings(other)).unwrap().minus(&first), Err(Error::Unpaired { .. })));
    }
}

#[test]
fn draws_of_unlike_numbers_of_seeds_count_alike() {
    let nested = nest(&trainings(&[(0, 0, 0.2), (0, 1, 0.4), (1, 0, 0.5)])).unwrap();
    assert!((nested.value - 0.4).abs() < 1e-15);
}

#[test]
fn trainings_that_do_not_belong_together_are_refused() {
    assert!(matches!(nest(&[]), Err(Error::Empty { what: "trainings" })));
    let twice = trainings(&[(0, 0, 0.2), (0, 0, 0.3)]);
    assert_eq!(
        nest(&twice).unwrap_err().to_string(),
        "can't pair values of different trainings: a draw and seed is there twice"
    );
    let mut other = trainings(&[(0, 0, 0.2), (0, 1, 0.3)]);
    other[1].2.pairing = 9;
    assert!(matches!(nest(&other), Err(Error::Unpaired { what: "test sets or resamplings" })));
}
