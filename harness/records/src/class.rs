//! Kinds of failure, as journals store them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of failure, for retries and for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Data, weights, options: the same next time.
    Input,
    /// A loss or score that is not finite: the same next time.
    Numeric,
    /// No memory on host or device.
    Exhausted,
    /// The backend reported a fault of its own.
    Backend,
    /// A disk that is full or refuses.
    Disk,
    /// The worker process died.
    Crashed,
    /// The worker process said nothing for too long and was ended.
    Stalled,
    /// It took longer than a job may, and its worker was ended.
    TimeLimit,
    /// A fault of this program.
    Internal,
}

impl Class {
    /// The name in journals and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Numeric => "numeric",
            Self::Exhausted => "exhausted",
            Self::Backend => "backend",
            Self::Disk => "disk",
            Self::Crashed => "crashed",
            Self::Stalled => "stalled",
            Self::TimeLimit => "time-limit",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
