//! Detection: token similarities to an image's loss and score (docs/method.md sections 7 and 8).

use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::Options;
use harness_method::options::{Aggregation, Loss};
use harness_method::parameters::{BIAS, TEMPERATURE};

use crate::parameters::Parameters;
use crate::similarity::Similarity;

/// Over tokens: `[B, L]` to `[B]`.
pub(crate) fn aggregate<B: Backend>(kind: Aggregation, x: Tensor<B, 2>) -> Tensor<B, 1> {
    let x = match kind {
        Aggregation::Mean => x.mean_dim(1),
        Aggregation::Max => maximum(x),
        Aggregation::Both => x.clone().mean_dim(1) * 0.5 + maximum(x) * 0.5,
    };
    x.squeeze_dims(&[1])
}

/// Maximum over tokens, NaN where one of them is: Burn leaves open what a maximum makes of NaN. Every value times zero
/// is zero or NaN.
fn maximum<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    x.clone().max_dim(1) + (x * 0.0).sum_dim(1)
}

/// The factor of similarities in `cross-entropy`: CLIP's, which it was trained to and clipped at.
const CLIP_TEMPERATURE: f64 = 100.0;

/// Loss of one tap; `labels` `[B]`, 1 = abnormal.
pub(crate) fn loss<B: Backend>(
    options: &Options,
    parameters: &Parameters<B>,
    s: &Similarity<B>,
    labels: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let sign = || (labels.clone() * 2.0 - 1.0).unsqueeze_dim::<2>(1);
    let signed = |normal: Tensor<B, 2>, abnormal: Tensor<B, 2>| {
        let normal = activation::log_sigmoid(normal * -sign());
        let abnormal = activation::log_sigmoid(abnormal * sign());
        -(aggregate(options.aggregation, normal) + aggregate(options.aggregation, abnormal)).mean()
    };
    match options.loss {
        Loss::Siglip => signed(s.normal.clone(), s.abnormal.clone()),
        Loss::SiglipScaled => {
            let temperature = parameters.get::<1>(TEMPERATURE).exp().unsqueeze::<2>();
            let bias = parameters.get::<1>(BIAS).unsqueeze::<2>();
            let scaled = |s: &Tensor<B, 2>| s.clone() * temperature.clone() + bias.clone();
            signed(scaled(&s.normal), scaled(&s.abnormal))
        }
        Loss::CrossEntropy => {
            // Over two classes: the log-sigmoid of the signed difference.
            let of_tokens = activation::log_sigmoid(s.logit() * CLIP_TEMPERATURE * sign());
            -aggregate(options.aggregation, of_tokens).mean()
        }
        Loss::Contrastive => {
            let logit = s.logit();
            let normal = aggregate(options.aggregation, activation::sigmoid(-logit.clone()));
            let abnormal = aggregate(options.aggregation, activation::sigmoid(logit));
            bce_with_logits(-normal + 1.0, labels.clone()) + bce_with_logits(abnormal, labels)
        }
    }
}

/// An image's score from one tap, A(P_ab): `[B]`.
pub(crate) fn score<B: Backend>(options: &Options, s: &Similarity<B>) -> Tensor<B, 1> {
    aggregate(options.aggregation, activation::sigmoid(s.logit()))
}

/// Binary cross-entropy of logits `[B]`, the mean over images.
pub(crate) fn bce_with_logits<B: Backend>(logits: Tensor<B, 1>, labels: Tensor<B, 1>) -> Tensor<B, 1> {
    (-activation::log_sigmoid(-logits.clone()) - logits * labels).mean()
}

#[cfg(test)]
mod tests {
    use harness_method::options::Loss;

    use super::*;
    use crate::testing::{B, assert_close, host, initial, options, tensor};

    fn similarity(normal: &[f32], abnormal: &[f32]) -> Similarity<B> {
        let shape = [normal.len() / 2, 2];
        Similarity { normal: tensor(normal, shape), abnormal: tensor(abnormal, shape) }
    }

    fn value(loss: Loss, aggregation: Aggregation, s: &Similarity<B>, labels: &[f32]) -> f32 {
        let options = Options { loss, aggregation, ..options() };
        let parameters = initial(&options);
        host(super::loss(&options, &parameters, s, tensor(labels, [labels.len()])))[0]
    }

    fn log_sigmoid(x: f32) -> f32 {
        -(-x).exp().ln_1p()
    }

