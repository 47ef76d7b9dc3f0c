//! Adam as the authors run it: betas 0.5 and 0.999, epsilon 1e-8 outside the root, no decay (docs/method.md section 7).

use burn::tensor::{Tensor, backend::Backend};

/// Decay of the first and of the second moment.
pub const BETAS: (f64, f64) = (0.5, 0.999);

/// Added to the root of the second moment.
pub const EPSILON: f64 = 1e-8;

/// First and second moment of one flat tensor.
#[derive(Clone, Debug)]
pub struct Moments<B: Backend> {
    /// Mean of gradients.
    pub first: Tensor<B, 1>,
    /// Mean of their squares.
    pub second: Tensor<B, 1>,
}

impl<B: Backend> Moments<B> {
    /// Zero moments of `n` elements.
    pub(crate) fn zeros(n: usize, device: &B::Device) -> Self {
        Self { first: Tensor::zeros([n], device), second: Tensor::zeros([n], device) }
    }
}

/// What moments are divided by at step `step` (from 1), because they began at zero: the first, and the root of the second.
pub fn corrections(step: u32) -> (f64, f64) {
    (1.0 - BETAS.0.powf(f64::from(step)), (1.0 - BETAS.1.powf(f64::from(step))).sqrt())
}

pub(crate) fn update<B: Backend>(
    value: &mut Tensor<B, 1>,
    gradient: Tensor<B, 1>,
    moments: &mut Moments<B>,
    step: u32,
    learning_rate: f64,
) {
    let (first, root) = corrections(step);
    moments.first = moments.first.clone() * BETAS.0 + gradient.clone() * (1.0 - BETAS.0);
    moments.second = moments.second.clone() * BETAS.1 + gradient.clone() * gradient * (1.0 - BETAS.1);
    let denominator = moments.second.clone().sqrt() / root + EPSILON;
    *value = value.clone() - moments.first.clone() / denominator * (learning_rate / first);
}
