//! The two complete sets of options that experiments start from (docs/method.md section 9). Changes to them are in
//! `overrides`.

use harness_method::Options;
use harness_method::options::{
    Activation, Adapter, AdapterAttention, Aggregation, Branches, Loss, Normalize, PromptMask, PromptPosition, Prompts,
    RELEASED_CONTEXT_TOKENS,
};
use serde::{Deserialize, Serialize};

/// A complete set of options with a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// What the published code does.
    #[default]
    Released,
    /// The same method on a CLIP used as it was pretrained.
    Clip,
}

impl Preset {
    /// The name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Clip => "clip",
        }
    }

    /// The options it stands for.
    pub fn options(self) -> Options {
        match self {
            Self::Released => released(),
            Self::Clip => clip(),
        }
    }
}

/// What the published code does, at 240 px with taps 6, 12, 18 and 24.
pub fn released() -> Options {
    Options {
        image_size: 240,
        taps: vec![6, 12, 18, 24],
        activation: Activation::Gelu,
        normalize: Normalize::None,
        branches: Branches::Dual,
        dual_objective: true,
        adapter: Adapter::Linear,
        adapter_attention: AdapterAttention::Batch,
        prompts: Prompts::Learned,
        prompt_positions: PromptPosition::ALL.to_vec(),
        prompt_mask: PromptMask::None,
        context_tokens: RELEASED_CONTEXT_TOKENS,
        loss: Loss::Siglip,
        aggregation: Aggregation::Mean,
    }
}

/// As released, with the activation, normalisation, mask and attention that CLIP was trained with.
pub fn clip() -> Options {
    Options {
        activation: Activation::QuickGelu,
        normalize: Normalize::Clip,
        prompt_mask: PromptMask::Causal,
        adapter_attention: AdapterAttention::Tokens,
        ..released()
    }
}
