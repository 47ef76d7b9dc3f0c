//! States: the trainable tensors before training and after an epoch, and their safetensors files. What a file says of itself is
//! in `state_metadata`.

use std::path::Path;

use harness_backend_abi::host::{NamedTensor, OwnedTensor};
use harness_experiment::Training;
use harness_method::StorePrecision;
use harness_method::parameters::parameters;
use harness_weights::{WeightsError, write_safetensors_with};
use safetensors::{Dtype, SafeTensors};

use crate::error::Error;

/// Every trainable tensor of a training as it begins (docs/method.md section 5).
pub(crate) fn initial(training: &Training) -> Vec<OwnedTensor> {
    parameters(&training.options, &training.arch)
        .into_iter()
        .map(|parameter| OwnedTensor {
            values: parameter.values(training.seed),
            name: parameter.name,
            shape: parameter.shape,
        })
        .collect()
}

/// A state as the backend takes it.
pub(crate) fn tensors(state: &[OwnedTensor]) -> Vec<NamedTensor<'_>> {
    state.iter().map(OwnedTensor::as_named).collect()
}

/// Names and shapes of a state, as the backend wants to be asked for it.
pub(crate) fn layout(state: &[OwnedTensor]) -> Vec<(&str, &[usize])> {
    state.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect()
}

/// Writes a state and what is to be said of it, durable or not at all.
pub(crate) fn write(state: &[OwnedTensor], about: &[(&str, String)], path: &Path) -> Result<(), Error> {
    let layout: Vec<(String, Vec<usize>)> =
        state.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
    let mut values = state.iter().map(|tensor| tensor.values.clone());
    // Asked for one at a time, in the layout's order.
    let next = |name: &str| {
        values.next().ok_or_else(|| WeightsError::Missing {
            origin: path.display().to_string(),
            name: name.to_owned(),
            expected: None,
        })
    };
    Ok(write_safetensors_with(path, &layout, StorePrecision::F32, about, next)?)
}

/// Reads a state that must have the tensors of `like`.
pub(crate) fn read(path: &Path, like: &[OwnedTensor]) -> Result<Vec<OwnedTensor>, Error> {
    let bytes = std::fs::read(path).map_err(Error::file("read the state", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::record(path, error))?;
    like.iter()
        .map(|expected| {
            let name = &expected.name;
            let tensor = file.tensor(name).map_err(|error| Error::record(path, error))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != expected.shape {
                let (found, wanted) = (tensor.shape(), &expected.shape);
                return Err(Error::record(
                    path,
                    format!("tensor `{name}` has shape {found:?}, expected {wanted:?} f32"),
                ));
            }
            let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(OwnedTensor { name: name.clone(), shape: expected.shape.clone(), values })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_state_reads_as_it_was_written_and_another_shape_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0000.safetensors");
        let tensor = |shape: Vec<usize>| OwnedTensor {
            name: "normal.1.det.weight".to_owned(),
            values: (0..shape.iter().product::<usize>()).map(|i| i as f32 - 0.5).collect(),
            shape,
        };
        let state = vec![tensor(vec![2, 3])];
        write(&state, &[], &path).unwrap();
        assert_eq!(read(&path, &state).unwrap(), state);
        let error = read(&path, &[tensor(vec![3, 2])]).unwrap_err().to_string();
        assert!(error.contains("[2, 3]") && error.contains("[3, 2]"), "{error}");
    }
}
