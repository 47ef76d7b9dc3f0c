//! Checkpoints of MadCLIP's authors: their names for the trainable tensors, which options a file fits, and its tensors
//! under this project's names. No option is guessed that a file doesn't show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use harness_method::options::{Adapter, Branches, Options, PromptPosition, Prompts, Side};
use harness_method::parameters::parameters;
use harness_method::{Arch, parameters::Parameter};
use serde::Serialize;

use crate::{PickleFile, Tensor, Weights, WeightsError};

/// Rounding to half precision moves a tensor by less than this, relative to its norm.
const SAME: f64 = 1e-3;

/// Text features of fixed prompts, which are computed again from the encoder.
const FIXED_TEXT: &str = "text_features_fix";

/// A checkpoint as the authors' `train.py` saves it. Taps, most options and the object's name are not in it.
#[derive(Debug)]
pub struct Checkpoint {
    origin: String,
    file: PickleFile,
    contents: Contents,
}

/// What a checkpoint shows of its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Kind of its adapters, where their names tell.
    pub adapter: Option<Adapter>,
    /// Branches that have adapters: `normal`, `abnormal`.
    pub branches: Vec<String>,
    /// Taps that have adapters.
    pub taps: usize,
    /// Width of the image tower.
    pub width: Option<usize>,
    /// Width of the embedding.
    pub embed: Option<usize>,
    /// How its text was made.
    pub prompts: Prompts,
    /// Where its learned context stands.
    pub prompt_positions: Vec<PromptPosition>,
    /// Learned vectors a sentence, and their width.
    pub context: Option<(usize, usize)>,
}

impl Checkpoint {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// As [`PickleFile::open`]; `NotCheckpoint` for a file without the authors' adapters.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = PickleFile::open(path)?;
        let contents =
            Contents::of(file.tensors()).ok_or_else(|| WeightsError::NotCheckpoint { path: path.to_owned() })?;
        Ok(Self { origin: path.display().to_string(), file, contents })
    }

    /// What it shows of its model.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Its trainable tensors under this project's names, in the order of [`parameters`].
    ///
    /// # Errors
    /// `Unfit`, with what is missing, misshapen or left over and which options would fit; `Unsupported` for options
    /// that the authors' code has no counterpart of; a file that changed.
    pub fn state(&self, options: &Options, arch: &Arch) -> Result<Vec<Tensor>, WeightsError> {
        let wanted = parameters(options, arch);
        let mut names = Vec::with_capacity(wanted.len());
        for parameter in &wanted {
            names.push(theirs(&parameter.name, options).ok_or_else(|| WeightsError::NoCounterpart {
                origin: self.origin.clone(),
                name: parameter.name.clone(),
                fits: self.contents.to_string(),
            })?);
        }
        self.check_fit(&wanted, &names)?;
        wanted
            .into_iter()
            .zip(&names)
            .map(|(parameter, theirs)| {
                let Tensor { data, .. } = self.file.tensor(theirs)?;
                Ok(Tensor { name: parameter.name, shape: parameter.shape, data })
            })
            .collect()
    }

    /// Refuses an encoder whose text tower is not the one that the checkpoint was trained with and has a copy of.
    /// Without a copy there is nothing to compare.
    ///
    /// # Errors
    /// `TextTower` with the first tensor that differs; a file that changed.
    pub fn check_text_tower(&self, weights: &Weights) -> Result<(), WeightsError> {
        for (name, shape) in self.file.tensors() {
            let Some((_, tensor)) = name.split_once(".text_encoder.") else { continue };
            let differs =
                |what: String| WeightsError::TextTower { origin: self.origin.clone(), name: tensor.to_owned(), what };
            match weights.shape(tensor) {
                None => return Err(differs("the encoder has no such tensor".to_owned())),
                Some(found) if found != shape => {
                    return Err(differs(format!("it has shape {shape:?}, the encoder's {found:?}")));
                }
                Some(_) => {}
            }
            let distance = distance(&self.file.tensor(name)?.data, &weights.tensor(tensor)?.data);
            if distance.is_nan() || distance > SAME {
                return Err(differs(format!("their values differ by {distance:.1e} of their norm")));
            }
        }
        Ok(())
    }

    fn check_fit(&self, wanted: &[Parameter], names: &[String]) -> Result<(), WeightsError> {
        let shapes: BTreeMap<&str, &[usize]> = self.file.tensors().collect();
        let (mut missing, mut misshapen) = (Vec::new(), Vec::new());
        for (parameter, theirs) in wanted.iter().zip(names) {
            match shapes.get(theirs.as_str()) {
                None => missing.push(theirs.clone()),
                Some(shape) if squeezed(shape, parameter.shape.len()) != parameter.shape.as_slice() => {
                    misshapen.push(format!("{theirs} {shape:?}, expected {:?}", parameter.shape));
                }
                Some(_) => {}
            }
        }
        let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let copied = |name: &str| name.contains(".text_encoder.") || name == FIXED_TEXT;
        let extra: Vec<String> = shapes
            .keys()
            .filter(|name| !known.contains(*name) && !copied(name))
            .map(|name| (*name).to_owned())
            .collect();
        if missing.is_empty() && misshapen.is_empty() && extra.is_empty() {
            return Ok(());
        }
        let fits = self.contents.to_string();
        Err(WeightsError::Unfit { origin: self.origin.clone(), missing, misshapen, extra, fits })
    }
}

