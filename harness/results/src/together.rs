//! p values of many differences that share their resamples, adjusted for one another by the largest of them in each
//! resample (maxT: Westfall and Young 1993; Romano and Wolf 2005).
//!
//! Holm's correction multiplies p values that 2,000 resamples can't bring below 0.001: of 55 pairs or more, which
//! eleven variants have, it could tell none apart, however far. The largest difference has no such limit, and since the
//! differences of variants depend on one another, it gives less away.

use harness_metrics::Difference;

/// The adjusted two-sided p of each difference, never below its own `p`. A difference is measured in its standard
/// error, and compared with the largest deviation of any of them from its value, resample by resample.
pub(crate) fn together(differences: &[Difference], p: &[f64]) -> Vec<f64> {
    let resamples = differences.iter().map(|difference| difference.replicates.len()).min().unwrap_or(0);
    let errors: Vec<f64> = differences.iter().map(|difference| deviation(&difference.replicates)).collect();
    let mut largest = vec![0.0_f64; resamples];
    for (difference, error) in differences.iter().zip(&errors).filter(|(_, error)| **error > 0.0) {
        for (largest, replicate) in largest.iter_mut().zip(&difference.replicates) {
            *largest = largest.max((replicate - difference.value).abs() / error);
        }
    }
    largest.sort_by(f64::total_cmp);
    let adjusted = |((difference, error), p): ((&Difference, &f64), &f64)| {
        let size = match difference.value.abs() {
            0.0 => return 1.0,
            value if *error > 0.0 => value / error,
            _ => f64::INFINITY,
        };
        let reached = resamples - largest.partition_point(|largest| *largest < size);
        p.max((reached + 1) as f64 / (resamples + 1) as f64)
    };
    differences.iter().zip(&errors).zip(p).map(adjusted).collect()
}

/// Standard deviation of values.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A difference whose resamples lie evenly up to `half` beside it, in an order of its own.
    fn difference(value: f64, half: f64, order: usize) -> Difference {
        let at = |i: usize| (i * order % 1999) as f64 / 999.0 - 1.0;
        Difference { value, replicates: (0..1999).map(|i| value + half * at(i)).collect() }
    }

    fn adjusted(differences: &[Difference]) -> Vec<f64> {
        let p: Vec<f64> = differences.iter().filter_map(|difference| difference.p_value().ok()).collect();
        together(differences, &p)
    }

    #[test]
    fn what_is_clear_among_many_stays_clear_and_what_is_not_does_not_become_so() {
        let mut all: Vec<Difference> = (0..65).map(|i| difference(0.001, 0.1, i + 2)).collect();
        all.push(difference(0.3, 0.1, 7));
        let found = adjusted(&all);
        assert!(found[65] <= 0.001, "{}", found[65]);
        assert!(found[..65].iter().all(|p| *p > 0.9), "{found:?}");
        // Alone it is as clear as among others.
        assert!((adjusted(&all[65..])[0] - found[65]).abs() < 1e-12);
    }

    #[test]
    fn the_adjusted_p_rises_with_the_number_of_differences() {
        let border = |i| difference(0.093, 0.1, i);
        let one = adjusted(&[border(2)])[0];
        let many = adjusted(&(2..30).map(border).collect::<Vec<_>>())[0];
        assert!(one < 0.1 && many > 3.0 * one, "{one}, {many}");
    }

    #[test]
    fn equals_are_not_told_apart_and_what_never_varies_is() {
        let same = Difference { value: 0.0, replicates: vec![0.0; 1999] };
        let fixed = Difference { value: 0.2, replicates: vec![0.2; 1999] };
        let found = adjusted(&[same, fixed, difference(0.0, 0.1, 3)]);
        assert_eq!((found[0], found[2]), (1.0, 1.0));
        assert!(found[1] <= 0.001);
        assert!(together(&[], &[]).is_empty());
    }
}
