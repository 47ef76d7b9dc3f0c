//! Wilcoxon's signed-rank test over datasets, exactly, and what it can't say with few of them.

use crate::error::Error;

/// The signed-rank test of differences between two variants, one for each dataset. Never one for each seed or draw:
/// those of a dataset are not independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wilcoxon {
    /// Differences that are not 0, which alone count.
    pub count: usize,
    /// Differences of 0.
    pub ties: usize,
    /// The sum of the ranks of positive differences; equal sizes share their mean rank.
    pub rank_sum: f64,
    /// The two-sided p from all 2^count signs; 1 where every difference is 0.
    pub p: f64,
}

/// The largest number of differences that [`wilcoxon`] takes.
const MOST: usize = 300;

/// Tests whether differences lie around 0. Exact, also with equal sizes: the distribution over all signs is counted
/// out.
///
/// # Errors
/// No difference, more than 300, or one that is not finite.
pub fn wilcoxon(differences: &[f64]) -> Result<Wilcoxon, Error> {
    let total = differences.len();
    if total == 0 {
        return Err(Error::Empty { what: "differences" });
    }
    if total > MOST {
        return Err(Error::Size { what: "the number of differences", found: total, largest: MOST });
    }
    if let Some(index) = differences.iter().position(|difference| !difference.is_finite()) {
        return Err(Error::Value { index, count: total, value: differences[index] });
    }
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    // Twice the ranks, so that mean ranks are whole numbers.
    let (mut ranks, mut positive) = (Vec::with_capacity(sorted.len()), 0);
    for equal in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let rank = 2 * ranks.len() + equal.len() + 1;
        ranks.extend(equal.iter().map(|_| rank));
        positive += rank * equal.iter().filter(|difference| **difference > 0.0).count();
    }
    let sum: usize = ranks.iter().sum();
    // The probability of each sum: every rank is in it or not.
    let mut probabilities = vec![0.0; sum + 1];
    probabilities[0] = 1.0;
    let mut largest = 0;
    for rank in &ranks {
        largest += rank;
        for at in (0..=largest).rev() {
            let with = if at < *rank { 0.0 } else { probabilities[at - rank] };
            probabilities[at] = (probabilities[at] + with) / 2.0;
        }
    }
    let tail: f64 = probabilities[..=positive.min(sum - positive)].iter().sum();
    let (count, rank_sum) = (sorted.len(), positive as f64 / 2.0);
    Ok(Wilcoxon { count, ties: total - count, rank_sum, p: (2.0 * tail).min(1.0) })
}

/// The smallest two-sided p that [`wilcoxon`] can reach with so many datasets: 2 / 2^n, at most 1. With five or fewer
/// that is above 0.05, with six 0.03125, so a report says so instead of a bare "not significant".
pub fn smallest_wilcoxon_p(datasets: usize) -> f64 {
    (1.0 - datasets as f64).exp2().min(1.0)
}
