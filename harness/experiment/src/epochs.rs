//! The epochs that an evaluation scores.

use harness_method::Selection;
use serde::{Deserialize, Serialize};

/// Epochs whose states are scored, counted from 0 as the streams of docs/method.md section 5 are, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpochRange {
    /// First epoch.
    pub first: u32,
    /// Last epoch.
    pub last: u32,
}

impl EpochRange {
    /// Every epoch of a training.
    pub fn all(epochs: u32) -> Self {
        Self { first: 0, last: epochs.saturating_sub(1) }
    }

    /// What a selection rule needs of a training of `epochs` epochs.
    pub fn needed_by(selection: Selection, epochs: u32) -> Self {
        let last = epochs.saturating_sub(1);
        let first = if selection == Selection::Last { last } else { 0 };
        Self { first, last }
    }

    /// How many.
    pub fn count(self) -> u64 {
        (u64::from(self.last) + 1).saturating_sub(u64::from(self.first))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        self.first..=self.last
    }
}
