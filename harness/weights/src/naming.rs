//! From the names that OpenAI, open_clip and transformers give tensors to OpenAI's; prefixes of training checkpoints
//! come off.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::WeightsError;
use crate::difference::Difference;
use crate::tensor::{Dtype, Floats, HUGE, View};

/// The names that a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Naming {
    OpenAi,
    /// open_clip's `CustomTextCLIP`: OpenAI's, the text tower under `text.`.
    OpenClipText,
    Transformers,
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenAi => "OpenAI's names",
            Self::OpenClipText => "open_clip's names",
            Self::Transformers => "transformers' names",
        })
    }
}

/// A tensor in OpenAI's sense: views joined along the first axis (more than one where q, k and v lie apart).
#[derive(Clone, Debug)]
pub(crate) struct Joined(pub(crate) Vec<View>);

impl Joined {
    pub(crate) fn shape(&self) -> Vec<usize> {
        let mut shape = self.0.first().map_or_else(Vec::new, |view| view.shape().to_vec());
        if let Some(rows) = shape.first_mut() {
            *rows = self.0.iter().map(|view| view.shape()[0]).sum();
        }
        shape
    }

    /// Element type; where parts differ, the first that is not a float's, else the first.
    pub(crate) fn dtype(&self) -> Dtype {
        let types = || self.0.iter().map(View::dtype);
        types().find(|t| !t.is_float()).or(types().next()).unwrap_or(Dtype::F32)
    }

    /// Values, row-major, in f16 where all parts are.
    pub(crate) fn floats(&self) -> Result<Floats, WeightsError> {
        if self.0.iter().any(|view| view.dtype() != Dtype::F16) {
            return Ok(Floats::F32(self.values()?));
        }
        let mut halves = Vec::with_capacity(self.shape().iter().product());
        self.0.iter().try_for_each(|view| view.append_halves(&mut halves))?;
        Ok(Floats::F16(halves))
    }

    /// How many values are NaN or infinite.
    pub(crate) fn count_non_finite(&self) -> Result<usize, WeightsError> {
        self.0.iter().map(View::count_non_finite).sum()
    }

    /// Why the values of the tensor called `name`, OpenAI's name, can't be those of a trained encoder; `None` where
    /// nothing speaks against them. Biases may be zero, a matrix or the gain of a norm is not.
    pub(crate) fn unfit(&self, name: &str) -> Result<Option<String>, WeightsError> {
        let total: usize = self.shape().iter().product();
        let huge = self.0.iter().map(View::count_huge).sum::<Result<usize, _>>()?;
        if huge > 0 {
            return Ok(Some(format!(
                "{huge} of {total} values beyond {HUGE:.1e}, which overflow in the layers after it"
            )));
        }
        if self.shape().len() < 2 && !is_gain(name) {
            return Ok(None);
        }
        for view in &self.0 {
            if view.is_zero()? {
                return Ok(Some("nothing but zeros".to_owned()));
            }
        }
        Ok(None)
    }

    /// Values, row-major.
    pub(crate) fn values(&self) -> Result<Vec<f32>, WeightsError> {
        let mut values = Vec::with_capacity(self.shape().iter().product());
        self.0.iter().try_for_each(|view| view.append_to(&mut values))?;
        Ok(values)
    }
}

/// Whether a tensor is what a norm multiplies by.
fn is_gain(name: &str) -> bool {
    name.ends_with(".weight") && name.contains("ln_")
}

/// Between a joined tensor's name and the letter of its part.
const PART: char = '#';

/// Tensors under OpenAI's names.
pub(crate) struct Named {
    pub(crate) naming: Naming,
    /// What stood before every name, such as `state_dict.module.`.
    pub(crate) prefix: String,
    pub(crate) tensors: BTreeMap<String, Joined>,
    /// Tensors that a CLIP does not have, under the file's names.
    pub(crate) extra: Vec<(String, View)>,
    /// What is wrong with parts of joined tensors, by OpenAI's names.
    pub(crate) differences: Vec<Difference>,
}

impl Named {
    /// The file's own name of a tensor that has OpenAI's name `openai`.
    pub(crate) fn own_name(&self, openai: &str) -> String {
        self.naming.own_name(&self.prefix, openai)
    }

    /// Whether the text tower has any tensor.
    pub(crate) fn has_text_tower(&self) -> bool {
        self.tensors.keys().any(|name| !name.starts_with("visual.") && name != "logit_scale")
    }
}

impl Naming {
    /// The name that a file with this naming gives a tensor of OpenAI's name `openai`, or a part of one.
    pub(crate) fn own_name(self, prefix: &str, openai: &str) -> String {
        let own = match self {
            Self::OpenAi => openai.to_owned(),
            Self::OpenClipText if openai.starts_with("visual.") || openai == "logit_scale" => openai.to_owned(),
            Self::OpenClipText => format!("text.{openai}"),
            Self::Transformers => transformers_name(openai),
        };
        format!("{prefix}{own}")
    }
}

