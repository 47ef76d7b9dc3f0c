//! Holm's adjustment of a family of p values. The report prints which comparisons the family holds.

use crate::error::Error;

/// Holm's adjusted p values, in the order given: the chance of any false finding in the family stays below the level at
/// which adjusted values are read, however the tests depend on each other.
///
/// # Errors
/// A value that is not between 0 and 1.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, Error> {
    if let Some(&value) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::Probability { what: "a p value", value });
    }
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        adjusted[index] = largest;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::holm;
    use crate::error::Error;

    #[test]
    fn each_p_is_multiplied_by_how_many_are_not_yet_rejected_and_never_falls() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]).unwrap_or_default();
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(
            adjusted.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15),
            "{adjusted:?}"
        );
    }

    #[test]
    fn adjusted_values_stay_at_or_below_one_and_a_family_of_one_is_untouched() {
        assert_eq!(holm(&[0.9, 0.6, 1.0]).ok(), Some(vec![1.0; 3]));
        assert_eq!(holm(&[0.2]).ok(), Some(vec![0.2]));
        assert_eq!(holm(&[]).ok(), Some(vec![]));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(holm(&[0.5, wrong]), Err(Error::Probability { .. })));
        }
    }
}
