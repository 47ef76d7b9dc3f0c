//! The values of a metric over resamples, and what is read off them: interval, difference, mean.

use super::difference::Difference;
use super::interval::{self, Interval};
use super::pairing::Pairing;
use crate::error::Error;

/// A metric with its value in each resample.
///
/// This is what an evaluation may store: 16 KB for 2,000 resamples. Variants that were measured on the same test set
/// have the same images in resample `r`, so their difference in it is a replicate of their difference: no scores,
/// histograms or maps are needed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicates {
    /// The value on the test set as it is. For pixel metrics that of the histograms.
    pub value: f64,
    /// The values in the resamples.
    pub replicates: Vec<f64>,
    /// A fingerprint of what replicate `r` was drawn from: test set, seed, draws, seeds. Only replicates of one
    /// fingerprint are compared one by one.
    pub pairing: u64,
}

impl Replicates {
    /// The bias-corrected and accelerated interval of a level such as 0.95.
    ///
    /// # Errors
    /// A level that is not between 0 and 1; replicates that are none or not finite.
    pub fn interval(&self, level: f64) -> Result<Interval, Error> {
        interval::accelerated(self.value, &self.replicates, level)
    }

    /// This less another, resample by resample.
    ///
    /// # Errors
    /// Replicates of another test set, seed, number of resamples, or of other draws and seeds.
    pub fn minus(&self, other: &Self) -> Result<Difference, Error> {
        if self.pairing != other.pairing || self.replicates.len() != other.replicates.len() {
            return Err(Error::Unpaired { what: "test sets, resamplings, or draws and seeds" });
        }
        let pairs = self.replicates.iter().zip(&other.replicates);
        Ok(Difference { value: self.value - other.value, replicates: pairs.map(|(a, b)| a - b).collect() })
    }

    /// The mean over test sets, each resampled by itself: the average column of a table. The order of test sets counts
    /// for the fingerprint.
    ///
    /// # Errors
    /// No test set; different numbers of resamples; the same test set twice, since its resamples would not be
    /// independent.
    pub fn mean(sets: &[&Self]) -> Result<Self, Error> {
        let Some(first) = sets.first() else { return Err(Error::Empty { what: "test sets" }) };
        if sets.iter().any(|set| set.replicates.len() != first.replicates.len()) {
            return Err(Error::Unpaired { what: "numbers of resamples" });
        }
        let mut pairings: Vec<u64> = sets.iter().map(|set| set.pairing).collect();
        let pairing = Pairing::new("mean", pairings.iter().copied()).0;
        pairings.sort_unstable();
        if pairings.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::Unpaired { what: "test sets (one is given twice)" });
        }
        let count = sets.len() as f64;
        let mean_of = |of: &dyn Fn(&Self) -> f64| sets.iter().map(|set| of(set)).sum::<f64>() / count;
        Ok(Self {
            value: mean_of(&|set| set.value),
            replicates: (0..first.replicates.len()).map(|r| mean_of(&|set| set.replicates[r])).collect(),
            pairing,
        })
    }
}
