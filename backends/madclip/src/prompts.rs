//! Text of the two classes as unit vectors: fixed sentences, trained context, or free vectors (docs/method.md section
//! 4).

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use harness_method::Options;
use harness_method::options::{PromptMask, PromptPosition, Prompts, Side};
use harness_method::parameters::STATES;

use crate::kernels::Kernels;
use crate::parameters::Parameters;
use crate::tensors::to_device;
use crate::{ModelError, TextTower};

/// Sentences of one class as the host hands them over, with their token vectors gathered.
#[derive(Clone, Debug, Default)]
pub struct Sentences {
    /// Token vectors without positions, `[N, context, Wt]` row-major.
    pub embedded: Vec<f32>,
    /// End-of-text index of each sentence, N.
    pub eot: Vec<usize>,
    /// Tokens of each state's phrase, N; empty for fixed sentences.
    pub lengths: Vec<usize>,
}

/// Text of both classes.
#[derive(Debug)]
pub(crate) enum Text<B: Backend, K: Kernels<B>> {
    /// Two trained vectors.
    Free,
    /// Vectors that never change: computed once.
    Fixed([Tensor<B, 1>; 2]),
    /// Trained context in the sentences of both classes.
    Learned(Learned<B, K>),
    /// A normal vector that never changes, and trained context in the abnormal class's sentences.
    LearnedAbnormal(Tensor<B, 1>, Learned<B, K>),
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
        if options.prompts == Prompts::Free {
            return Ok(Self::Free);
        }
        let tower =
            tower.ok_or_else(|| ModelError::Invalid("prompts other than `free` need a text tower".to_owned()))?;
        let fixed = |side: Side, sentences: &Sentences| {
            check(side, sentences, &tower)?;
            let shape = [sentences.eot.len(), tower.context(), tower.width()];
            Ok::<_, ModelError>(fixed(&tower, to_device(sentences.embedded.clone(), shape, device), &sentences.eot))
        };
        let [normal, abnormal] = sentences;
        Ok(match options.prompts {
            Prompts::Free => Self::Free,
            Prompts::Fixed => Self::Fixed([fixed(Side::Normal, normal)?, fixed(Side::Abnormal, abnormal)?]),
            Prompts::Learned => {
                let both = [(Side::Normal, normal), (Side::Abnormal, abnormal)];
                Self::Learned(Learned::new(options, tower, &both, device)?)
            }
            Prompts::LearnedAbnormal => {
                let normal = fixed(Side::Normal, normal)?;
                Self::LearnedAbnormal(normal, Learned::new(options, tower, &[(Side::Abnormal, abnormal)], device)?)
            }
        })
    }

    /// `(t_n, t_ab)`, `[E]` each, unit length.
    pub(crate) fn pair(&self, parameters: &Parameters<B>) -> [Tensor<B, 1>; 2] {
        let mean = |means: &Tensor<B, 2>, i: usize| unit(means.clone().narrow(0, i, 1).squeeze_dims(&[0]));
        match self {
            Self::Free => Side::BOTH.map(|side| unit(parameters.get(&format!("text.{}", side.name())))),
            Self::Fixed(pair) => pair.clone(),
            Self::Learned(learned) => {
                let means = learned.means(parameters);
                [mean(&means, 0), mean(&means, 1)]
            }
            Self::LearnedAbnormal(normal, learned) => [normal.clone(), mean(&learned.means(parameters), 0)],
        }
    }
}

/// Sentences with trained context, of one class or of both.
#[derive(Debug)]
pub(crate) struct Learned<B: Backend, K: Kernels<B>> {
    tower: TextTower<B, K>,
    /// For each class the token vectors of its sentences, `[N * context, Wt]`.
    sides: Vec<(Side, Tensor<B, 2>)>,
    positions: Vec<PromptPosition>,
    /// For each token that goes through the tower, its row in the table of [`Learned::table`].
    rows: Tensor<B, 1, Int>,
    /// End-of-text index of each sentence that does.
    ends: Vec<usize>,
    causal: bool,
}

