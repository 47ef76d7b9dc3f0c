//! Text of the two classes as unit vectors: fixed sentences, trained context, or free vectors (METHOD.md section 4).

use burn::tensor::{Tensor, backend::Backend};
use harness_method::Options;
use harness_method::options::{PromptMask, PromptPosition, Prompts, Side};

use crate::kernels::Kernels;
use crate::tensors::to_device;
use crate::trainer::Parameters;
use crate::{ModelError, TextTower};

/// Sentences of one class as the host hands them over: token vectors are gathered, nothing is tokenised here.
#[derive(Clone, Debug, Default)]
pub struct Sentences {
    /// Token vectors without positions, `[N, context, Wt]` row-major.
    pub embedded: Vec<f32>,
    /// End-of-text index of each sentence, N.
    pub eot: Vec<usize>,
    /// Tokens of each state's phrase, N; empty for fixed sentences.
    pub lengths: Vec<usize>,
}

/// What supplies one class's text vector.
#[derive(Clone, Debug)]
enum Source<B: Backend> {
    /// Never changes: computed once.
    Fixed(Tensor<B, 1>),
    /// Sentences whose context vectors are trained.
    Learned { embedded: Tensor<B, 3>, eot: Vec<usize>, lengths: Vec<usize> },
    /// A trained vector.
    Free,
}

/// Text of both classes.
#[derive(Debug)]
pub(crate) struct Text<B: Backend, K: Kernels<B>> {
    tower: Option<TextTower<B, K>>,
    sides: [Source<B>; 2],
    positions: Vec<PromptPosition>,
    context_tokens: usize,
    causal: bool,
}

/// Fixed sentences that go through the text tower at once.
const FIXED_BATCH: usize = 35;

impl<B: Backend, K: Kernels<B>> Text<B, K> {
    /// `sentences` of the normal and the abnormal class; not read under `free`.
    pub(crate) fn new(
        options: &Options,
        tower: Option<TextTower<B, K>>,
        sentences: &[Sentences; 2],
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let source = |side: Side, sentences: &Sentences| -> Result<Source<B>, ModelError> {
            if options.prompts == Prompts::Free {
                return Ok(Source::Free);
            }
            let tower = tower
                .as_ref()
                .ok_or_else(|| ModelError::Invalid("prompts other than `free` need a text tower".into()))?;
            let learned = options.prompts.learned_sides().contains(&side);
            check(side, sentences, tower, learned, options.context_tokens)?;
            let n = sentences.eot.len();
            let embedded = to_device(sentences.embedded.clone(), [n, tower.context(), tower.width()], device);
            if learned {
                let (eot, lengths) = (sentences.eot.clone(), sentences.lengths.clone());
                return Ok(Source::Learned { embedded, eot, lengths });
            }
            Ok(Source::Fixed(fixed(tower, embedded, &sentences.eot)))
        };
        Ok(Self {
            sides: [source(Side::Normal, &sentences[0])?, source(Side::Abnormal, &sentences[1])?],
            tower,
            positions: options.prompt_positions.clone(),
            context_tokens: options.context_tokens,
            causal: options.prompt_mask == PromptMask::Causal,
        })
    }

    /// `(t_n, t_ab)`, `[E]` each, unit length.
    pub(crate) fn pair(&self, parameters: &Parameters<B>) -> [Tensor<B, 1>; 2] {
        // Both classes' rows go through the tower together: fewer, larger products.
        let mut rows = Vec::new();
        let mut ends = Vec::new();
        for (side, source) in Side::BOTH.iter().zip(&self.sides) {
            if let Source::Learned { embedded, eot, lengths } = source {
                for position in &self.positions {
                    let context = parameters.get(&format!("prompt.{}.{}", side.name(), position.name()));
                    rows.push(self.insert(embedded, lengths, *position, context));
                    ends.extend_from_slice(eot);
                }
            }
        }
        let mut features = match &self.tower {
            Some(tower) if !rows.is_empty() => {
                let counts = rows.len();
                let encoded = tower.encode(Tensor::cat(rows, 0), &ends, self.causal);
                let sides = counts / self.positions.len();
                let [n, width] = encoded.dims();
                encoded.reshape([sides, n / sides, width]).mean_dim(1).split(1, 0)
            }
            _ => Vec::new(),
        }
        .into_iter();
        let mut vector = |side: usize| match &self.sides[side] {
            Source::Fixed(text) => text.clone(),
            Source::Free => unit(parameters.get(&format!("text.{}", Side::BOTH[side].name()))),
            Source::Learned { .. } => match features.next() {
                Some(mean) => unit(mean.squeeze_dims(&[0, 1])),
                None => unreachable!("each learned class added rows above"),
            },
        };
        [vector(0), vector(1)]
    }

