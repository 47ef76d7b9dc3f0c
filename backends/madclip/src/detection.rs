//! Detection: token similarities to an image's loss and score (docs/method.md sections 7 and 8).

use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::Options;
use harness_method::options::{Aggregation, Loss};

use crate::similarity::Similarity;

/// Over tokens: `[B, L]` to `[B]`.
pub(crate) fn aggregate<B: Backend>(kind: Aggregation, x: Tensor<B, 2>) -> Tensor<B, 1> {
    let x = match kind {
        Aggregation::Mean => x.mean_dim(1),
        Aggregation::Max => x.max_dim(1),
        Aggregation::Both => x.clone().mean_dim(1) * 0.5 + x.max_dim(1) * 0.5,
    };
    x.squeeze_dims(&[1])
}

/// Loss of one tap; `labels` `[B]`, 1 = abnormal.
pub(crate) fn loss<B: Backend>(options: &Options, s: &Similarity<B>, labels: Tensor<B, 1>) -> Tensor<B, 1> {
    match options.loss {
        Loss::Siglip => {
            let sign = (labels * 2.0 - 1.0).unsqueeze_dim::<2>(1);
            let normal = activation::log_sigmoid(s.normal.clone() * -sign.clone());
            let abnormal = activation::log_sigmoid(s.abnormal.clone() * sign);
            -(aggregate(options.aggregation, normal) + aggregate(options.aggregation, abnormal)).mean()
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

fn bce_with_logits<B: Backend>(logits: Tensor<B, 1>, labels: Tensor<B, 1>) -> Tensor<B, 1> {
    (-activation::log_sigmoid(-logits.clone()) - logits * labels).mean()
}