impl<B: Backend, K: Kernels<B>> Learned<B, K> {
    fn new(
        options: &Options,
        tower: TextTower<B, K>,
        classes: &[(Side, &Sentences)],
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let (tokens, width, context_tokens) = (tower.context(), tower.width(), options.context_tokens);
        let (mut sides, mut rows, mut ends, mut table) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for &(side, sentences) in classes {
            check(side, sentences, &tower)?;
            check_learned(side, sentences, tokens, context_tokens)?;
            let n = sentences.eot.len();
            for (number, &position) in options.prompt_positions.iter().enumerate() {
                let context = table + n * (tokens + number * context_tokens);
                for (i, &length) in sentences.lengths.iter().enumerate() {
                    let (sentence, context) = (table + i * tokens, context + i * context_tokens);
                    let origins = arrangement(position, context_tokens, length, tokens);
                    rows.extend(origins.map(|origin| match origin {
                        Origin::Sentence(token) => (sentence + token) as i32,
                        Origin::Context(token) => (context + token) as i32,
                    }));
                }
                ends.extend_from_slice(&sentences.eot);
            }
            table += n * (tokens + options.prompt_positions.len() * context_tokens);
            sides.push((side, to_device(sentences.embedded.clone(), [n * tokens, width], device)));
        }
        let count = rows.len();
        Ok(Self {
            tower,
            sides,
            positions: options.prompt_positions.clone(),
            rows: Tensor::from_data(TensorData::new(rows, [count]), device),
            ends,
            causal: options.prompt_mask == PromptMask::Causal,
        })
    }

    /// Mean features of each class, `[classes, E]`. All sentences go through the tower together: fewer, larger
    /// products.
    fn means(&self, parameters: &Parameters<B>) -> Tensor<B, 2> {
        let rows = self.table(parameters).select(0, self.rows.clone());
        let rows = rows.reshape([self.ends.len(), self.tower.context(), self.tower.width()]);
        let encoded = self.tower.encode(rows, &self.ends, self.causal);
        let ([n, width], classes) = (encoded.dims(), self.sides.len());
        encoded.reshape([classes, n / classes, width]).mean_dim(1).squeeze_dims(&[1])
    }

    /// All vectors of the sentences: for each class its tokens, then its trained contexts, position by position.
    fn table(&self, parameters: &Parameters<B>) -> Tensor<B, 2> {
        let mut parts = Vec::new();
        for (side, embedded) in &self.sides {
            parts.push(embedded.clone());
            for position in &self.positions {
                let context = parameters.get::<3>(&format!("prompt.{}.{}", side.name(), position.name()));
                let [sentences, tokens, width] = context.dims();
                parts.push(context.reshape([sentences * tokens, width]));
            }
        }
        Tensor::cat(parts, 0)
    }
}

/// Where a token of a sentence with trained context comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The tokenised sentence's own token.
    Sentence(usize),
    /// A trained vector.
    Context(usize),
}

/// A sentence of `tokens` tokens "start, n placeholders, phrase, rest" with `n` trained vectors for the placeholders,
/// around the phrase as the position says.
fn arrangement(position: PromptPosition, n: usize, phrase: usize, tokens: usize) -> impl Iterator<Item = Origin> {
    let before = match position {
        PromptPosition::End => n,
        PromptPosition::Front => 0,
        PromptPosition::Middle => n / 2,
    };
    let rest = 1 + n + phrase;
    let start = std::iter::once(Origin::Sentence(0)).chain((0..before).map(Origin::Context));
    let middle = (1 + n..rest).map(Origin::Sentence).chain((before..n).map(Origin::Context));
    start.chain(middle).chain((rest..tokens).map(Origin::Sentence))
}

/// Ensemble of fixed sentences: unit length each, mean, unit length. The causal mask is always on.
fn fixed<B: Backend, K: Kernels<B>>(tower: &TextTower<B, K>, embedded: Tensor<B, 3>, eot: &[usize]) -> Tensor<B, 1> {
    let mut sum = Tensor::zeros([1, tower.embed()], &embedded.device());
    for (i, chunk) in eot.chunks(FIXED_BATCH).enumerate() {
        let features = tower.encode(embedded.clone().narrow(0, i * FIXED_BATCH, chunk.len()), chunk, true);
        let length = (features.clone() * features.clone()).sum_dim(1).sqrt();
        sum = sum + (features / length).sum_dim(0);
    }
    unit(sum.squeeze_dims(&[0]))
}

fn unit<B: Backend>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    let length = (x.clone() * x.clone()).sum().sqrt();
    x / length
}

