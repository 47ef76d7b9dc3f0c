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

/// What moments are divided by at step `step` (from 1), because they began at zero: the first, and the root of the
/// second.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{DEVICE, assert_close, host, tensor};

    #[test]
    fn corrections_divide_out_that_moments_began_at_zero() {
        let (first, root) = corrections(1);
        assert!((first - 0.5).abs() < 1e-15 && (root - 0.001_f64.sqrt()).abs() < 1e-15);
        assert!(corrections(10_000).0 == 1.0 && corrections(100_000).1 == 1.0);
    }

    #[test]
    fn the_first_step_has_the_length_of_the_rate_whatever_the_gradient() {
        let (mut value, mut moments) = (tensor(&[1.0, 1.0, 1.0], [3]), Moments::zeros(3, &DEVICE));
        update(&mut value, tensor(&[1e-3, -20.0, 0.0], [3]), &mut moments, 1, 0.1);
        assert_close(&host(value), &[0.9, 1.1, 1.0], 1e-5);
        assert_close(&host(moments.first), &[5e-4, -10.0, 0.0], 1e-6);
        assert_close(&host(moments.second), &[1e-9, 0.4, 0.0], 1e-6);
    }

    #[test]
    fn three_steps_are_those_of_the_formula() {
        let gradients = [0.5, -0.25, 2.0];
        let (mut value, mut moments) = (tensor(&[0.7], [1]), Moments::zeros(1, &DEVICE));
        let (mut x, mut m, mut v) = (0.7_f64, 0.0_f64, 0.0_f64);
        for (step, gradient) in (1..).zip(gradients) {
            update(&mut value, tensor(&[gradient], [1]), &mut moments, step, 0.01);
            let g = f64::from(gradient);
            (m, v) = (0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g * g);
            let step = f64::from(step);
            x -= 0.01 * (m / (1.0 - 0.5_f64.powf(step))) / ((v / (1.0 - 0.999_f64.powf(step))).sqrt() + 1e-8);
        }
        assert_close(&host(value), &[x as f32], 1e-6);
    }
}
