//! Every choice of the method, under the names that experiment files, golden cases and result tables share.

use serde::{Deserialize, Serialize};

harness_config::choices!(
    Activation,
    Adapter,
    AdapterAttention,
    Aggregation,
    Branches,
    Loss,
    Normalize,
    PromptMask,
    PromptPosition,
    Prompts,
);

/// Activation inside both towers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Exact GELU, by the error function.
    Gelu,
    /// `x * sigmoid(1.702 x)`, what CLIP was trained with.
    QuickGelu,
}

/// Mean and deviation taken off an image just before the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// Pixels stay in 0..1.
    None,
    /// CLIP's training statistics.
    Clip,
    /// ImageNet's statistics.
    Imagenet,
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

/// Which adapters exist and supply the similarities (docs/method.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branches {
    /// One adapter a branch.
    Dual,
    /// One adapter for both similarities.
    Single,
    /// The normal adapter alone.
    Normal,
    /// The abnormal adapter alone.
    Abnormal,
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

/// Architecture of an adapter (docs/method.md section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapter {
    /// Bias-free linear layer, LeakyReLU, channel norm (the authors' MFCFC).
    Linear,
    /// 1 x 1 convolution with bias, channel norm, LeakyReLU (MCNNFC).
    Conv,
    /// Post-norm encoder layer (MViTFC).
    Transformer,
}

/// What a `transformer` adapter's attention runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterAttention {
    /// The same token of the other images of the batch, as released: a score depends on its batch.
    Batch,
    /// The other tokens of the same image.
    Tokens,
}

/// Where the two text vectors come from (docs/method.md section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prompts {
    /// An ensemble of fixed sentences.
    Fixed,
    /// Trained context vectors in both classes' sentences.
    Learned,
    /// Fixed normal text, trained abnormal context.
    LearnedAbnormal,
    /// Two trained vectors, no language.
    Free,
}

/// A class of text, named as in tensor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Text of healthy states.
    Normal,
    /// Text of diseased states.
    Abnormal,
}

impl Side {
    /// Both sides, in the order every tensor uses.
    pub const BOTH: [Self; 2] = [Self::Normal, Self::Abnormal];

    /// The name in tensor names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
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

/// Where trained context vectors stand in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPosition {
    /// Context before the state's tokens, which come at the end.
    End,
    /// The state's tokens in front, context after.
    Front,
    /// Half the context before, the rest after.
    Middle,
}

impl PromptPosition {
    /// All of them, in the released order.
    pub const ALL: [Self; 3] = [Self::End, Self::Front, Self::Middle];

    /// The name in tensor names.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Front => "front",
            Self::Middle => "middle",
        }
    }
}

/// Attention mask of learned prompts in the text tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptMask {
    /// None: padding is attended to, as released.
    None,
    /// Causal, as pretrained.
    Causal,
}

/// Detection loss (docs/method.md section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Log-sigmoid of signed similarities.
    Siglip,
    /// Binary cross-entropy on softmax probabilities.
    Contrastive,
}

/// How token values become an image's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Mean over tokens.
    Mean,
    /// Maximum over tokens.
    Max,
    /// Half of each.
    Both,
}

/// Trained vectors a sentence, as released.
pub const RELEASED_CONTEXT_TOKENS: usize = 8;

/// The model, completely resolved. The same keys as `[options]` of a golden case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Side of the images given to the encoder, S, in pixels.
    pub image_size: usize,
    /// Blocks whose outputs feed adapters, counted from 1, ascending.
    pub taps: Vec<usize>,
    /// Activation inside both towers.
    pub activation: Activation,
    /// Statistics taken off an image.
    pub normalize: Normalize,
    /// Which adapters exist.
    pub branches: Branches,
    /// Subtract the other class's similarity.
    pub dual_objective: bool,
    /// Architecture of an adapter.
    pub adapter: Adapter,
    /// What a transformer adapter attends over.
    pub adapter_attention: AdapterAttention,
    /// Where text comes from.
    pub prompts: Prompts,
    /// Positions of trained context, in order.
    pub prompt_positions: Vec<PromptPosition>,
    /// Mask of learned prompts.
    pub prompt_mask: PromptMask,
    /// Trained vectors a sentence.
    pub context_tokens: usize,
    /// Detection loss.
    pub loss: Loss,
    /// How token values become an image's value.
    pub aggregation: Aggregation,
}

impl Options {
    /// The same model with every option that can't change its numbers at its released value: two sets of options that
    /// come to the same here train the same model.
    pub fn effective(&self) -> Self {
        let mut options = self.clone();
        if options.adapter != Adapter::Transformer {
            options.adapter_attention = AdapterAttention::Batch;
        }
        if options.prompts.learned_sides().is_empty() {
            options.prompt_positions = PromptPosition::ALL.to_vec();
            options.prompt_mask = PromptMask::None;
            options.context_tokens = RELEASED_CONTEXT_TOKENS;
        }
        options
    }

    /// Whether an object's name enters: there is none in free text.
    pub fn names_objects(&self) -> bool {
        self.prompts != Prompts::Free
    }

    /// Whether a score depends on which images share its batch (docs/method.md section 2).
    pub fn scores_depend_on_batch(&self) -> bool {
        self.adapter == Adapter::Transformer && self.adapter_attention == AdapterAttention::Batch
    }
}
