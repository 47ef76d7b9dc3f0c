//! Similarities of tokens to the two texts, by branch (docs/method.md section 3).

use burn::tensor::{Tensor, backend::Backend};
use harness_method::Options;
use harness_method::options::{Branches, Side};

use crate::adapters::{self, Wanted};
use crate::kernels::Kernels;
use crate::trainer::Parameters;

/// Similarities of one tap's tokens, `[B, L]` each.
#[derive(Clone, Debug)]
pub(crate) struct Similarity<B: Backend> {
    /// To the normal text, s_n.
    pub(crate) normal: Tensor<B, 2>,
    /// To the abnormal text, s_ab.
    pub(crate) abnormal: Tensor<B, 2>,
}

impl<B: Backend> Similarity<B> {
    /// d = s_ab - s_n: the logit of the abnormal class, since softmax over two classes is a sigmoid of it.
    pub(crate) fn logit(&self) -> Tensor<B, 2> {
        self.abnormal.clone() - self.normal.clone()
    }
}

/// Both heads' similarities of one tap.
pub(crate) struct TapSimilarities<B: Backend> {
    /// From the detection heads.
    pub(crate) detection: Similarity<B>,
    /// From the segmentation heads, where they were asked for.
    pub(crate) segmentation: Option<Similarity<B>>,
}

/// The similarities of one tap `[B, T', W]` to `text`, the unit vectors t_n and t_ab.
pub(crate) fn of_tap<B: Backend, K: Kernels<B>>(
    options: &Options,
    parameters: &Parameters<B>,
    number: usize,
    tap: Tensor<B, 3>,
    text: &[Tensor<B, 1>; 2],
    wanted: Wanted,
) -> TapSimilarities<B> {
    let items = tap.dims()[0];
    let count = wanted.count();
    // With the dual objective s_n = f_n . (t_n - t_ab) and s_ab = f_ab . (t_ab - t_n): one product each.
    let direction = |side: Side| match (side, options.dual_objective) {
        (Side::Normal, true) => text[0].clone() - text[1].clone(),
        (Side::Abnormal, true) => text[1].clone() - text[0].clone(),
        (Side::Normal, false) => text[0].clone(),
        (Side::Abnormal, false) => text[1].clone(),
    };
    let products = |branch: &str, sides: &[Side]| {
        let directions = sides.iter().map(|&side| direction(side).unsqueeze_dim(0)).collect();
        let (prefix, directions) = (format!("{branch}.{number}"), Tensor::cat(directions, 0));
        adapters::products::<B, K>(options, parameters, &prefix, tap.clone(), &directions, wanted)
    };
    let (normal, abnormal) = match options.branches {
        Branches::Dual => (products("normal", &[Side::Normal]), products("abnormal", &[Side::Abnormal])),
        Branches::Single => {
            let both = products("shared", &Side::BOTH);
            (both.clone().narrow(1, 0, 1), both.narrow(1, 1, 1))
        }
        Branches::Normal => {
            let normal = products("normal", &[Side::Normal]);
            (normal.clone(), -normal)
        }
        Branches::Abnormal => {
            let abnormal = products("abnormal", &[Side::Abnormal]);
            (-abnormal.clone(), abnormal)
        }
    };
    let tokens = normal.dims()[0] / (items * count);
    let head =
        |x: &Tensor<B, 2>, i: usize| x.clone().reshape([items, tokens, count]).narrow(2, i, 1).reshape([items, tokens]);
    let similarity = |i: usize| Similarity { normal: head(&normal, i), abnormal: head(&abnormal, i) };
    TapSimilarities { detection: similarity(0), segmentation: (wanted == Wanted::Both).then(|| similarity(1)) }
}
