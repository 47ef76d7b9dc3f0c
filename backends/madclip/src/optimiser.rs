//! Adam over all trainable tensors of a model: their moments, and how many steps were taken.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;

use crate::adam::Moments;
use crate::kernels::Kernels;
use crate::parameters::{Gradients, Parameters};

/// Adam over all trainable tensors of a model.
#[derive(Debug)]
pub(crate) struct Optimiser<B: Backend> {
    moments: BTreeMap<String, Moments<B>>,
    steps: u32,
    learning_rate: f64,
}

impl<B: Backend> Optimiser<B> {
    /// Before its first step.
    pub(crate) fn new(learning_rate: f64) -> Self {
        Self { moments: BTreeMap::new(), steps: 0, learning_rate }
    }

    /// Starts again: moments zero, step count zero.
    pub(crate) fn forget(&mut self) {
        self.moments.clear();
        self.steps = 0;
    }

    /// One step. A tensor without a gradient keeps its value, as zero gradients and zero moments would leave it.
    pub(crate) fn step<K: Kernels<B>>(&mut self, parameters: &mut Parameters<B>, mut gradients: Gradients<B>) {
        self.steps += 1;
        for (name, tensor) in parameters.iter_mut() {
            let Some(gradient) = gradients.remove(name) else { continue };
            let zeros = || Moments::zeros(tensor.values.dims()[0], &tensor.values.device());
            let moments = self.moments.entry(name.to_owned()).or_insert_with(zeros);
            K::adam(&mut tensor.values, gradient, moments, self.steps, self.learning_rate);
        }
    }
}
