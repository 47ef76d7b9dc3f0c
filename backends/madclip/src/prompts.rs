//! Text of the two classes as unit vectors: fixed sentences, trained context, or free vectors (docs/method.md section 4).

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
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
    /// Sentences whose context vectors are trained: their token vectors, `[N * context, Wt]`.
    Learned(Tensor<B, 2>),
    /// A trained vector.
    Free,
}

/// Text of both classes.
#[derive(Debug)]
pub(crate) struct Text<B: Backend, K: Kernels<B>> {
    tower: Option<TextTower<B, K>>,
    sides: [Source<B>; 2],
    positions: Vec<PromptPosition>,
    /// For each token that goes through the tower, its row in the table of [`Text::table`].
    rows: Tensor<B, 1, Int>,
    /// End-of-text index of each sentence that does.
    ends: Vec<usize>,
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
        let (mut rows, mut ends, mut table) = (Vec::new(), Vec::new(), 0);
        let mut source = |side: Side, sentences: &Sentences| -> Result<Source<B>, ModelError> {
            if options.prompts == Prompts::Free {
                return Ok(Source::Free);
            }
            let tower = tower
                .as_ref()
                .ok_or_else(|| ModelError::Invalid("prompts other than `free` need a text tower".into()))?;
            let learned = options.prompts.learned_sides().contains(&side);
            check(side, sentences, tower, learned, options.context_tokens)?;
            let (n, tokens, width) = (sentences.eot.len(), tower.context(), tower.width());
            let embedded = to_device(sentences.embedded.clone(), [n, tokens, width], device);
            if !learned {
                return Ok(Source::Fixed(fixed(tower, embedded, &sentences.eot)));
            }
            for (number, &position) in options.prompt_positions.iter().enumerate() {
                let context = table + n * (tokens + number * options.context_tokens);
                for (i, &length) in sentences.lengths.iter().enumerate() {
                    let (sentence, context) = (table + i * tokens, context + i * options.context_tokens);
                    let places = arrangement(position, options.context_tokens, length, tokens);
                    rows.extend(places.map(|place| match place {
                        Place::Sentence(token) => (sentence + token) as i32,
                        Place::Context(token) => (context + token) as i32,
                    }));
                }
                ends.extend_from_slice(&sentences.eot);
            }
            table += n * (tokens + options.prompt_positions.len() * options.context_tokens);
            Ok(Source::Learned(embedded.reshape([n * tokens, width])))
        };
        let sides = [source(Side::Normal, &sentences[0])?, source(Side::Abnormal, &sentences[1])?];
        let count = rows.len();
        Ok(Self {
            sides,
            tower,
            positions: options.prompt_positions.clone(),
            rows: Tensor::from_data(TensorData::new(rows, [count]), device),
            ends,
            causal: options.prompt_mask == PromptMask::Causal,
        })
    }

    /// `(t_n, t_ab)`, `[E]` each, unit length.
    pub(crate) fn pair(&self, parameters: &Parameters<B>) -> [Tensor<B, 1>; 2] {
        let mut features = self.learned(parameters).into_iter();
        let mut vector = |side: usize| match &self.sides[side] {
            Source::Fixed(text) => text.clone(),
            Source::Free => unit(parameters.get(&format!("text.{}", Side::BOTH[side].name()))),
            Source::Learned(_) => match features.next() {
                Some(mean) => unit(mean.squeeze_dims(&[0, 1])),
                None => unreachable!("each learned class has rows"),
            },
        };
        [vector(0), vector(1)]
    }

    /// Mean features of each learned class, `[1, 1, E]`. Both classes' sentences go through the tower together: fewer,
    /// larger products.
    fn learned(&self, parameters: &Parameters<B>) -> Vec<Tensor<B, 3>> {
        let table = self.table(parameters);
        let sides = self.sides.iter().filter(|side| matches!(side, Source::Learned(_))).count();
        let (Some(tower), Some(table)) = (&self.tower, table) else { return Vec::new() };
        let rows = table.select(0, self.rows.clone());
        let rows = rows.reshape([self.ends.len(), tower.context(), tower.width()]);
        let encoded = tower.encode(rows, &self.ends, self.causal);
        let [n, width] = encoded.dims();
        encoded.reshape([sides, n / sides, width]).mean_dim(1).split(1, 0)
    }

    /// Every vector a learned sentence is made of: for each learned class its tokens, then its trained contexts, position
    /// by position.
    fn table(&self, parameters: &Parameters<B>) -> Option<Tensor<B, 2>> {
        let mut parts = Vec::new();
        for (side, source) in Side::BOTH.iter().zip(&self.sides) {
            let Source::Learned(embedded) = source else { continue };
            parts.push(embedded.clone());
            for position in &self.positions {
                let context = parameters.get::<3>(&format!("prompt.{}.{}", side.name(), position.name()));
                let [sentences, tokens, width] = context.dims();
                parts.push(context.reshape([sentences * tokens, width]));
            }
        }
        (!parts.is_empty()).then(|| Tensor::cat(parts, 0))
    }
}

/// Where a token of a sentence with trained context comes from.
enum Place {
    /// The tokenised sentence's own token.
    Sentence(usize),
    /// A trained vector.
    Context(usize),
}

/// A sentence of `tokens` tokens "start, n placeholders, phrase, rest" with `n` trained vectors for the placeholders, around
/// the phrase as the position says.
fn arrangement(position: PromptPosition, n: usize, phrase: usize, tokens: usize) -> impl Iterator<Item = Place> {
    let before = match position {
        PromptPosition::End => n,
        PromptPosition::Front => 0,
        PromptPosition::Middle => n / 2,
    };
    let rest = 1 + n + phrase;
    let start = std::iter::once(Place::Sentence(0)).chain((0..before).map(Place::Context));
    let middle = (1 + n..rest).map(Place::Sentence).chain((before..n).map(Place::Context));
    start.chain(middle).chain((rest..tokens).map(Place::Sentence))
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
