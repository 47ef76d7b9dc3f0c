//! Segmentation: logits on the token grid to pixels, and the focal and dice losses there (docs/method.md section 7).
//!
//! The softmax over two classes is a sigmoid of d = s_ab - s_n and upsampling is linear, so d alone is upsampled, as two
//! products with one matrix. Losses come with their gradient with respect to the grid: no graph over pixels is kept.

use burn::tensor::{Tensor, activation, backend::Backend};

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

/// Value of both losses of one tap, and the gradient of their sum.
#[derive(Clone, Debug)]
pub struct Segmentation<B: Backend> {
    /// Focal loss, `[1]`.
    pub focal: Tensor<B, 1>,
    /// Dice loss, `[1]`.
    pub dice: Tensor<B, 1>,
    /// With respect to the grids, `[B, G, G]`.
    pub gradient: Tensor<B, 3>,
}

/// Smallest weight of the class a pixel does not belong to, and of the logarithm's argument.
const CLAMP: f64 = 1e-5;

/// Focal (gamma 2) and dice (smoothing 1) losses of grids of d `[B, G, G]` against masks `[B, S, S]` of 0 and 1.
pub(crate) fn losses<B: Backend>(matrix: &Tensor<B, 2>, grids: Tensor<B, 3>, masks: Tensor<B, 3>) -> Segmentation<B> {
    let [items, size, _] = masks.dims();
    let p = probability(matrix, grids);
    // pt = hot_n (1 - p) + hot_ab p + 1e-5 with hot_ab = the clamped mask and hot_n = 1 - hot_ab.
    let slope = masks.clone() * (2.0 - 4.0 * CLAMP) - (1.0 - 2.0 * CLAMP);
    let offset = masks.clone() * (2.0 * CLAMP - 1.0) + 1.0;
    let pt = slope.clone() * p.clone() + offset;
    let miss = -pt.clone() + 1.0;
    let log = pt.clone().log();
    let weighted = miss.clone() * log;
    let focal = -(miss.clone() * weighted.clone()).mean();
    let count = (items * size * size) as f64;
    let d_pt = (weighted * 2.0 - miss.clone() * miss / pt) / count;

    let overlap = (p.clone() * masks.clone()).reshape([items, size * size]).sum_dim(1) * 2.0 + 1.0;
    let total = p.clone().reshape([items, size * size]).sum_dim(1)
        + masks.clone().reshape([items, size * size]).sum_dim(1)
        + 1.0;
    let dice = -(overlap.clone() / total.clone()).mean() + 1.0;
    let of_mask = (total.clone().recip() * (-2.0 / items as f64)).unsqueeze_dim::<3>(2);
    let of_all = (overlap / (total.clone() * total) / items as f64).unsqueeze_dim::<3>(2);

    let d_p = d_pt * slope + masks * of_mask + of_all;
    let d_logit = d_p * p.clone() * (-p + 1.0);
    let rows = matrix.clone().transpose().unsqueeze::<3>().matmul(d_logit);
    let grid = matrix.dims()[1];
    let gradient = rows.reshape([items * grid, size]).matmul(matrix.clone()).reshape([items, grid, grid]);
    Segmentation { focal, dice, gradient }
}