/// OpenAI's name of the joined tensor that `name` is a part of.
pub(crate) fn joined(name: &str) -> Option<&str> {
    name.split_once(PART).map(|(joined, _)| joined)
}

/// The tensor that tells a naming and a prefix.
const OPENAI_MARK: &str = "visual.conv1.weight";
const TRANSFORMERS_MARK: &str = "vision_model.embeddings.patch_embedding.weight";

/// `Err` says why this is not a CLIP.
pub(crate) fn to_openai(tensors: Vec<(String, View)>) -> Result<Named, String> {
    let (naming, prefix) = detect(&tensors)?;
    let mut named = Named { naming, prefix, tensors: BTreeMap::new(), extra: Vec::new(), differences: Vec::new() };
    // q, k and v of a block, until all three are there.
    let mut split: BTreeMap<String, [Option<View>; 3]> = BTreeMap::new();
    for (name, view) in tensors {
        let target = name.strip_prefix(named.prefix.as_str()).and_then(|rest| target(naming, rest));
        match target {
            Some(Target::Whole(target)) => drop(named.tensors.insert(target, Joined(vec![view]))),
            Some(Target::Transposed(target)) => drop(named.tensors.insert(target, Joined(vec![view.transposed()]))),
            Some(Target::Part(target, part)) => split.entry(target).or_default()[part] = Some(view),
            None => named.extra.push((name, view)),
        }
    }
    for (target, parts) in split {
        let Some(model) = parts.iter().flatten().next().map(|view| view.shape().to_vec()) else { continue };
        let mut joined = Vec::new();
        for (part, letter) in parts.into_iter().zip(["q", "k", "v"]) {
            let name = || format!("{target}{PART}{letter}");
            match part {
                None => named.differences.push(Difference::Missing { name: name(), expected: Some(model.clone()) }),
                Some(view) if view.shape() != model || model.is_empty() => {
                    let found = view.shape().to_vec();
                    named.differences.push(Difference::Misshapen { name: name(), expected: model.clone(), found });
                }
                Some(view) => joined.push(view),
            }
        }
        if joined.len() == 3 {
            named.tensors.insert(target, Joined(joined));
        }
    }
    Ok(named)
}