/// The authors' name of a trainable tensor; `None` where their code has no such thing.
fn theirs(name: &str, options: &Options) -> Option<String> {
    let (first, rest) = name.split_once('.')?;
    let (second, part) = rest.split_once('.').unwrap_or((rest, ""));
    match first {
        "prompt" => Some(format!("prompt_maker_{second}.prompt_learner.ctx.{second}_{part}")),
        "normal" | "abnormal" if options.branches == Branches::Dual => {
            let tap: usize = second.parse().ok()?;
            let index = options.taps.iter().position(|known| *known == tap)?;
            let (_, theirs) = parts(options.adapter).iter().find(|(ours, _)| *ours == part)?;
            Some(format!("{first}_det_adapters.{index}.{theirs}"))
        }
        _ => None,
    }
}

/// Tensors of an adapter: this project's name and the authors'.
fn parts(adapter: Adapter) -> &'static [(&'static str, &'static str)] {
    match adapter {
        Adapter::Linear => {
            &[("shared.weight", "fc1.0.weight"), ("det.weight", "fc2.0.weight"), ("seg.weight", "fc3.0.weight")]
        }
        Adapter::Conv => &[
            ("shared.weight", "cnn.0.weight"),
            ("shared.bias", "cnn.0.bias"),
            ("det.weight", "fc1.0.weight"),
            ("seg.weight", "fc2.0.weight"),
        ],
        Adapter::Transformer => &[
            ("attn.in_proj.weight", "transformer_encoder.self_attn.in_proj_weight"),
            ("attn.in_proj.bias", "transformer_encoder.self_attn.in_proj_bias"),
            ("attn.out_proj.weight", "transformer_encoder.self_attn.out_proj.weight"),
            ("attn.out_proj.bias", "transformer_encoder.self_attn.out_proj.bias"),
            ("ff1.weight", "transformer_encoder.linear1.weight"),
            ("ff1.bias", "transformer_encoder.linear1.bias"),
            ("ff2.weight", "transformer_encoder.linear2.weight"),
            ("ff2.bias", "transformer_encoder.linear2.bias"),
            ("norm1.weight", "transformer_encoder.norm1.weight"),
            ("norm1.bias", "transformer_encoder.norm1.bias"),
            ("norm2.weight", "transformer_encoder.norm2.weight"),
            ("norm2.bias", "transformer_encoder.norm2.bias"),
            ("det.weight", "fc.0.weight"),
            ("seg.weight", "fc1.0.weight"),
        ],
    }
}

