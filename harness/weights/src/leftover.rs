//! Tensors that a file has beside those of a CLIP: which of them would change what the encoder computes.

use crate::tensor::View;

/// What a tensor that is not read means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// It decides nothing that is used here.
    Harmless,
    /// The encoder's authors compute with it; how to call it.
    Part(&'static str),
    /// Nobody here knows.
    Unknown,
}

/// Beginnings of names within the encoder: its towers.
const TOWERS: [&str; 13] = [
    "visual.",
    "vision_model.",
    "text.",
    "text_model.",
    "transformer.",
    "token_embedding",
    "positional_embedding",
    "ln_final",
    "text_projection",
    "class_embedding",
    "token_type_embedding",
    "relative_position",
    "rope",
];

/// Where blocks stand.
const BLOCKS: [&str; 5] =
    ["visual.transformer.", "transformer.", "text.transformer.", "vision_model.encoder.", "text_model.encoder."];

/// What comes after the taps, or is a constant.
const AFTER: [&str; 9] = [
    "visual.attn_pool.",
    "visual.head.",
    "visual.fc_norm.",
    "visual.proj.bias",
    "visual.mask_token",
    "visual_projection.bias",
    "vision_model.head.",
    "vision_model.classifier.",
    "logit_bias",
];

/// Parts of a path that belong to training.
const TRAINING: [&str; 13] = [
    "optimizer",
    "optimizers",
    "optimizer_states",
    "optimizer_state_dict",
    "optim",
    "scaler",
    "scheduler",
    "lr_scheduler",
    "lr_schedulers",
    "callbacks",
    "loops",
    "ema",
    "amp",
];

/// Towers for other things than images and sentences.
const OTHERS: [&str; 9] = [
    "audio",
    "audio_branch",
    "depth",
    "thermal",
    "point_encoder",
    "text_decoder",
    "multimodal_decoder",
    "mask_decoder",
    "decoder",
];

/// What `name`, below a file's `prefix`, means. `name` is the file's own.
pub(crate) fn classify(prefix: &str, name: &str, view: &View) -> Leftover {
    let parts: Vec<&str> = name.split('.').collect();
    let any = |test: &dyn Fn(&str) -> bool| parts.iter().any(|part| test(&part.to_ascii_lowercase()));
    let state = |part: &str| {
        TRAINING.contains(&part)
            || part.ends_with("_ema")
            || part.starts_with("ema_")
            || part.starts_with("rng_")
            || part.ends_with("rng_state")
    };
    if any(&state) || view.shape().contains(&0) {
        return Leftover::Harmless;
    }
    if any(&|part| part.contains("lora") || part.contains("ia3")) {
        return Leftover::Part("low-rank updates (LoRA) of its weights; merge them into the weights");
    }
    if any(&|part| part.contains("adapter") || part.contains("adaptmlp")) {
        return Leftover::Part("adapters; save the plain CLIP without them");
    }
    // Whole numbers are counters and indices, but for those that say where a position stands.
    let unknown = if view.dtype().is_float() { Leftover::Unknown } else { Leftover::Harmless };
    let Some(rest) = name.strip_prefix(prefix) else { return unknown };
    let other = OTHERS.contains(&rest.split('.').next().unwrap_or_default());
    if other || is_buffer(rest, view) || AFTER.iter().any(|begin| rest.starts_with(begin)) {
        return Leftover::Harmless;
    }
    if TOWERS.iter().any(|begin| rest.starts_with(begin)) { inside(rest) } else { unknown }
}

/// A constant that some keep among their tensors.
fn is_buffer(rest: &str, view: &View) -> bool {
    const COUNTS: [&str; 5] =
        ["position_ids", "input_resolution", "context_length", "vocab_size", "num_batches_tracked"];
    let last = rest.rsplit('.').next().unwrap_or_default();
    let plain = rest.strip_prefix("text.").unwrap_or(rest);
    COUNTS.contains(&last) && !view.dtype().is_float() || last == "causal_mask" || plain == "attn_mask"
}

fn inside(rest: &str) -> Leftover {
    if rest.contains("pos_emb") || rest.contains("position") || rest.contains("rope") || rest.contains("rel_pos") {
        return Leftover::Part("positions");
    }
    if rest.contains("reg_token") || rest.contains("register") || rest.contains("storage_token") {
        return Leftover::Part("register tokens");
    }
    if rest.contains("prompt") {
        return Leftover::Part("learned tokens; save the plain CLIP without them");
    }
    if let Some(begin) = BLOCKS.iter().find(|begin| rest.starts_with(**begin)) {
        return of_block(&rest[begin.len()..]);
    }
    if rest.contains("cls_") || rest.contains("token_type") {
        return Leftover::Part("tokens");
    }
    if rest.contains("norm") || rest.contains("ln_") {
        return Leftover::Part("norms");
    }
    if rest.ends_with(".bias") {
        return Leftover::Part("biases");
    }
    Leftover::Unknown
}

fn of_block(rest: &str) -> Leftover {
    let has = |text: &str| rest.contains(text);
    Leftover::Part(if has("gamma") || has("ls_") || has("ls1") || has("ls2") || has("lambda") || has("layer_scale") {
        "layer scales"
    } else if has("q_norm") || has("k_norm") || has("q_ln") || has("k_ln") {
        "norms of queries and keys"
    } else if has("norm") || has("ln") {
        "norms"
    } else {
        "parts of blocks"
    })
}
