//! The type that taps are stored in.

use std::fmt;

/// Type of stored values. Reads always give f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreDtype {
    /// As encoded.
    #[default]
    F32,
    /// Rounded to half precision: half the space, and part of ids because scores change.
    F16,
}

impl StoreDtype {
    /// The name in keys, ids and tables.
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

impl fmt::Display for StoreDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