    /// Sentences with their placeholder vectors replaced by trained `context` `[N, n, Wt]`, at one position.
    fn insert(
        &self,
        embedded: &Tensor<B, 3>,
        lengths: &[usize],
        position: PromptPosition,
        context: Tensor<B, 3>,
    ) -> Tensor<B, 3> {
        let n = self.context_tokens;
        let [_, tokens, _] = embedded.dims();
        let sentences = lengths.iter().enumerate().map(|(i, &length)| {
            let sentence = |from: usize, to: usize| embedded.clone().narrow(0, i, 1).narrow(1, from, to - from);
            let trained = |from: usize, to: usize| context.clone().narrow(0, i, 1).narrow(1, from, to - from);
            let phrase = 1 + n + length;
            let mut parts = vec![sentence(0, 1)];
            let before = match position {
                PromptPosition::End => n,
                PromptPosition::Front => 0,
                PromptPosition::Middle => n / 2,
            };
            if before > 0 {
                parts.push(trained(0, before));
            }
            parts.push(sentence(1 + n, phrase));
            if before < n {
                parts.push(trained(before, n));
            }
            parts.push(sentence(phrase, tokens));
            Tensor::cat(parts, 1)
        });
        Tensor::cat(sentences.collect(), 0)
    }
}

/// Ensemble of fixed sentences: unit length each, mean, unit length. The causal mask is always on.
fn fixed<B: Backend, K: Kernels<B>>(tower: &TextTower<B, K>, embedded: Tensor<B, 3>, eot: &[usize]) -> Tensor<B, 1> {
    let mut sum: Option<Tensor<B, 2>> = None;
    for (i, chunk) in eot.chunks(FIXED_BATCH).enumerate() {
        let features = tower.encode(embedded.clone().narrow(0, i * FIXED_BATCH, chunk.len()), chunk, true);
        let length = (features.clone() * features.clone()).sum_dim(1).sqrt();
        let part = (features / length).sum_dim(0);
        sum = Some(match sum {
            Some(sum) => sum + part,
            None => part,
        });
    }
    match sum {
        Some(sum) => unit(sum.squeeze_dims(&[0])),
        None => unreachable!("checked to hold a sentence"),
    }
}

fn unit<B: Backend>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    let length = (x.clone() * x.clone()).sum().sqrt();
    x / length
}

fn check<B: Backend, K: Kernels<B>>(
    side: Side,
    sentences: &Sentences,
    tower: &TextTower<B, K>,
    learned: bool,
    context_tokens: usize,
) -> Result<(), ModelError> {
    let n = sentences.eot.len();
    let side = side.name();
    let invalid = |what: String| Err(ModelError::Invalid(format!("sentences of the {side} class: {what}")));
    if n == 0 || sentences.embedded.len() != n * tower.context() * tower.width() {
        return invalid(format!("{n} sentences with {} values", sentences.embedded.len()));
    }
    if let Some(eot) = sentences.eot.iter().find(|eot| **eot >= tower.context()) {
        return invalid(format!("end-of-text at {eot} in a context of {}", tower.context()));
    }
    if learned && sentences.lengths.len() != n {
        return invalid(format!("{n} sentences but {} phrase lengths", sentences.lengths.len()));
    }
    if learned && sentences.lengths.iter().any(|length| 1 + context_tokens + length >= tower.context()) {
        return invalid("a phrase does not fit behind the trained context".into());
    }
    Ok(())
}
