//! Between Burn's tensors and the kernels' slices.

use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use crate::buffers;

/// The values of a tensor, row-major. When it is dropped and nobody else holds the tensor, its memory serves again: no
/// kernel has to remember that.
pub(crate) struct Values(Option<FlexTensor>);

impl Values {
    pub(crate) fn of<const D: usize>(tensor: Tensor<Flex, D>) -> Self {
        Self(Some(tensor.into_primitive().tensor().to_contiguous()))
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        self.0.as_ref().map_or(&[], FlexTensor::storage)
    }

    /// Whether nobody else holds the values.
    pub(crate) fn is_unique(&self) -> bool {
        self.0.as_ref().is_some_and(FlexTensor::is_unique)
    }

    /// The values to be overwritten: in place, or a copy where somebody else holds them too.
    pub(crate) fn into_vec(mut self) -> Vec<f32> {
        let copied = |values: &[f32]| {
            let mut copy = buffers::take(values.len());
            copy.copy_from_slice(values);
            copy
        };
        match self.0.take_if(|tensor| tensor.is_unique()) {
            Some(tensor) => {
                let bytes = tensor.into_data().bytes;
                bytes.try_into_vec::<f32>().unwrap_or_else(|bytes| copied(bytemuck::cast_slice(&bytes)))
            }
            None => copied(self.as_slice()),
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        if let Some(tensor) = self.0.take_if(|tensor| tensor.is_unique())
            && let Ok(values) = tensor.into_data().bytes.try_into_vec::<f32>()
        {
            buffers::give(values);
        }
    }
}

/// A tensor of these values.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    let data = burn::tensor::TensorData::new(values, shape);
    Tensor::from_primitive(TensorPrimitive::Float(FlexTensor::from_data(data)))
}
