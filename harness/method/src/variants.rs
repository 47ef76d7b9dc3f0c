//! Which variants of a support image a method learns from.

use crate::constants::AUGMENTED_VARIANTS;

harness_config::named_enum! {
    /// Variants of a support image (docs/method.md section 6).
    pub enum Variants {
        /// The image as it is.
        None = "none",
        /// As it is, four rotations, four shifts, both flips.
        Mvfa = "mvfa",
        /// Those, four zooms, and one with the run's jitter of colours.
        Madclip = "madclip",
    }
}

impl Variants {
    /// How many there are, the image itself included.
    pub const fn count(self) -> usize {
        match self {
            Self::None => 1,
            Self::Mvfa => 11,
            Self::Madclip => AUGMENTED_VARIANTS,
        }
    }

    /// How many of them depend on a run's seed.
    pub const fn seeded(self) -> usize {
        match self {
            Self::None | Self::Mvfa => 0,
            Self::Madclip => 1,
        }
    }
}
