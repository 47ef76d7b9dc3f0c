//! Segmentation: logits on the token grid to pixels, and the losses there (docs/method.md section 7).
//!
//! The softmax over two classes is a sigmoid of d = s_ab - s_n and upsampling is linear, so d alone is upsampled, as
//! two products with one matrix. Losses come with their gradient with respect to the grid: no graph over pixels is
//! kept.

use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::losses;

use crate::tensors::to_device;

/// Bilinear upsampling with aligned corners, `[S, G]`.
pub fn upsampling<B: Backend>(grid: usize, size: usize, device: &B::Device) -> Tensor<B, 2> {
    let scale = if size > 1 { (grid - 1) as f32 / (size - 1) as f32 } else { 0.0 };
    let mut values = vec![0.0; size * grid];
    for i in 0..size {
        let at = i as f32 * scale;
        let low = (at as usize).min(grid - 1);
        let high = (low + 1).min(grid - 1);
        let fraction = at - low as f32;
        values[i * grid + low] += 1.0 - fraction;
        values[i * grid + high] += fraction;
    }
    to_device(values, [size, grid], device)
}

/// Grids `[B, G, G]` to pixels `[B, S, S]`.
pub(crate) fn upsample<B: Backend>(matrix: &Tensor<B, 2>, grids: Tensor<B, 3>) -> Tensor<B, 3> {
    let [items, grid, _] = grids.dims();
    let size = matrix.dims()[0];
    let rows = grids.reshape([items * grid, grid]).matmul(matrix.clone().transpose()).reshape([items, grid, size]);
    matrix.clone().unsqueeze::<3>().matmul(rows)
}

/// The anomaly map of one tap: probability of the abnormal class a pixel, `[B, S, S]`.
pub(crate) fn probability<B: Backend>(matrix: &Tensor<B, 2>, grids: Tensor<B, 3>) -> Tensor<B, 3> {
    activation::sigmoid(upsample(matrix, grids))
}

/// A term of the segmentation loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Focal loss on both classes, gamma 2.
    Focal,
    /// Dice loss on the abnormal class, smoothing 1.
    Dice,
}

impl Term {
    /// The term that the method calls so, or `None`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            losses::FOCAL => Some(Self::Focal),
            losses::DICE => Some(Self::Dice),
            _ => None,
        }
    }

    /// The loss of probabilities `p` against masks, `[B, S, S]` each, and its gradient with respect to `p`.
    fn of<B: Backend>(self, p: &Tensor<B, 3>, masks: &Tensor<B, 3>) -> (Tensor<B, 1>, Tensor<B, 3>) {
        match self {
            Self::Focal => focal(p.clone(), masks.clone()),
            Self::Dice => dice(p.clone(), masks.clone()),
        }
    }
}

/// Losses of one tap, and the gradient of their sum.
#[derive(Clone, Debug)]
pub struct Segmentation<B: Backend> {
    /// Value of each term, `[1]`, in the order of the terms.
    pub values: Vec<Tensor<B, 1>>,
    /// With respect to the grids, `[B, G, G]`.
    pub gradient: Tensor<B, 3>,
}

/// Losses of grids of d `[B, G, G]` against masks `[B, S, S]` of 0 and 1; `matrix` is that of [`upsampling`].
pub fn losses<B: Backend>(
    terms: &[Term],
    matrix: &Tensor<B, 2>,
    grids: Tensor<B, 3>,
    masks: Tensor<B, 3>,
) -> Segmentation<B> {
    let [items, grid, _] = grids.dims();
    let size = matrix.dims()[0];
    let p = probability(matrix, grids);
    let mut values = Vec::with_capacity(terms.len());
    let mut of_p = Tensor::zeros([items, size, size], &p.device());
    for term in terms {
        let (value, gradient) = term.of(&p, &masks);
        values.push(value);
        of_p = of_p + gradient;
    }
    let of_logit = of_p * p.clone() * (-p + 1.0);
    let rows = matrix.clone().transpose().unsqueeze::<3>().matmul(of_logit);
    let gradient = rows.reshape([items * grid, size]).matmul(matrix.clone()).reshape([items, grid, grid]);
    Segmentation { values, gradient }
}

/// Smallest weight of the class a pixel does not belong to, and of the logarithm's argument.
const CLAMP: f64 = 1e-5;

fn focal<B: Backend>(p: Tensor<B, 3>, masks: Tensor<B, 3>) -> (Tensor<B, 1>, Tensor<B, 3>) {
    let count = p.dims().iter().product::<usize>() as f64;
    // pt = hot_n (1 - p) + hot_ab p + 1e-5 with hot_ab = the clamped mask and hot_n = 1 - hot_ab.
    let slope = masks.clone() * (2.0 - 4.0 * CLAMP) - (1.0 - 2.0 * CLAMP);
    let offset = masks * (2.0 * CLAMP - 1.0) + 1.0;
    let pt = slope.clone() * p + offset;
    let miss = -pt.clone() + 1.0;
    let weighted = miss.clone() * pt.clone().log();
    let value = -(miss.clone() * weighted.clone()).mean();
    let of_pt = (weighted * 2.0 - miss.clone() * miss / pt) / count;
    (value, of_pt * slope)
}

