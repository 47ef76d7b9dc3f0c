//! Similarities of tokens to the two texts, by branch (docs/method.md section 3).

use burn::tensor::{Tensor, backend::Backend};
use harness_method::Options;
use harness_method::options::{Branches, Side};

use crate::adapters;
use crate::kernels::Kernels;
use crate::parameters::Parameters;

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

/// The similarities of one tap `[B, T', W]` to `text`, the unit vectors t_n and t_ab: those of the detection heads,
/// then, with two `HEADS`, those of the segmentation heads.
pub(crate) fn of_tap<B: Backend, K: Kernels<B>, const HEADS: usize>(
    options: &Options,
    parameters: &Parameters<B>,
    number: usize,
    tap: Tensor<B, 3>,
    text: &[Tensor<B, 1>; 2],
) -> [Similarity<B>; HEADS] {
    let items = tap.dims()[0];
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
        adapters::products::<B, K>(options, parameters, &prefix, tap.clone(), &directions, &adapters::HEADS[..HEADS])
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
    let tokens = normal.dims()[0] / (items * HEADS);
    let head =
        |x: &Tensor<B, 2>, i: usize| x.clone().reshape([items, tokens, HEADS]).narrow(2, i, 1).reshape([items, tokens]);
    std::array::from_fn(|i| Similarity { normal: head(&normal, i), abnormal: head(&abnormal, i) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plain;
    use crate::testing::{B, assert_close, host, initial, options, random};

    fn with(branches: Branches, dual_objective: bool) -> Options {
        Options { branches, dual_objective, ..options() }
    }

    fn text(name: &str) -> Tensor<B, 1> {
        let x: Tensor<B, 1> = random(name, [12]);
        let length = (x.clone() * x.clone()).sum().sqrt();
        x / length
    }

    fn run(options: &Options, text: &[Tensor<B, 1>; 2]) -> [Similarity<B>; 2] {
        of_tap::<B, Plain, 2>(options, &initial(options), 3, random("tap", [2, 4, 16]), text)
    }

    fn texts() -> [Tensor<B, 1>; 2] {
        [text("normal"), text("abnormal")]
    }

    /// Products of a branch's features with one vector, for the detection heads, `[B, L]` flat.
    fn products(options: &Options, branch: &str, along: Tensor<B, 1>) -> Vec<f32> {
        let (prefix, tap) = (format!("{branch}.3"), random("tap", [2, 4, 16]));
        let parameters = initial(options);
        host(adapters::products::<B, Plain>(options, &parameters, &prefix, tap, &along.unsqueeze_dim(0), &["det"]))
    }

    #[test]
    fn each_branch_is_compared_with_its_own_text() {
        let options = with(Branches::Dual, false);
        let [t_n, t_ab] = texts();
        let [detection, _] = run(&options, &texts());
        assert_close(&host(detection.normal), &products(&options, "normal", t_n), 1e-6);
        assert_close(&host(detection.abnormal), &products(&options, "abnormal", t_ab), 1e-6);
    }

    #[test]
    fn the_dual_objective_takes_off_the_similarity_with_the_other_text() {
        let options = with(Branches::Dual, true);
        let [t_n, t_ab] = texts();
        let [detection, _] = run(&options, &texts());
        let difference = |branch: &str, own: &Tensor<B, 1>, other: &Tensor<B, 1>| {
            let (own, other) = (products(&options, branch, own.clone()), products(&options, branch, other.clone()));
            own.iter().zip(other).map(|(own, other)| own - other).collect::<Vec<f32>>()
        };
        assert_close(&host(detection.normal), &difference("normal", &t_n, &t_ab), 1e-5);
        assert_close(&host(detection.abnormal), &difference("abnormal", &t_ab, &t_n), 1e-5);
    }

    #[test]
    fn a_branch_alone_supplies_the_missing_similarity_as_its_negative() {
        for (branches, dual) in [(Branches::Normal, true), (Branches::Abnormal, true), (Branches::Normal, false)] {
            for heads in run(&with(branches, dual), &texts()) {
                assert_eq!(host(heads.normal), host(-heads.abnormal), "{branches:?} {dual}");
            }
        }
        // One adapter for both: so too under the dual objective, and not without it.
        let [single, _] = run(&with(Branches::Single, true), &texts());
        assert_close(&host(single.normal), &host(-single.abnormal), 1e-6);
        let [single, _] = run(&with(Branches::Single, false), &texts());
        assert_ne!(host(single.normal), host(-single.abnormal));
    }

    #[test]
    fn without_the_dual_objective_a_branch_alone_never_sees_the_other_text() {
        let [t_n, t_ab] = texts();
        let normal = |t_ab: &Tensor<B, 1>, dual: bool| {
            host(run(&with(Branches::Normal, dual), &[t_n.clone(), t_ab.clone()])[0].normal.clone())
        };
        assert_eq!(normal(&t_ab, false), normal(&text("other"), false));
        assert_ne!(normal(&t_ab, true), normal(&text("other"), true));
    }

    #[test]
    fn detection_alone_is_detection_beside_segmentation() {
        let options = with(Branches::Dual, true);
        let [both, segmentation] = run(&options, &texts());
        let parameters = initial(&options);
        let [alone] = of_tap::<B, Plain, 1>(&options, &parameters, 3, random("tap", [2, 4, 16]), &texts());
        assert_close(&host(alone.logit()), &host(both.logit()), 1e-6);
        assert_ne!(host(both.logit()), host(segmentation.logit()));
    }
}
