//! Every option of MadCLIP, declared once: name, type, values in the presets, effect, check and meaning. The
//! types of their values are here too, so that an option is added in one place.

use super::checks;
use crate::constants::ADAPTER_HEADS;
use crate::declaring::*;
use crate::preset::Preset;
use crate::tokenizer;

declare! {
    /// Side of the images the encoder sees, in pixels; at least one patch, at most 4096
    image_size: usize {
        released: 240,
        shared: true,
        check: |options, arch| checks::image_size(options.image_size, arch.patch),
    }
    /// Blocks whose outputs feed the adapters, counted from 1
    taps: Vec<usize> {
        released: vec![6, 12, 18, 24],
        values: "ascending list of whole numbers from 1",
        shared: true,
        check: |options, arch| checks::taps(&options.taps, arch.layers),
    }
    /// Activation inside both towers
    activation: Activation {
        released: Activation::Gelu,
        in Preset::Clip: Activation::QuickGelu,
    }
    /// Mean and deviation taken off an image just before the encoder
    normalize: Normalize {
        released: Normalize::None,
        in Preset::Clip: Normalize::Clip,
    }
    /// Which adapters there are, and which similarities they supply
    branches: Branches {
        released: Branches::Dual,
    }
    /// Whether the similarity with the other class's text is subtracted
    dual_objective: bool {
        released: true,
    }
    /// Architecture of the adapter's shared part
    adapter: Adapter {
        released: Adapter::Linear,
        check: |options, arch| {
            let unfit = options.adapter == Adapter::Transformer && !arch.width.is_multiple_of(ADAPTER_HEADS);
            unfit.then(|| format!(
                "`adapter = \"transformer\"` has {ADAPTER_HEADS} heads, which don't divide the encoder's width {}; use \
                 `linear` or `conv`",
                arch.width
            ))
        },
    }
    /// What a transformer adapter attends over: the same token of the batch's other images, or the image's other tokens
    adapter_attention: AdapterAttention {
        released: AdapterAttention::Batch,
        in Preset::Clip: AdapterAttention::Tokens,
        effective: |options| options.adapter == Adapter::Transformer,
    }
    /// Where the two text vectors come from; `free` uses no language
    prompts: Prompts {
        released: Prompts::Learned,
        check: |options, arch| {
            let entries = tokenizer::VOCABULARY;
            (options.prompts != Prompts::Free && arch.vocab < entries).then(|| format!(
                "`prompts` needs a vocabulary of {entries} entries, and the encoder has {}; use such an encoder, or \
                 `prompts = \"free\"`",
                arch.vocab
            ))
        },
    }
    /// Where learned context stands in a sentence
    prompt_positions: Vec<PromptPosition> {
        released: PromptPosition::ALL.to_vec(),
        effective: |options| options.learns_prompts(),
        check: |options, _| match options.prompt_positions.as_slice() {
            [] => Some(
                "`prompt_positions` is empty, but learned prompts need one; name some of `end`, `front`, `middle`, or use \
                 `prompts = \"fixed\"`"
                    .to_owned(),
            ),
            positions => checks::repeats("prompt_positions", positions),
        },
    }
    /// Attention mask of learned prompts
    prompt_mask: PromptMask {
        released: PromptMask::None,
        in Preset::Clip: PromptMask::Causal,
        effective: |options| options.learns_prompts(),
    }
    /// Learned vectors in a sentence
    context_tokens: usize {
        released: 8,
        values: "whole number from 1",
        effective: |options| options.learns_prompts(),
        check: |options, _| (options.context_tokens == 0).then(|| {
            "`context_tokens` is 0, but learned prompts need at least one; choose 1 or more, or use `prompts = \"fixed\"`"
                .to_owned()
        }),
    }
    /// Detection loss
    loss: Loss {
        released: Loss::Siglip,
    }
    /// How the values of tokens become an image's value
    aggregation: Aggregation {
        released: Aggregation::Mean,
    }
}

named_enum! {
    /// Activation inside both towers.
    pub enum Activation {
        /// Exact GELU, by the error function.
        Gelu = "gelu",
        /// `x * sigmoid(1.702 x)`, what CLIP was trained with.
        QuickGelu = "quick_gelu",
    }
}

named_enum! {
    /// Mean and deviation taken off an image just before the encoder.
    pub enum Normalize {
        /// Pixels stay in 0..1.
        None = "none",
        /// CLIP's training statistics.
        Clip = "clip",
        /// ImageNet's statistics.
        Imagenet = "imagenet",
    }
}

named_enum! {
    /// Which adapters exist and supply the similarities (docs/method.md section 3).
    pub enum Branches {
        /// One adapter a branch.
        Dual = "dual",
        /// One adapter for both similarities.
        Single = "single",
        /// The normal adapter alone.
        Normal = "normal",
        /// The abnormal adapter alone.
        Abnormal = "abnormal",
    }
}

named_enum! {
    /// Architecture of an adapter (docs/method.md section 2).
    pub enum Adapter {
        /// Bias-free linear layer, LeakyReLU, channel norm (the authors' MFCFC).
        Linear = "linear",
        /// 1 x 1 convolution with bias, channel norm, LeakyReLU (MCNNFC).
        Conv = "conv",
        /// Post-norm encoder layer (MViTFC).
        Transformer = "transformer",
    }
}

named_enum! {
    /// What a `transformer` adapter's attention runs over.
    pub enum AdapterAttention {
        /// The same token of the other images of the batch, as released: a score depends on its batch.
        Batch = "batch",
        /// The other tokens of the same image.
        Tokens = "tokens",
    }
}

named_enum! {
    /// Where the two text vectors come from (docs/method.md section 4).
    pub enum Prompts {
        /// An ensemble of fixed sentences.
        Fixed = "fixed",
        /// Trained context vectors in both classes' sentences.
        Learned = "learned",
        /// Fixed normal text, trained abnormal context.
        LearnedAbnormal = "learned-abnormal",
        /// Two trained vectors, no language.
        Free = "free",
    }
}

named_enum! {
    /// Where trained context vectors stand in a sentence. The names are those in tensor names.
    pub enum PromptPosition {
        /// Context before the state's tokens, which come at the end.
        End = "end",
        /// The state's tokens in front, context after.
        Front = "front",
        /// Half the context before, the rest after.
        Middle = "middle",
    }
}

named_enum! {
    /// Attention mask of learned prompts in the text tower.
    pub enum PromptMask {
        /// None: padding is attended to, as released.
        None = "none",
        /// Causal, as pretrained.
        Causal = "causal",
    }
}

named_enum! {
    /// Detection loss (docs/method.md section 7).
    pub enum Loss {
        /// Log-sigmoid of signed similarities, as released: without temperature and bias.
        Siglip = "siglip",
        /// The same with SigLIP's temperature and bias, which are trained.
        SiglipScaled = "siglip-scaled",
        /// Binary cross-entropy on softmax probabilities, as released.
        Contrastive = "contrastive",
        /// Cross-entropy over both texts at CLIP's temperature.
        CrossEntropy = "cross-entropy",
    }
}

named_enum! {
    /// How the values of tokens become an image's value.
    pub enum Aggregation {
        /// Mean over tokens.
        Mean = "mean",
        /// Maximum over tokens.
        Max = "max",
        /// Half of each.
        Both = "both",
    }
}
