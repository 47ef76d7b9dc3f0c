//! Times of calls, and what a record says of them: percentiles and rates. Nothing here decides a result.

use harness_metrics::percentile;

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

#[cfg(test)]
mod tests {
    use super::*;

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
