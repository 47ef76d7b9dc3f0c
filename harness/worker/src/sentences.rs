//! The sentences of a training as a trainer takes them: tokenised, token vectors gathered (docs/method.md section 4).

use harness_backend_abi::host::NamedTensor;
use harness_method::options::{Prompts, Side};
use harness_method::{Options, prompts};
use harness_weights::Weights;

use crate::error::Error;

/// One side's sentences.
struct Rows {
    prefix: String,
    count: [usize; 1],
    embedded_shape: [usize; 3],
    embedded: Vec<f32>,
    eot: Vec<u32>,
    /// Empty for fixed sentences.
    lengths: Vec<u32>,
    names: [String; 3],
}

/// Both sides' sentences; none under `free`.
pub(crate) struct Sentences(Vec<Rows>);

impl Sentences {
    /// What `object` is called in the sentences of `options`.
    pub(crate) fn new(options: &Options, object: &str, weights: &Weights) -> Result<Self, Error> {
        if options.prompts == Prompts::Free {
            return Ok(Self(Vec::new()));
        }
        let arch = weights.arch();
        let rows = Side::BOTH.into_iter().map(|side| {
            let learned = options.prompts.learned_sides().contains(&side);
            let (kind, made) = if learned {
                ("prompt", prompts::learned(side, object, options.context_tokens, arch.context)?)
            } else {
                ("fixed", prompts::fixed(side, object, arch.context)?)
            };
            let prefix = format!("{kind}.{}", side.name());
            Ok(Rows {
                count: [made.tokens.len()],
                embedded_shape: [made.tokens.len(), arch.context, arch.text_width],
                embedded: weights.gather_token_embeddings(&made.tokens.concat())?,
                eot: made.eot.iter().map(|&index| index as u32).collect(),
                lengths: made.lengths.iter().map(|&length| length as u32).collect(),
                names: ["embedded", "eot", "lengths"].map(|name| format!("{prefix}.{name}")),
                prefix,
            })
        });
        Ok(Self(rows.collect::<Result<_, Error>>()?))
    }

    /// Whether a text tower is needed.
    pub(crate) fn need_text_tower(&self) -> bool {
        !self.0.is_empty()
    }

    /// As the backend takes them.
    pub(crate) fn tensors(&self) -> Vec<NamedTensor<'_>> {
        let mut tensors = Vec::new();
        for rows in &self.0 {
            tensors.push(NamedTensor::f32(&rows.names[0], &rows.embedded_shape, &rows.embedded));
            tensors.push(NamedTensor::u32(&rows.names[1], &rows.count, &rows.eot));
            if rows.prefix.starts_with("prompt") {
                tensors.push(NamedTensor::u32(&rows.names[2], &rows.count, &rows.lengths));
            }
        }
        tensors
    }
}
