//! The trainable tensors: names, shapes and initial values (docs/method.md sections 2, 4 and 5).

use crate::options::{Adapter, Loss, Options, Prompts, Side};
use crate::{Arch, streams};

/// States of a class: the sentences of a side in learned prompts.
pub const STATES: usize = 7;

/// The logarithm of the temperature of `loss = "siglip-scaled"`.
pub const TEMPERATURE: &str = "loss.temperature";
/// The bias of `loss = "siglip-scaled"`.
pub const BIAS: &str = "loss.bias";

/// How a trainable tensor begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Every element the same.
    Constant(f32),
    /// Uniform in `(-bound, bound)`.
    Uniform(f64),
    /// Normal with mean 0 and this deviation.
    Normal(f64),
}

/// A trainable tensor before it has values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Name, as in states and golden cases.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// How it begins.
    pub initial: Initial,
}

impl Parameter {
    /// Initial values under a run's seed, row-major.
    pub fn values(&self, seed: u64) -> Vec<f32> {
        let n = self.shape.iter().product();
        match self.initial {
            Initial::Constant(value) => vec![value; n],
            Initial::Uniform(bound) => streams::uniform(&self.name, seed, n, bound),
            Initial::Normal(std) => streams::normal(&self.name, seed, n, 0.0, std),
        }
    }
}

/// Every trainable tensor of a model, in the order of the reference.
pub fn parameters(options: &Options, arch: &Arch) -> Vec<Parameter> {
    let mut all = Vec::new();
    for branch in options.branches.names() {
        for tap in &options.taps {
            all.extend(adapter(options.adapter, &format!("{branch}.{tap}"), arch.width, arch.embed));
        }
    }
    for side in options.prompts.learned_sides() {
        for position in &options.prompt_positions {
            all.push(Parameter {
                name: format!("prompt.{}.{}", side.name(), position.name()),
                shape: vec![STATES, options.context_tokens, arch.text_width],
                initial: Initial::Normal(0.02),
            });
        }
    }
    if options.prompts == Prompts::Free {
        all.extend(Side::BOTH.map(|side| Parameter {
            name: format!("text.{}", side.name()),
            shape: vec![arch.embed],
            initial: Initial::Normal((arch.embed as f64).powf(-0.5)),
        }));
    }
    if options.loss == Loss::SiglipScaled {
        // SigLIP's own: t' = log 10 and b = -10.
        for (name, value) in [(TEMPERATURE, std::f64::consts::LN_10 as f32), (BIAS, -10.0)] {
            all.push(Parameter { name: name.to_owned(), shape: vec![1], initial: Initial::Constant(value) });
        }
    }
    all
}

fn adapter(kind: Adapter, prefix: &str, width: usize, embed: usize) -> Vec<Parameter> {
    let fan_in = Initial::Uniform((width as f64).powf(-0.5));
    let xavier = Initial::Uniform((6.0 / (4 * width) as f64).sqrt());
    let (zero, one) = (Initial::Constant(0.0), Initial::Constant(1.0));
    let (square, row) = (vec![width, width], vec![width]);
    let mut tensors: Vec<(&str, Vec<usize>, Initial)> = match kind {
        Adapter::Linear => vec![("shared.weight", square, fan_in)],
        Adapter::Conv => vec![("shared.weight", square, fan_in), ("shared.bias", row, fan_in)],
        Adapter::Transformer => vec![
            ("attn.in_proj.weight", vec![3 * width, width], xavier),
            ("attn.in_proj.bias", vec![3 * width], zero),
            ("attn.out_proj.weight", square.clone(), fan_in),
            ("attn.out_proj.bias", row.clone(), zero),
            ("ff1.weight", square.clone(), fan_in),
            ("ff1.bias", row.clone(), fan_in),
            ("ff2.weight", square, fan_in),
            ("ff2.bias", row.clone(), fan_in),
            ("norm1.weight", row.clone(), one),
            ("norm1.bias", row.clone(), zero),
            ("norm2.weight", row.clone(), one),
            ("norm2.bias", row, zero),
        ],
    };
    tensors.push(("det.weight", vec![embed, width], fan_in));
    tensors.push(("seg.weight", vec![embed, width], fan_in));
    tensors
        .into_iter()
        .map(|(name, shape, initial)| Parameter { name: format!("{prefix}.{name}"), shape, initial })
        .collect()
}
