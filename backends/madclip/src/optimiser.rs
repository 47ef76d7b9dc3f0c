//! Adam over all trainable tensors of a model: their moments, and how many steps were taken.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;

use crate::ModelError;
use crate::adam::Moments;
use crate::kernels::Kernels;
use crate::parameters::{Gradients, Parameters};
use crate::tensors::{HostTensor, Tensors, to_device, to_host};

/// Before the name of a parameter, for its first and its second moment.
const NAMES: [&str; 2] = ["first.", "second."];

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

    /// The moments of every parameter, zeros where it has none, and the steps they come from.
    pub(crate) fn to_host(&self, parameters: &Parameters<B>) -> (BTreeMap<String, HostTensor<'static>>, u32) {
        let mut moments = BTreeMap::new();
        for (name, tensor) in parameters.iter() {
            let values = match self.moments.get(name) {
                Some(Moments { first, second }) => [to_host(first.clone()), to_host(second.clone())],
                None => [(); 2].map(|()| vec![0.0; tensor.values.dims()[0]]),
            };
            for (moment, values) in NAMES.into_iter().zip(values) {
                moments.insert(format!("{moment}{name}"), tensor.shaped(values));
            }
        }
        (moments, self.steps)
    }

    /// Goes on from moments of every parameter that come from so many steps.
    ///
    /// # Errors
    /// A moment is missing or misshapen; nothing has changed then.
    pub(crate) fn read(
        &mut self,
        parameters: &Parameters<B>,
        moments: &dyn Tensors,
        steps: u32,
    ) -> Result<(), ModelError> {
        let mut found = BTreeMap::new();
        for (name, tensor) in parameters.iter() {
            let (n, device) = (tensor.values.dims()[0], tensor.values.device());
            let read = |moment: &str| {
                let given = moments.expect(&format!("{moment}{name}"), &tensor.shape)?;
                Ok::<_, ModelError>(to_device(given.data.into_owned(), [n], &device))
            };
            let [first, second] = NAMES;
            found.insert(name.to_owned(), Moments { first: read(first)?, second: read(second)? });
        }
        (self.moments, self.steps) = (found, steps);
        Ok(())
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
