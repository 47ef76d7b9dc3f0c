//! Named tensors on the host, and their way to and from a device.

use std::borrow::Cow;

use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::ModelError;

/// A row-major f32 tensor on the host.
#[derive(Clone, Debug)]
pub struct HostTensor<'a> {
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, as many as the shape says.
    pub data: Cow<'a, [f32]>,
}

/// Where named tensors come from. A source may convert a tensor only when it is asked for, so that no second copy of
/// all weights exists.
pub trait Tensors {
    /// The tensor of this name.
    ///
    /// # Errors
    /// It is missing, or not a tensor of floats.
    fn get(&self, name: &str) -> Result<HostTensor<'_>, ModelError>;

    /// The tensor of this name, which must have this shape.
    ///
    /// # Errors
    /// It is missing or has another shape.
    fn expect(&self, name: &str, shape: &[usize]) -> Result<HostTensor<'_>, ModelError> {
        let tensor = self.get(name)?;
        if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
            return Err(ModelError::Shape { name: name.to_owned(), expected: shape.to_vec(), found: tensor.shape });
        }
        Ok(tensor)
    }
}

impl Tensors for std::collections::HashMap<String, HostTensor<'static>> {
    fn get(&self, name: &str) -> Result<HostTensor<'_>, ModelError> {
        let found = Self::get(self, name).ok_or_else(|| ModelError::MissingTensor { name: name.to_owned() })?;
        Ok(HostTensor { shape: found.shape.clone(), data: Cow::Borrowed(&found.data) })
    }
}

/// A named tensor of known shape, on the device.
pub(crate) fn load<B: Backend, const D: usize>(
    source: &dyn Tensors,
    name: &str,
    shape: [usize; D],
    device: &B::Device,
) -> Result<Tensor<B, D>, ModelError> {
    let tensor = source.expect(name, &shape)?;
    Ok(to_device(tensor.data.into_owned(), shape, device))
}

/// Values on the device.
pub(crate) fn to_device<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Values on the host, as f32.
pub(crate) fn to_host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The values of some tensors, one after another, by one read: each read waits for the device.
pub(crate) fn all_to_host<B: Backend>(tensors: Vec<Tensor<B, 1>>) -> Vec<f32> {
    to_host(Tensor::cat(tensors, 0))
}

/// The value of `images`, and for each of so many terms the sum of its values: `parts` has the terms of one tap or
/// head, then those of the next. All are `[1]`.
pub(crate) fn losses<B: Backend>(images: Tensor<B, 1>, parts: Vec<Tensor<B, 1>>, terms: usize) -> (f32, Vec<f32>) {
    let values = all_to_host(std::iter::once(images).chain(parts).collect());
    let mut sums = vec![0.0; terms];
    for part in values[1..].chunks(terms.max(1)) {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    (values[0], sums)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashMap;

    use super::*;
    use crate::testing::{B, DEVICE};

    #[test]
    fn losses_of_several_parts_are_summed_term_by_term() {
        let of = |values: &[f32]| values.iter().map(|&value| crate::testing::tensor(&[value], [1])).collect::<Vec<_>>();
        let images = || of(&[0.5]).remove(0);
        assert_eq!(losses(images(), of(&[1.0, 10.0, 2.0, 20.0]), 2), (0.5, vec![3.0, 30.0]));
        assert_eq!(losses(images(), Vec::new(), 0), (0.5, Vec::new()));
    }

    #[test]
    fn a_tensor_is_given_with_its_shape_or_refused_by_name() {
        let tensor = |shape: &[usize]| HostTensor { shape: shape.to_vec(), data: vec![1.0, 2.0].into() };
        let source = HashMap::from([("right".to_owned(), tensor(&[1, 2])), ("torn".to_owned(), tensor(&[3]))]);
        let loaded: Tensor<B, 2> = load(&source, "right", [1, 2], &DEVICE).unwrap();
        assert_eq!((loaded.dims(), to_host(loaded)), ([1, 2], vec![1.0, 2.0]));
        let refused = |name: &str, shape: &[usize]| source.expect(name, shape).unwrap_err().to_string();
        assert_eq!(refused("right", &[2]), "tensor `right` has shape [1, 2], expected [2]");
        assert!(refused("torn", &[3]).contains("`torn`"), "fewer values than its shape says");
        assert_eq!(refused("absent", &[2]), "tensor `absent` is missing");
    }
}
