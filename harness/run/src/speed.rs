//! Times of calls, and what a record says of them: medians, percentiles and rates. Nothing here decides a result.

/// Seconds that calls of one kind took, each divided by what it was about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    /// One more call, about `items` of something.
    pub(crate) fn add(&mut self, secs: f64, items: usize) {
        if items > 0 {
            self.0.push(secs / items as f64);
        }
    }

    /// The value that a fraction `p` of the calls does not exceed; `None` without calls.
    pub(crate) fn percentile(&self, p: f64) -> Option<f64> {
        percentile(&self.0, p)
    }

    /// Items a second, of the median call.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.percentile(0.5).filter(|secs| *secs > 0.0).map(f64::recip)
    }
}

/// Milliseconds of seconds.
pub(crate) fn milliseconds(secs: f64) -> f64 {
    1e3 * secs
}

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 0.5)
}

/// The value at a fraction `p` of the way from the smallest to the largest, between two where it falls between. `None` of
/// nothing.
pub(crate) fn percentile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = p * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_on_or_between_values() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[3.0], 0.95), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(percentile(&[0.0, 10.0, 20.0], 0.95), Some(19.0));
    }

    #[test]
    fn a_rate_is_that_of_the_median_call_whatever_its_size() {
        let mut times = Times::default();
        assert_eq!(times.rate(), None);
        // The first call tunes and loads; it does not decide.
        for (secs, items) in [(100.0, 16), (4.0, 16), (1.0, 4)] {
            times.add(secs, items);
        }
        assert_eq!(times.rate(), Some(4.0));
    }
}
