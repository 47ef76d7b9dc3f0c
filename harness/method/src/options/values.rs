//! What values of options mean for the rest of the method.

use super::declared::{Adapter, AdapterAttention, Branches, Normalize, Options, Prompts};
use crate::preset::Preset;
use crate::side::Side;

impl Preset {
    /// The options it stands for.
    pub fn options(self) -> Options {
        Options::preset(self)
    }
}

impl Normalize {
    /// Per-channel (mean, deviation), RGB.
    #[expect(clippy::excessive_precision, reason = "as CLIP's authors write them")]
    pub fn statistics(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Self::None => ([0.0; 3], [1.0; 3]),
            Self::Clip => ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]),
            Self::Imagenet => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        }
    }
}

impl Branches {
    /// Prefixes of the adapters' tensor names, in order.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Dual => &["normal", "abnormal"],
            Self::Single => &["shared"],
            Self::Normal => &["normal"],
            Self::Abnormal => &["abnormal"],
        }
    }
}

impl Prompts {
    /// The sides whose context vectors are trained.
    pub fn learned_sides(self) -> &'static [Side] {
        match self {
            Self::Fixed | Self::Free => &[],
            Self::LearnedAbnormal => &[Side::Abnormal],
            Self::Learned => &Side::BOTH,
        }
    }
}

impl Options {
    /// Whether any sentence has trained context vectors.
    pub fn learns_prompts(&self) -> bool {
        !self.prompts.learned_sides().is_empty()
    }

    /// Whether an object's name decides anything: free text has none.
    pub fn names_objects(&self) -> bool {
        self.prompts != Prompts::Free
    }

    /// Whether a score depends on which images share its batch (docs/method.md section 2).
    pub fn scores_depend_on_batch(&self) -> bool {
        self.adapter == Adapter::Transformer && self.adapter_attention == AdapterAttention::Batch
    }
}
