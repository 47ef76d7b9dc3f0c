//! How the encoder computes and how its taps are kept. Which weights it has is the catalogue's business.

use serde::{Deserialize, Serialize};

/// What the encoder computes in. The trainer's numbers are f32 always; under `Tf32` its products are rounded as the encoder's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// f32 whose matrix products may round their factors to 11 significant bits, in the trainer too.
    Tf32,
    /// Half precision, 11 significant bits.
    F16,
    /// Half precision with the range of f32, 8 significant bits.
    Bf16,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 4] = [Self::F32, Self::Tf32, Self::F16, Self::Bf16];

    /// The name in experiment files, ids and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// Type of stored taps: decides results, hence part of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorePrecision {
    /// As encoded.
    #[default]
    F32,
    /// Rounded to half precision: half the space.
    F16,
}

impl StorePrecision {
    /// The name in experiment files, ids and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}