fn dice<B: Backend>(p: Tensor<B, 3>, masks: Tensor<B, 3>) -> (Tensor<B, 1>, Tensor<B, 3>) {
    let [items, size, _] = p.dims();
    let sum = |x: Tensor<B, 3>| x.reshape([items, size * size]).sum_dim(1);
    let overlap = sum(p.clone() * masks.clone()) * 2.0 + 1.0;
    let total = sum(p) + sum(masks.clone()) + 1.0;
    let value = -(overlap.clone() / total.clone()).mean() + 1.0;
    let of_mask = (total.clone().recip() * (-2.0 / items as f64)).unsqueeze_dim::<3>(2);
    let of_all = (overlap / (total.clone() * total) / items as f64).unsqueeze_dim::<3>(2);
    (value, masks * of_mask + of_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{B, DEVICE, assert_close, host, random, tensor};

    const BOTH: [Term; 2] = [Term::Focal, Term::Dice];

    fn masks() -> Tensor<B, 3> {
        random("masks", [2, 7, 7]).greater_elem(0.2).float()
    }

    fn matrix() -> Tensor<B, 2> {
        upsampling(3, 7, &DEVICE)
    }

    #[test]
    fn terms_are_known_by_the_names_of_the_method() {
        let options = crate::testing::options();
        let named: Vec<_> = losses::names(&options, true).iter().map(|name| Term::named(name)).collect();
        assert_eq!(named, [None, Some(Term::Focal), Some(Term::Dice)]);
    }

    #[test]
    fn upsampling_keeps_corners_and_reproduces_a_ramp() {
        let up = host(upsample(&matrix(), tensor(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [1, 3, 3])));
        for (i, &value) in up.iter().enumerate() {
            let (y, x) = ((i / 7) as f32, (i % 7) as f32);
            assert!((value - (y + x / 3.0)).abs() < 1e-5, "{value} at {i}");
        }
        let shares = host(matrix().sum_dim(1));
        assert_close(&shares, &[1.0; 7], 1e-6);
    }

    #[test]
    fn a_grid_of_one_cell_and_an_image_of_one_pixel_can_be_upsampled() {
        assert_eq!(host(upsample(&upsampling::<B>(1, 3, &DEVICE), tensor(&[4.0], [1, 1, 1]))), [4.0; 9]);
        assert_eq!(host(upsampling::<B>(2, 1, &DEVICE)), [1.0, 0.0]);
    }

    #[test]
    fn losses_of_one_undecided_pixel_are_those_of_the_formulas() {
        let one = upsampling::<B>(1, 1, &DEVICE);
        let zero = tensor(&[0.0], [1, 1, 1]);
        for mask in [0.0, 1.0] {
            let found = losses(&BOTH, &one, zero.clone(), tensor(&[mask], [1, 1, 1]));
            // p = 0.5, pt = 0.5 + 1e-5 for either class.
            let pt = 0.5_f32 + 1e-5;
            assert_close(&host(found.values[0].clone()), &[-(1.0 - pt).powi(2) * pt.ln()], 1e-6);
            let dice = 1.0 - (2.0 * 0.5 * mask + 1.0) / (0.5 + mask + 1.0);
            assert_close(&host(found.values[1].clone()), &[dice], 1e-6);
        }
    }

    #[test]
    fn maps_that_agree_with_the_masks_cost_next_to_nothing() {
        let (identity, masks) = (upsampling::<B>(4, 4, &DEVICE), random("m", [2, 4, 4]).greater_elem(0.0).float());
        let right = losses(&BOTH, &identity, (masks.clone() - 0.5) * 40.0, masks.clone());
        let wrong = losses(&BOTH, &identity, (masks.clone() - 0.5) * -40.0, masks);
        for (right, wrong) in right.values.into_iter().zip(wrong.values) {
            assert!(host(right)[0].abs() < 1e-3 && host(wrong)[0] > 0.5);
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_values_for_each_term_and_for_their_sum() {
        let grids = random("grids", [2, 3, 3]) * 2.0;
        for terms in [&BOTH[..], &[Term::Focal], &[Term::Dice]] {
            let value = |grids: Tensor<B, 3>| {
                let values = losses(terms, &matrix(), grids, masks()).values;
                values.into_iter().map(|value| f64::from(host(value)[0])).sum::<f64>()
            };
            let gradient = losses(terms, &matrix(), grids.clone(), masks()).gradient;
            for number in 0..4 {
                let direction = random(&format!("direction {number}"), [2, 3, 3]);
                let ahead = value(grids.clone() + direction.clone() * 1e-2);
                let difference = (ahead - value(grids.clone() - direction.clone() * 1e-2)) / 2e-2;
                let expected = f64::from(host((gradient.clone() * direction).sum())[0]);
                assert!((difference - expected).abs() < 2e-4, "{terms:?}: {difference} and {expected}");
            }
        }
    }

    #[test]
    fn terms_are_reported_in_their_order_and_none_is_allowed() {
        let grids = random("grids", [2, 3, 3]);
        let values = |terms: &[Term]| losses(terms, &matrix(), grids.clone(), masks()).values.into_iter().map(host);
        let (forth, back): (Vec<_>, Vec<_>) = (values(&BOTH).collect(), values(&[Term::Dice, Term::Focal]).collect());
        assert_eq!(forth, [back[1].clone(), back[0].clone()]);
        assert!(host(losses(&[], &matrix(), grids, masks()).gradient).iter().all(|&x| x == 0.0));
    }
}
