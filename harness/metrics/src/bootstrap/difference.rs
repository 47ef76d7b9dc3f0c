//! The difference of a metric between two variants over resamples: interval and p.

use super::interval::{self, Interval};
use crate::error::Error;

/// A difference between two variants on the same test sets, draws and seeds, with its value in each resample. Made by
/// [`Replicates::minus`](crate::Replicates::minus).
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The difference on the test sets as they are.
    pub value: f64,
    /// The difference in the resamples.
    pub replicates: Vec<f64>,
}

impl Difference {
    /// The percentile interval of a level such as 0.95. A difference is nearly as often above as below its value, so
    /// that corrections for bias and skew would add more noise than they remove.
    ///
    /// # Errors
    /// A level that is not between 0 and 1; replicates that are none or not finite.
    pub fn interval(&self, level: f64) -> Result<Interval, Error> {
        interval::percentile(&self.replicates, level)
    }

    /// The two-sided bootstrap p of no difference: twice the share of replicates on the rarer side of 0, those on 0
    /// counting for both sides, with one added to count and number; at most 1. It is at most 1 - level when the
    /// interval of that level does not reach 0. With R resamples it is never below 2 / (R + 1).
    ///
    /// # Errors
    /// Replicates that are none or not finite.
    pub fn p_value(&self) -> Result<f64, Error> {
        interval::check(&self.replicates)?;
        let count = |on_side: fn(&f64) -> bool| self.replicates.iter().filter(|value| on_side(value)).count();
        let rarer = count(|value| *value <= 0.0).min(count(|value| *value >= 0.0));
        Ok((2.0 * (rarer + 1) as f64 / (self.replicates.len() + 1) as f64).min(1.0))
    }
}
