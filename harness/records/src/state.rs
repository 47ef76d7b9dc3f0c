//! States: the trainable tensors before training and after an epoch, and their safetensors files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use harness_experiment::Training;
use harness_method::StorePrecision;
use harness_weights::{WeightsError, write_safetensors_with};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::Error;

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    /// Its name (docs/method.md section 5).
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Every tensor of a training's states, as it begins where it is trained (docs/method.md section 5).
pub fn initial(training: &Training) -> Vec<StateTensor> {
    training
        .options
        .tensors(training.support_sizes())
        .into_iter()
        .map(|parameter| StateTensor {
            values: parameter.values(training.seed),
            name: parameter.name,
            shape: parameter.shape,
        })
        .collect()
}

/// Writes a state and what is to be said of it, durable or not at all.
pub fn write(state: &[StateTensor], about: &[(&str, String)], path: &Path) -> Result<(), Error> {
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

/// Whether a state's file is as long as its header says, whatever its tensors.
///
/// # Errors
/// Why it is not.
pub fn check(path: &Path) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Place {
        data_offsets: (u64, u64),
    }
    let mut file = File::open(path).map_err(Error::file("read the state", path))?;
    let bytes = file.metadata().map_err(Error::file("read the state", path))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(Error::file("read the state", path))?;
    let length = u64::from_le_bytes(length);
    if length > bytes {
        return Err(Error::record(path, "it ends within its header"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(Error::file("read the state", path))?;
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|error| Error::record(path, error))?;
    let mut end = 0;
    for (_, value) in header.into_iter().filter(|(name, _)| name != "__metadata__") {
        let Place { data_offsets } = serde_json::from_value(value).map_err(|error| Error::record(path, error))?;
        end = end.max(data_offsets.1);
    }
    let expected = end.saturating_add(length).saturating_add(8);
    if bytes != expected {
        return Err(Error::record(path, format!("{bytes} bytes, expected {expected}")));
    }
    Ok(())
}

/// Reads a state that must have the tensors of `like`; a first size of 0 there stands for any.
pub fn read(path: &Path, like: &[StateTensor]) -> Result<Vec<StateTensor>, Error> {
    let bytes = std::fs::read(path).map_err(Error::file("read the state", path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::record(path, error))?;
    like.iter()
        .map(|expected| {
            let name = &expected.name;
            let tensor = file.tensor(name).map_err(|error| Error::record(path, error))?;
            let free = expected.shape.first() == Some(&0) && tensor.shape().get(1..) == expected.shape.get(1..);
            if tensor.dtype() != Dtype::F32 || !(free || tensor.shape() == expected.shape) {
                let (found, wanted) = (tensor.shape(), &expected.shape);
                return Err(Error::record(
                    path,
                    format!("tensor `{name}` has shape {found:?}, expected {wanted:?} f32"),
                ));
            }
            let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(StateTensor { name: name.clone(), shape: tensor.shape().to_vec(), values })
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
        let tensor = |shape: Vec<usize>| StateTensor {
            name: "normal.1.det.weight".to_owned(),
            values: (0..shape.iter().product::<usize>()).map(|i| i as f32 - 0.5).collect(),
            shape,
        };
        let state = vec![tensor(vec![2, 3])];
        write(&state, &[], &path).unwrap();
        assert_eq!(read(&path, &state).unwrap(), state);
        check(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let cut = folder.path().join("cut.safetensors");
        for length in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            assert!(check(&cut).is_err(), "{length} bytes");
        }
        let error = read(&path, &[tensor(vec![3, 2])]).unwrap_err().to_string();
        assert!(error.contains("[2, 3]") && error.contains("[3, 2]"), "{error}");
    }
}
