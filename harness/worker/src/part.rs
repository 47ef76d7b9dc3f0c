//! What a benchmark measures, and how a worker is asked for it.

use serde::{Deserialize, Serialize};

/// What is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A batch of images through the image tower, taps read back.
    Encode,
    /// A training step on a batch whose taps are held, text tower included.
    Step,
    /// A batch scored from its taps.
    Score,
    /// All metrics of a batch's maps, which no backend computes.
    Metrics,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Encode, Self::Step, Self::Score, Self::Metrics];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Step => "step",
            Self::Score => "score",
            Self::Metrics => "metrics",
        }
    }
}

/// What a worker of a benchmark is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// The rate of matrix products of its device.
    Gemm,
    /// One measurement.
    Time(Part),
}
