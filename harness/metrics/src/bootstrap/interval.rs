//! Intervals from replicates.

use crate::error::Error;
use crate::normal;

/// An interval of confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The order statistics at (1 - level) / 2 and (1 + level) / 2 of the number of replicates plus one, linear in between.
pub(super) fn percentile(replicates: &[f64], level: f64) -> Result<Interval, Error> {
    let sorted = sorted(replicates, level)?;
    let tail = (1.0 - level) / 2.0;
    Ok(Interval { low: order_statistic(&sorted, tail), high: order_statistic(&sorted, 1.0 - tail) })
}

/// Efron's bias-corrected and accelerated interval (JASA 82, 1987, p. 171), its acceleration being a sixth of the
/// skewness of the replicates, which is that of a linear statistic.
pub(super) fn accelerated(value: f64, replicates: &[f64], level: f64) -> Result<Interval, Error> {
    let sorted = sorted(replicates, level)?;
    let count = sorted.len() as f64;
    let below = sorted.partition_point(|replicate| *replicate < value);
    let tied = sorted.partition_point(|replicate| *replicate <= value) - below;
    let share = (below as f64 + tied as f64 / 2.0) / count;
    let bias = normal::quantile(share.clamp(0.5 / count, 1.0 - 0.5 / count));
    let acceleration = skewness(&sorted) / 6.0;
    let adjusted = |tail: f64| {
        let z = bias + normal::quantile(tail);
        // A denominator that is not positive stands for the end of the distribution.
        normal::probability_below(bias + z / (1.0 - acceleration * z).max(1e-9))
    };
    let tail = (1.0 - level) / 2.0;
    Ok(Interval { low: order_statistic(&sorted, adjusted(tail)), high: order_statistic(&sorted, adjusted(1.0 - tail)) })
}

/// Refuses replicates that are none or not finite.
pub(super) fn check(replicates: &[f64]) -> Result<(), Error> {
    let count = replicates.len();
    if count == 0 {
        return Err(Error::Empty { what: "resamples" });
    }
    match replicates.iter().position(|replicate| !replicate.is_finite()) {
        Some(index) => Err(Error::Value { index, count, value: replicates[index] }),
        None => Ok(()),
    }
}

fn sorted(replicates: &[f64], level: f64) -> Result<Vec<f64>, Error> {
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::Probability { what: "the level of an interval", value: level });
    }
    check(replicates)?;
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

/// The value at a share of the number of sorted values plus one, counted from 1 and kept within them.
fn order_statistic(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, (sorted.len() - 1) as f64);
    let (low, rest) = (rank as usize, rank.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + rest * (sorted[high] - sorted[low])
}

/// 0 for equal values.
fn skewness(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    // Equal values have exactly their value as mean.
    let mean = values[0] + values.iter().map(|value| value - values[0]).sum::<f64>() / count;
    let moment = |power| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / count;
    let variance = moment(2);
    if variance > 0.0 { moment(3) / variance.powf(1.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(interval: Result<Interval, Error>) -> [f64; 2] {
        interval.map_or([f64::NAN; 2], |interval| [interval.low, interval.high])
    }

    #[test]
    fn percentiles_are_order_statistics_with_lines_between() {
        let replicates: Vec<f64> = (1..=99).rev().map(f64::from).collect();
        let [low, high] = ends(percentile(&replicates, 0.9));
        assert!((low - 5.0).abs() < 1e-12 && (high - 95.0).abs() < 1e-12);
        let [low, high] = ends(percentile(&replicates, 0.95));
        assert!((low - 2.5).abs() < 1e-12 && (high - 97.5).abs() < 1e-12);
        assert_eq!(ends(percentile(&replicates, 0.9999)), [1.0, 99.0]);
    }

    #[test]
    fn without_bias_and_skew_acceleration_changes_nothing() {
        let replicates: Vec<f64> = (-500..=500).map(|i| f64::from(i) / 500.0).collect();
        let (plain, accelerated) = (ends(percentile(&replicates, 0.9)), ends(accelerated(0.0, &replicates, 0.9)));
        assert!(plain.iter().zip(accelerated).all(|(a, b)| (a - b).abs() < 1e-9), "{plain:?} {accelerated:?}");
    }

    #[test]
    fn replicates_that_run_low_move_the_interval_up() {
        let replicates: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        let (plain, accelerated) = (ends(percentile(&replicates, 0.9)), ends(accelerated(0.6, &replicates, 0.9)));
        assert!(plain[0] < accelerated[0] && plain[1] < accelerated[1]);
    }

    #[test]
    fn equal_replicates_are_the_interval() {
        for value in [0.3, 0.1, 0.5] {
            assert_eq!(ends(accelerated(value, &[0.3; 50], 0.95)), [0.3, 0.3]);
        }
        assert_eq!(ends(percentile(&[0.3; 50], 0.95)), [0.3, 0.3]);
    }

    #[test]
    fn a_level_that_is_none_and_replicates_that_are_not_finite_are_refused() {
        for level in [0.0, 1.0, 95.0, f64::NAN] {
            assert!(matches!(percentile(&[0.1], level), Err(Error::Probability { .. })));
        }
        assert!(matches!(accelerated(0.0, &[], 0.95), Err(Error::Empty { what: "resamples" })));
        assert!(matches!(percentile(&[0.0, f64::NAN], 0.95), Err(Error::Value { index: 1, .. })));
    }
}
