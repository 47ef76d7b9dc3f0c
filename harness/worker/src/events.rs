//! The pipe to the scheduler, and how often progress is worth a line on it.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::protocol::{Event, Phase};

/// How often a phase's progress is worth a line.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The pipe to the scheduler.
pub(crate) struct Events {
    pipe: File,
    last: Option<(Phase, Instant)>,
}

impl Events {
    /// Events that go into `pipe`.
    pub(crate) fn new(pipe: File) -> Self {
        Self { pipe, last: None }
    }

    /// Sends an event. A scheduler that is gone is noticed at the next read of a job.
    pub(crate) fn send(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_string(event) {
            line.push('\n');
            let _ = self.pipe.write_all(line.as_bytes());
        }
    }

    /// Sends something that a person may want to know.
    pub(crate) fn note(&mut self, message: &str) {
        self.send(&Event::Note { message: message.to_owned() });
    }

    /// Sends how far a phase is, unless it did a moment ago. A phase's beginning and end are always sent.
    pub(crate) fn progress(&mut self, phase: Phase, (done, total): (u64, u64), encoded: u64) {
        let recent = self.last.is_some_and(|(last, at)| last == phase && at.elapsed() < PROGRESS_EVERY);
        if !recent || done >= total {
            self.last = Some((phase, Instant::now()));
            self.send(&Event::Progress { phase, done, total, encoded });
        }
    }
}