/// Whether a tensor is there by which a CLIP is known.
pub(crate) fn has_mark(tensors: &[(String, View)]) -> bool {
    tensors.iter().any(|(name, _)| {
        [OPENAI_MARK, TRANSFORMERS_MARK]
            .into_iter()
            .any(|mark| name.strip_suffix(mark).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.')))
    })
}

fn detect(tensors: &[(String, View)]) -> Result<(Naming, String), String> {
    let mut found: Option<(Naming, &str)> = None;
    for (name, _) in tensors {
        for (naming, mark) in [(Naming::OpenAi, OPENAI_MARK), (Naming::Transformers, TRANSFORMERS_MARK)] {
            let Some(prefix) = name.strip_suffix(mark).filter(|p| p.is_empty() || p.ends_with('.')) else { continue };
            if let Some((_, first)) = found {
                return Err(format!("it holds two, under `{first}` and `{prefix}`; save one of them alone"));
            }
            found = Some((naming, prefix));
        }
    }
    let Some((naming, prefix)) = found else {
        return Err(format!("its {} tensors include neither `{OPENAI_MARK}` nor `{TRANSFORMERS_MARK}`", tensors.len()));
    };
    let custom = format!("{prefix}text.token_embedding.weight");
    let naming = match naming {
        Naming::OpenAi if tensors.iter().any(|(name, _)| *name == custom) => Naming::OpenClipText,
        other => other,
    };
    Ok((naming, prefix.to_owned()))
}

enum Target {
    Whole(String),
    Transposed(String),
    /// Third 0 (q), 1 (k) or 2 (v) of a joined tensor.
    Part(String, usize),
}

/// What a tensor becomes; `None` for one that a CLIP does not have.
fn target(naming: Naming, name: &str) -> Option<Target> {
    match naming {
        Naming::OpenAi => is_openai(name).then(|| Target::Whole(name.to_owned())),
        Naming::OpenClipText => {
            let plain = name.strip_prefix("text.").unwrap_or(name);
            is_openai(plain).then(|| Target::Whole(plain.to_owned()))
        }
        Naming::Transformers => transformers(name),
    }
}

fn is_openai(name: &str) -> bool {
    const PLAIN: [&str; 8] = [
        "visual.class_embedding",
        "visual.positional_embedding",
        "visual.conv1.weight",
        "visual.proj",
        "token_embedding.weight",
        "positional_embedding",
        "text_projection",
        "logit_scale",
    ];
    const NORMS: [&str; 3] = ["visual.ln_pre", "visual.ln_post", "ln_final"];
    const IN_BLOCK: [&str; 12] = [
        "ln_1.weight",
        "ln_1.bias",
        "ln_2.weight",
        "ln_2.bias",
        "attn.in_proj_weight",
        "attn.in_proj_bias",
        "attn.out_proj.weight",
        "attn.out_proj.bias",
        "mlp.c_fc.weight",
        "mlp.c_fc.bias",
        "mlp.c_proj.weight",
        "mlp.c_proj.bias",
    ];
    let norm = name.rsplit_once('.').is_some_and(|(n, kind)| NORMS.contains(&n) && matches!(kind, "weight" | "bias"));
    let block = || block(name).is_some_and(|(_, _, rest)| IN_BLOCK.contains(&rest));
    PLAIN.contains(&name) || norm || block()
}

/// (tower, number, rest) of a block's tensor in OpenAI's names.
pub(crate) fn block(name: &str) -> Option<(&'static str, usize, &str)> {
    let (tower, rest) = match name.strip_prefix("visual.transformer.resblocks.") {
        Some(rest) => ("visual.transformer", rest),
        None => ("transformer", name.strip_prefix("transformer.resblocks.")?),
    };
    let (number, rest) = rest.split_once('.')?;
    // Only the number's plain spelling: `01` would otherwise be a second name of block 1.
    let index = number.parse().ok().filter(|n: &usize| n.to_string() == number)?;
    Some((tower, index, rest))
}

/// Tensors outside blocks: transformers' names and OpenAI's. Projections are stored the other way round.
const TRANSFORMERS: [(&str, &str); 14] = [
    ("logit_scale", "logit_scale"),
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"),
    ("vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"),
    ("vision_model.post_layernorm.weight", "visual.ln_post.weight"),
    ("vision_model.post_layernorm.bias", "visual.ln_post.bias"),
    ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.final_layer_norm.weight", "ln_final.weight"),
    ("text_model.final_layer_norm.bias", "ln_final.bias"),
    ("visual_projection.weight", "visual.proj"),
    ("text_projection.weight", "text_projection"),
];

/// Parts of a block: transformers' names and OpenAI's.
const TRANSFORMERS_BLOCK: [(&str, &str); 5] = [
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
];

fn transformers(name: &str) -> Option<Target> {
    if let Some((_, openai)) = TRANSFORMERS.iter().find(|(theirs, _)| *theirs == name) {
        let openai = (*openai).to_owned();
        let transposed = matches!(name, "visual_projection.weight" | "text_projection.weight");
        return Some(if transposed { Target::Transposed(openai) } else { Target::Whole(openai) });
    }
    let (tower, rest) = match name.strip_prefix("vision_model.encoder.layers.") {
        Some(rest) => ("visual.transformer", rest),
        None => ("transformer", name.strip_prefix("text_model.encoder.layers.")?),
    };
    let (number, rest) = rest.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "weight" | "bias"))?;
    let block = format!("{tower}.resblocks.{number}");
    if let Some((_, openai)) = TRANSFORMERS_BLOCK.iter().find(|(theirs, _)| *theirs == part) {
        return Some(Target::Whole(format!("{block}.{openai}.{kind}")));
    }
    let third = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].iter().position(|p| *p == part)?;
    Some(Target::Part(format!("{block}.attn.in_proj_{kind}"), third))
}

/// The other way round; a joined tensor's name stands for its three parts.
fn transformers_name(openai: &str) -> String {
    if let Some((theirs, _)) = TRANSFORMERS.iter().find(|(_, ours)| *ours == openai) {
        return (*theirs).to_owned();
    }
    let Some((tower, number, rest)) = block(openai) else { return openai.to_owned() };
    let model = if tower == "transformer" { "text_model" } else { "vision_model" };
    let (rest, letter) = rest.split_once(PART).map_or((rest, None), |(rest, letter)| (rest, Some(letter)));
    let theirs = match rest.strip_prefix("attn.in_proj_") {
        Some(kind) => format!("self_attn.{}_proj.{kind}", letter.unwrap_or("{q,k,v}")),
        None => {
            let (part, kind) = rest.rsplit_once('.').unwrap_or((rest, "weight"));
            let part = TRANSFORMERS_BLOCK.iter().find(|(_, ours)| *ours == part).map_or(part, |(theirs, _)| theirs);
            format!("{part}.{kind}")
        }
    };
    format!("{model}.encoder.layers.{number}.{theirs}")
}