/// A shape of `rank` sides: a 1 x 1 convolution's kernel is a matrix.
fn squeezed(shape: &[usize], rank: usize) -> &[usize] {
    match shape.split_last() {
        Some((1, rest)) if rest.len() == rank => rest,
        _ => shape,
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let difference = squares(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let norm = squares(&mut b.iter().map(|v| f64::from(*v)));
    (difference / norm.max(f64::MIN_POSITIVE)).sqrt()
}

impl Contents {
    /// What tensors of these names and shapes show; `None` where they are not a checkpoint's.
    pub(crate) fn of<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Option<Self> {
        let shapes: BTreeMap<&str, &[usize]> = tensors.collect();
        let branches: Vec<String> = Side::BOTH
            .iter()
            .map(|side| side.name())
            .filter(|side| shapes.keys().any(|name| name.starts_with(&format!("{side}_det_adapters."))))
            .map(str::to_owned)
            .collect();
        let prefix = format!("{}_det_adapters.", branches.first()?);
        let parts_of: BTreeMap<&str, &[usize]> =
            shapes.iter().filter_map(|(name, shape)| Some((name.strip_prefix(&prefix)?, *shape))).collect();
        let indices: BTreeSet<&str> = parts_of.keys().filter_map(|name| Some(name.split_once('.')?.0)).collect();
        let adapter = [Adapter::Linear, Adapter::Conv, Adapter::Transformer].into_iter().find(|adapter| {
            // Each kind has a first tensor and a number of them that no other has.
            parts(*adapter).iter().all(|(_, part)| parts_of.contains_key(format!("0.{part}").as_str()))
                && parts(*adapter).len() == parts_of.keys().filter(|name| name.starts_with("0.")).count()
        });
        let head = adapter.and_then(|adapter| {
            let (_, det) = parts(adapter).iter().find(|(ours, _)| *ours == "det.weight")?;
            parts_of.get(format!("0.{det}").as_str()).copied()
        });
        let context = |side: &str, position: PromptPosition| {
            let position = position.name();
            shapes.get(format!("prompt_maker_{side}.prompt_learner.ctx.{side}_{position}").as_str()).copied()
        };
        let learned = |side: &str| PromptPosition::ALL.into_iter().filter(|p| context(side, *p).is_some()).collect();
        let (normal, abnormal): (Vec<PromptPosition>, Vec<PromptPosition>) = (learned("normal"), learned("abnormal"));
        let first = abnormal.first().and_then(|position| context("abnormal", *position));
        Some(Self {
            adapter,
            branches,
            taps: indices.len(),
            width: head.and_then(|shape| shape.get(1).copied()),
            embed: head.and_then(|shape| shape.first().copied()),
            prompts: match (normal.is_empty(), abnormal.is_empty()) {
                (_, true) => Prompts::Fixed,
                (true, false) => Prompts::LearnedAbnormal,
                (false, false) => Prompts::Learned,
            },
            prompt_positions: abnormal,
            context: first.and_then(|shape| Some((*shape.get(1)?, *shape.get(2)?))),
        })
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter {
            Some(adapter) => write!(f, "`adapter = \"{}\"`", name(&adapter))?,
            None => f.write_str("adapters of an unknown kind")?,
        }
        write!(f, " on {} taps", self.taps)?;
        if let (Some(width), Some(embed)) = (self.width, self.embed) {
            write!(f, " of width {width}, embedding {embed}")?;
        }
        let branches = if self.branches.len() == 2 { "dual".to_owned() } else { self.branches.join(", ") };
        write!(f, ", `branches = \"{branches}\"`, `prompts = \"{}\"`", name(&self.prompts))?;
        if let Some((tokens, width)) = self.context {
            let positions: Vec<String> =
                self.prompt_positions.iter().map(|position| format!("\"{}\"", position.name())).collect();
            let positions = positions.join(", ");
            write!(f, ", `prompt_positions = [{positions}]`, `context_tokens = {tokens}` of width {width}")?;
        }
        Ok(())
    }
}

/// An option's value as experiment files have it.
fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_method::options::AdapterAttention;

    const WIDTH: usize = 16;
    const EMBED: usize = 8;

    fn options(adapter: Adapter, prompts: Prompts) -> Options {
        Options {
            image_size: 32,
            taps: vec![2, 5],
            adapter,
            adapter_attention: AdapterAttention::Tokens,
            prompts,
            ..Options::default()
        }
    }

    fn arch() -> Arch {
        Arch {
            image_size: 32,
            patch: 8,
            width: WIDTH,
            layers: 5,
            heads: 1,
            embed: EMBED,
            vocab: 10,
            context: 7,
            text_width: 4,
            text_layers: 1,
            text_heads: 1,
        }
    }

    #[test]
    fn every_kind_of_model_the_authors_can_train_is_known_by_its_names() {
        for adapter in [Adapter::Linear, Adapter::Conv, Adapter::Transformer] {
            for prompts in [Prompts::Learned, Prompts::LearnedAbnormal, Prompts::Fixed] {
                let options = options(adapter, prompts);
                let all = parameters(&options, &arch());
                let named: Option<Vec<(String, Vec<usize>)>> =
                    all.into_iter().map(|p| Some((theirs(&p.name, &options)?, p.shape))).collect();
                let named = named.unwrap_or_default();
                let shapes: BTreeMap<&str, &[usize]> =
                    named.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
                assert_eq!(shapes.len(), named.len(), "no name stands for two tensors");
                let learned = prompts != Prompts::Fixed;
                let expected = Contents {
                    adapter: Some(adapter),
                    branches: vec!["normal".to_owned(), "abnormal".to_owned()],
                    taps: 2,
                    width: Some(WIDTH),
                    embed: Some(EMBED),
                    prompts,
                    prompt_positions: if learned { PromptPosition::ALL.to_vec() } else { Vec::new() },
                    context: learned.then_some((8, 4)),
                };
                assert_eq!(Contents::of(shapes.into_iter()), Some(expected));
            }
        }
    }

    #[test]
    fn names_are_those_of_the_authors_modules() {
        let of = |adapter, name| theirs(name, &options(adapter, Prompts::Learned));
        let is = |found: Option<String>, expected: &str| assert_eq!(found.as_deref(), Some(expected));
        is(of(Adapter::Linear, "normal.5.shared.weight"), "normal_det_adapters.1.fc1.0.weight");
        is(of(Adapter::Conv, "abnormal.2.shared.bias"), "abnormal_det_adapters.0.cnn.0.bias");
        is(of(Adapter::Transformer, "abnormal.5.seg.weight"), "abnormal_det_adapters.1.fc1.0.weight");
        is(
            of(Adapter::Transformer, "normal.2.attn.in_proj.bias"),
            "normal_det_adapters.0.transformer_encoder.self_attn.in_proj_bias",
        );
        is(of(Adapter::Linear, "prompt.abnormal.middle"), "prompt_maker_abnormal.prompt_learner.ctx.abnormal_middle");
        let single = Options { branches: Branches::Normal, ..options(Adapter::Linear, Prompts::Learned) };
        assert_eq!(theirs("normal.2.det.weight", &single), None);
        assert_eq!(of(Adapter::Linear, "text.normal"), None);
        assert_eq!(squeezed(&[16, 16, 1], 2), [16, 16]);
        assert_eq!(squeezed(&[16, 1], 2), [16, 1]);
    }

    #[test]
    fn tensors_of_something_else_are_not_a_checkpoint() {
        let shape: &[usize] = &[2, 2];
        assert_eq!(Contents::of([("visual.proj", shape)].into_iter()), None);
        let strange = Contents::of([("normal_det_adapters.0.other", shape)].into_iter());
        assert!(strange.is_some_and(|contents| contents.adapter.is_none() && contents.width.is_none()));
    }
}
