//! The encoder's weights, and their tensors on the way to a backend.

use harness_backend_abi::host::{DType, NamedTensor};
use harness_experiment::EncoderSource;
use harness_weights::{Floats, Heads, Weights};

use crate::error::Error;

/// The weights of an experiment's encoder.
pub fn open_weights(source: &EncoderSource) -> Result<Weights, Error> {
    Ok(match source {
        EncoderSource::File { path, heads, text_heads } => {
            Weights::open_with(path, Heads { image: *heads, text: *text_heads })?
        }
        EncoderSource::Synthetic { seed, arch } => Weights::synthetic(arch, *seed)?,
    })
}

/// A tensor on its way to the backend.
pub(crate) struct Weight {
    name: String,
    shape: Vec<usize>,
    values: Floats,
}

/// Tensors in the narrowest type that holds them: a whole tower is held here while the backend makes its own copy.
pub(crate) fn gather(weights: &Weights, names: &[String]) -> Result<Vec<Weight>, Error> {
    let weight = |name: &String| {
        let shape = weights.shape(name).unwrap_or_default().to_vec();
        Ok(Weight { name: name.clone(), shape, values: weights.floats(name)? })
    };
    names.iter().map(weight).collect()
}

impl Weight {
    pub(crate) fn as_named(&self) -> NamedTensor<'_> {
        let (dtype, bytes) = match &self.values {
            Floats::F16(values) => (DType::F16, bytemuck::cast_slice(values)),
            Floats::F32(values) => (DType::F32, bytemuck::cast_slice(values)),
        };
        NamedTensor::new(&self.name, dtype, &self.shape, bytes)
    }
}
