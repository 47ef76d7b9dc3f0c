//! Mean and deviation over repetitions.

use crate::error::Error;

/// Mean and sample standard deviation of some values: seeds, draws, datasets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many values there are, at least one.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (divided by count - 1); a single value has none.
    pub deviation: Option<f64>,
}

impl Summary {
    /// The summary of values, in two passes and in their order.
    ///
    /// # Errors
    /// No value; a value that is not finite.
    pub fn new(values: &[f64]) -> Result<Self, Error> {
        let count = values.len();
        if count == 0 {
            return Err(Error::Empty { what: "values" });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::Value { index, count, value: values[index] });
        }
        // Equal values have exactly their value as mean: the first one is taken out of the sum.
        let first = values[0];
        let mean = first + values.iter().map(|value| value - first).sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1).then(|| (squares / (count - 1) as f64).sqrt());
        Ok(Self { count, mean, deviation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_divides_by_one_less_than_the_count() {
        let summary = Summary::new(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((summary.count, summary.mean), (8, 5.0));
        assert!((summary.deviation.unwrap_or(0.0) - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn one_value_has_a_mean_and_no_deviation() {
        let expected = Summary { count: 1, mean: 0.1, deviation: None };
        assert_eq!(Summary::new(&[0.1]).ok(), Some(expected));
    }

    #[test]
    fn equal_values_have_a_deviation_of_zero() {
        let expected = Summary { count: 3, mean: 0.1, deviation: Some(0.0) };
        assert_eq!(Summary::new(&[0.1; 3]).ok(), Some(expected));
    }

    #[test]
    fn no_value_and_values_that_are_not_finite_are_refused() {
        assert!(matches!(Summary::new(&[]), Err(Error::Empty { .. })));
        assert!(matches!(Summary::new(&[1.0, f64::NAN]), Err(Error::Value { index: 1, count: 2, .. })));
        assert!(matches!(Summary::new(&[f64::INFINITY]), Err(Error::Value { index: 0, .. })));
    }
}
