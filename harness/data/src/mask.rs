//! Which values of a mask mark a lesion.

use crate::decode::Depth;

harness_config::named_enum! {
    /// Which values of a mask mark a lesion.
    #[derive(Default)]
    pub enum MaskValues {
        /// More than half of full scale.
        #[default]
        Half = "half",
        /// Every value but zero.
        Nonzero = "nonzero",
    }
}

impl MaskValues {
    /// How samples of more than eight bits become bytes.
    pub(crate) fn depth(self) -> Depth {
        match self {
            Self::Half => Depth::Scaled,
            Self::Nonzero => Depth::Nonzero,
        }
    }

    /// A grey value as 0 to 255, where more than half marks a lesion. A coloured mask's grey value may be anything
    /// above zero.
    pub(crate) fn flatten(self, value: u8) -> u8 {
        if self == Self::Nonzero && value > 0 { 255 } else { value }
    }
}

/// More than half of full scale.
pub(crate) fn marks(value: u8) -> bool {
    value > 127
}
