//! How long a run still takes, from what it has taken. Guesses for people; no result depends on them.

use std::time::{Duration, Instant};

/// Counts a run's trainings with all that belongs to them.
#[derive(Debug)]
pub(crate) struct Clock {
    begun: Instant,
    of: usize,
    done: usize,
}

impl Clock {
    /// A run of `of` trainings begins.
    pub(crate) fn new(of: usize) -> Self {
        Self { begun: Instant::now(), of, done: 0 }
    }

    /// One more is over.
    pub(crate) fn tick(&mut self) {
        self.done += 1;
    }

    /// Time until all are over, at the pace so far; nothing before the first is.
    pub(crate) fn left(&self) -> Option<Duration> {
        let pace = self.begun.elapsed().checked_div(u32::try_from(self.done).ok()?)?;
        pace.checked_mul(u32::try_from(self.of.saturating_sub(self.done)).ok()?)
    }
}