fn check<B: Backend, K: Kernels<B>>(
    side: Side,
    sentences: &Sentences,
    tower: &TextTower<B, K>,
) -> Result<(), ModelError> {
    let n = sentences.eot.len();
    if n == 0 || sentences.embedded.len() != n * tower.context() * tower.width() {
        return invalid(side, &format!("{n} sentences with {} values", sentences.embedded.len()));
    }
    if let Some(eot) = sentences.eot.iter().find(|eot| **eot >= tower.context()) {
        return invalid(side, &format!("end-of-text at {eot} in a context of {}", tower.context()));
    }
    Ok(())
}

/// What trained context needs besides: a sentence for each state, and room for the phrase behind the context.
fn check_learned(side: Side, sentences: &Sentences, context: usize, context_tokens: usize) -> Result<(), ModelError> {
    let (n, lengths) = (sentences.eot.len(), &sentences.lengths);
    if n != STATES || lengths.len() != n {
        return invalid(side, &format!("{n} sentences and {} phrase lengths, expected {STATES} each", lengths.len()));
    }
    if lengths.iter().any(|length| 1 + context_tokens + length >= context) {
        return invalid(side, "a phrase does not fit behind the trained context");
    }
    Ok(())
}

fn invalid(side: Side, what: &str) -> Result<(), ModelError> {
    Err(ModelError::Invalid(format!("sentences of the {} class: {what}", side.name())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_method::options::Activation;

    use super::*;
    use crate::Plain;
    use crate::testing::{B, DEVICE, arch, assert_close, host, initial, options, random, weights};

    fn tower() -> TextTower<B, Plain> {
        TextTower::load(&weights(), &arch(), Activation::Gelu, &DEVICE).unwrap()
    }

    /// `n` sentences whose phrases have 1, 2, 3, 1, 2, ... tokens.
    fn sentences(name: &str, n: usize) -> Sentences {
        let lengths: Vec<usize> = (0..n).map(|i| 1 + i % 3).collect();
        // Start, two placeholders, the phrase, the full stop.
        let eot = lengths.iter().map(|length| 1 + 2 + length + 1).collect();
        Sentences { embedded: host(random(name, [n, 14, 8])), eot, lengths }
    }

    fn text(options: &Options, sentences: [Sentences; 2]) -> Result<Text<B, Plain>, ModelError> {
        Text::new(options, Some(tower()), &sentences, &DEVICE)
    }

    fn pair(options: &Options, sentences: [Sentences; 2]) -> [Vec<f32>; 2] {
        text(options, sentences).unwrap().pair(&initial(options)).map(host)
    }

    fn length(x: &[f32]) -> f32 {
        x.iter().map(|x| x * x).sum::<f32>().sqrt()
    }

    fn with(prompts: Prompts) -> Options {
        Options { prompts, ..options() }
    }

    #[test]
    fn contexts_stand_before_after_or_around_the_phrase() {
        use Origin::{Context as C, Sentence as S};
        let found = |position, n| arrangement(position, n, 2, 8).collect::<Vec<_>>();
        // Start, three placeholders (1 to 3), a phrase of two (4 and 5), the rest (6 and 7).
        assert_eq!(found(PromptPosition::End, 3), [S(0), C(0), C(1), C(2), S(4), S(5), S(6), S(7)]);
        assert_eq!(found(PromptPosition::Front, 3), [S(0), S(4), S(5), C(0), C(1), C(2), S(6), S(7)]);
        assert_eq!(found(PromptPosition::Middle, 3), [S(0), C(0), S(4), S(5), C(1), C(2), S(6), S(7)]);
        assert_eq!(found(PromptPosition::Middle, 0), [S(0), S(1), S(2), S(3), S(4), S(5), S(6), S(7)]);
    }

    #[test]
    fn every_kind_of_prompt_gives_unit_vectors() {
        for prompts in Prompts::ALL {
            let n = if prompts == Prompts::Fixed { 4 } else { STATES };
            for vector in pair(&with(prompts), [sentences("normal", n), sentences("abnormal", n)]) {
                assert!((length(&vector) - 1.0).abs() < 1e-5, "{prompts:?}");
            }
        }
    }

    #[test]
    fn free_vectors_are_the_parameters_at_unit_length_and_need_no_tower() {
        let free = Text::<B, Plain>::new(&with(Prompts::Free), None, &Default::default(), &DEVICE).unwrap();
        let parameters = initial(&options());
        for (vector, name) in free.pair(&parameters).into_iter().zip(["text.normal", "text.abnormal"]) {
            let given = host(parameters.get::<1>(name));
            let unit: Vec<f32> = given.iter().map(|x| x / length(&given)).collect();
            assert_close(&host(vector), &unit, 1e-6);
        }
    }

    #[test]
    fn a_fixed_ensemble_larger_than_a_batch_is_the_mean_of_its_unit_features() {
        let n = 2 * FIXED_BATCH + 3;
        let normal = sentences("normal", n);
        let features = tower().encode(random("normal", [n, 14, 8]), &normal.eot, true);
        let mut mean = vec![0.0; 12];
        for feature in host(features).chunks(12) {
            mean.iter_mut().zip(feature).for_each(|(sum, x)| *sum += x / length(feature));
        }
        let expected: Vec<f32> = mean.iter().map(|x| x / length(&mean)).collect();
        let [found, _] = pair(&with(Prompts::Fixed), [normal, sentences("abnormal", 1)]);
        assert_close(&found, &expected, 1e-5);
    }

    #[test]
    fn learned_vectors_are_the_mean_over_states_and_positions() {
        let positions = [PromptPosition::End, PromptPosition::Front];
        let options = Options { prompt_positions: positions.to_vec(), ..with(Prompts::Learned) };
        let parameters = initial(&options);
        let given = [sentences("normal", STATES), sentences("abnormal", STATES)];
        let found = pair(&options, given.clone());
        for ((side, sentences), found) in ["normal", "abnormal"].iter().zip(given).zip(found) {
            let mut mean = vec![0.0; 12];
            for position in positions {
                let context = host(parameters.get::<3>(&format!("prompt.{side}.{}", position.name())));
                for i in 0..STATES {
                    let row = |origin| match origin {
                        Origin::Sentence(token) => &sentences.embedded[(i * 14 + token) * 8..][..8],
                        Origin::Context(token) => &context[(i * 2 + token) * 8..][..8],
                    };
                    let rows: Vec<f32> =
                        arrangement(position, 2, sentences.lengths[i], 14).flat_map(row).copied().collect();
                    let feature = tower().encode(crate::testing::tensor(&rows, [1, 14, 8]), &[sentences.eot[i]], false);
                    mean.iter_mut().zip(host(feature)).for_each(|(sum, x)| *sum += x);
                }
            }
            let expected: Vec<f32> = mean.iter().map(|x| x / length(&mean)).collect();
            assert_close(&found, &expected, 1e-5);
        }
    }

    #[test]
    fn learned_abnormal_is_the_fixed_vector_beside_the_learned_one() {
        let given = || [sentences("normal", STATES), sentences("abnormal", STATES)];
        let [fixed, _] = pair(&with(Prompts::Fixed), given());
        let [_, learned] = pair(&with(Prompts::Learned), given());
        let [normal, abnormal] = pair(&with(Prompts::LearnedAbnormal), given());
        assert_close(&normal, &fixed, 1e-6);
        assert_close(&abnormal, &learned, 1e-5);
    }

    #[test]
    fn sentences_that_do_not_fit_are_errors_that_name_the_class() {
        let refused = |prompts, change: &dyn Fn(&mut Sentences)| {
            let mut abnormal = sentences("abnormal", STATES);
            change(&mut abnormal);
            text(&with(prompts), [sentences("normal", STATES), abnormal]).unwrap_err().to_string()
        };
        type Change<'a> = &'a dyn Fn(&mut Sentences);
        let cases: [(Prompts, Change<'_>, &str); 5] = [
            (Prompts::Fixed, &|s| s.embedded.truncate(5), "7 sentences with 5 values"),
            (Prompts::Fixed, &|s| *s = Sentences::default(), "0 sentences with 0 values"),
            (Prompts::Fixed, &|s| s.eot[6] = 14, "end-of-text at 14 in a context of 14"),
            (Prompts::Learned, &|s| s.lengths.truncate(6), "7 sentences and 6 phrase lengths, expected 7 each"),
            (Prompts::LearnedAbnormal, &|s| s.lengths[0] = 11, "does not fit behind the trained context"),
        ];
        for (prompts, change, expected) in cases {
            let message = refused(prompts, change);
            assert!(message.contains("of the abnormal class") && message.contains(expected), "{message}");
        }
        let few = text(&with(Prompts::Learned), [sentences("normal", 3), sentences("abnormal", STATES)]);
        assert!(few.unwrap_err().to_string().contains("3 sentences and 3 phrase lengths, expected 7 each"));
        let without = Text::<B, Plain>::new(&with(Prompts::Fixed), None, &Default::default(), &DEVICE);
        assert!(without.unwrap_err().to_string().contains("need a text tower"));
    }
}
