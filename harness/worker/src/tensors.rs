//! States between their files and a backend.

use harness_backend_abi::host::{NamedTensor, OwnedTensor};
use harness_records::StateTensor;

/// A state as the backend takes it.
pub(crate) fn named(state: &[StateTensor]) -> Vec<NamedTensor<'_>> {
    state.iter().map(|tensor| NamedTensor::f32(&tensor.name, &tensor.shape, &tensor.values)).collect()
}

/// A state as it came from the backend.
pub(crate) fn owned(state: Vec<OwnedTensor>) -> Vec<StateTensor> {
    let tensor = |OwnedTensor { name, shape, values }| StateTensor { name, shape, values };
    state.into_iter().map(tensor).collect()
}

/// Names and shapes of a state, as the backend wants to be asked for it.
pub(crate) fn layout(state: &[StateTensor]) -> Vec<(&str, &[usize])> {
    state.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect()
}
