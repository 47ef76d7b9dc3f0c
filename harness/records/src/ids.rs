//! Which record is meant: its kind and its id.

use std::fmt;

use harness_experiment::{EvaluationId, TrainingId};
use serde::{Deserialize, Serialize};

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// States of a model.
    Training,
    /// Scores of a test set, and their metrics.
    Evaluation,
}

impl RecordKind {
    /// The name in journals and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A record's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "record", content = "id", rename_all = "snake_case")]
pub enum RecordId {
    /// Of a training.
    Training(TrainingId),
    /// Of an evaluation.
    Evaluation(EvaluationId),
}

impl RecordId {
    /// What kind of record it is.
    pub fn kind(self) -> RecordKind {
        match self {
            Self::Training(_) => RecordKind::Training,
            Self::Evaluation(_) => RecordKind::Evaluation,
        }
    }
}

/// The id alone, as folders are named.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training(id) => id.fmt(f),
            Self::Evaluation(id) => id.fmt(f),
        }
    }
}

impl From<TrainingId> for RecordId {
    fn from(id: TrainingId) -> Self {
        Self::Training(id)
    }
}

impl From<EvaluationId> for RecordId {
    fn from(id: EvaluationId) -> Self {
        Self::Evaluation(id)
    }
}
