//! Adam as the authors run it: betas 0.5 and 0.999, epsilon 1e-8 outside the root, no decay (METHOD.md section 7).

use burn::tensor::{Tensor, backend::Backend};

const BETAS: (f64, f64) = (0.5, 0.999);
const EPSILON: f64 = 1e-8;

/// First and second moment of one flat tensor.
#[derive(Clone, Debug)]
pub(crate) struct Moments<B: Backend> {
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
}

impl<B: Backend> Moments<B> {
    /// Zero moments of `n` elements.
    pub(crate) fn zeros(n: usize, device: &B::Device) -> Self {
        Self { first: Tensor::zeros([n], device), second: Tensor::zeros([n], device) }
    }

    /// The value after step `step` (from 1).
    pub(crate) fn update(
        &mut self,
        value: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        step: u32,
        learning_rate: f64,
    ) -> Tensor<B, 1> {
        self.first = self.first.clone() * BETAS.0 + gradient.clone() * (1.0 - BETAS.0);
        self.second = self.second.clone() * BETAS.1 + gradient.clone() * gradient * (1.0 - BETAS.1);
        let root = (1.0 - BETAS.1.powi(step as i32)).sqrt();
        let denominator = self.second.clone().sqrt() / root + EPSILON;
        value - self.first.clone() / denominator * (learning_rate / (1.0 - BETAS.0.powi(step as i32)))
    }
}