    fn sigmoid(x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn tokens_are_aggregated_by_mean_maximum_or_half_of_each() {
        let x = || tensor(&[1.0, 5.0, 0.0, -4.0, -2.0, -3.0], [2, 3]);
        assert_close(&host(aggregate(Aggregation::Mean, x())), &[2.0, -3.0], 1e-6);
        assert_close(&host(aggregate(Aggregation::Max, x())), &[5.0, -2.0], 0.0);
        assert_close(&host(aggregate(Aggregation::Both, x())), &[3.5, -2.5], 1e-6);
    }

    #[test]
    fn one_token_that_is_nan_makes_its_image_nan_and_no_other() {
        for aggregation in Aggregation::ALL {
            for at in 0..3 {
                let mut values = [1.0, 5.0, 0.0, 4.0, 2.0, 3.0];
                values[at] = f32::NAN;
                let found = host(aggregate(aggregation, tensor(&values, [2, 3])));
                assert!(found[0].is_nan() && found[1].is_finite(), "{aggregation:?} {at}: {found:?}");
            }
        }
    }

    #[test]
    fn the_scaled_siglip_begins_with_ten_times_the_similarity_less_ten() {
        let s = similarity(&[0.5, -0.25, 1.0, 0.0], &[-1.0, 0.75, 0.5, 2.0]);
        let scaled = |x: f32| 10.0 * x - 10.0;
        let of = |normal: f32, abnormal: f32, sign: f32| {
            log_sigmoid(-sign * scaled(normal)) + log_sigmoid(sign * scaled(abnormal))
        };
        let first = (of(0.5, -1.0, -1.0) + of(-0.25, 0.75, -1.0)) / 2.0;
        let second = (of(1.0, 0.5, 1.0) + of(0.0, 2.0, 1.0)) / 2.0;
        let found = value(Loss::SiglipScaled, Aggregation::Mean, &s, &[0.0, 1.0]);
        assert!((found + (first + second) / 2.0).abs() < 1e-4, "{found}");
    }

    #[test]
    fn cross_entropy_is_that_of_a_softmax_over_both_texts_at_a_hundred() {
        let s = similarity(&[0.01, 0.02, 0.0, 0.03], &[0.0, 0.04, 0.02, 0.01]);
        let of = |normal: f32, abnormal: f32, label: usize| {
            let odds = [(100.0 * normal).exp(), (100.0 * abnormal).exp()];
            -(odds[label] / (odds[0] + odds[1])).ln()
        };
        let expected = (of(0.01, 0.0, 0) + of(0.02, 0.04, 0) + of(0.0, 0.02, 1) + of(0.03, 0.01, 1)) / 4.0;
        let found = value(Loss::CrossEntropy, Aggregation::Mean, &s, &[0.0, 1.0]);
        assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
    }

    #[test]
    fn siglip_is_the_log_sigmoid_of_signed_similarities() {
        let s = similarity(&[0.5, -0.25, 1.0, 0.0], &[-1.0, 0.75, 0.5, 2.0]);
        // The first image is normal, the second abnormal.
        let first = [log_sigmoid(0.5) + log_sigmoid(1.0), log_sigmoid(-0.25) + log_sigmoid(-0.75)];
        let second = [log_sigmoid(-1.0) + log_sigmoid(0.5), log_sigmoid(-0.0) + log_sigmoid(2.0)];
        let mean = -(first.iter().sum::<f32>() / 2.0 + second.iter().sum::<f32>() / 2.0) / 2.0;
        assert_close(&[value(Loss::Siglip, Aggregation::Mean, &s, &[0.0, 1.0])], &[mean], 1e-6);
    }

    #[test]
    fn contrastive_puts_aggregated_probabilities_into_a_loss_on_logits() {
        let s = similarity(&[0.5, -0.25], &[-1.0, 0.75]);
        let p = [sigmoid(-1.5), sigmoid(1.0)];
        let (abnormal, normal) = (p[0].max(p[1]), (1.0 - p[0]).max(1.0 - p[1]));
        let bce = |logit: f32, y: f32| -(y * log_sigmoid(logit) + (1.0 - y) * log_sigmoid(-logit));
        for y in [0.0, 1.0] {
            let expected = bce(1.0 - normal, y) + bce(abnormal, y);
            assert_close(&[value(Loss::Contrastive, Aggregation::Max, &s, &[y])], &[expected], 1e-6);
        }
    }

    #[test]
    fn a_similarity_that_agrees_with_the_label_costs_less() {
        let (normal, abnormal) = ([0.8, 0.6], [-0.7, -0.9]);
        let (right, wrong) = (similarity(&normal, &abnormal), similarity(&abnormal, &normal));
        for loss in Loss::ALL {
            for aggregation in Aggregation::ALL {
                assert!(value(loss, aggregation, &right, &[0.0]) < value(loss, aggregation, &wrong, &[0.0]));
                assert!(value(loss, aggregation, &wrong, &[1.0]) < value(loss, aggregation, &right, &[1.0]));
            }
        }
    }

    #[test]
    fn a_score_is_the_aggregated_probability_of_the_abnormal_class() {
        let s = similarity(&[0.0, 1.0], &[2.0, -1.0]);
        let options = Options { aggregation: Aggregation::Both, ..options() };
        let p = [sigmoid(2.0), sigmoid(-2.0)];
        assert_close(&host(score(&options, &s)), &[(p[0] + p[1]) / 4.0 + p[0] / 2.0], 1e-6);
    }
}
