//! Between Burn's tensors and the kernels' slices.

use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use crate::buffers;

/// The values of a tensor, row-major.
pub(crate) struct Values(FlexTensor);

impl Values {
    pub(crate) fn of<const D: usize>(tensor: Tensor<Flex, D>) -> Self {
        Self(tensor.into_primitive().tensor().to_contiguous())
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        self.0.storage()
    }

    /// Whether nobody else holds the values.
    pub(crate) fn is_unique(&self) -> bool {
        self.0.is_unique()
    }

    /// The values to be overwritten: in place, or a copy where somebody else holds them too.
    pub(crate) fn into_vec(self) -> Vec<f32> {
        let copied = |values: &[f32]| {
            let mut copy = buffers::take(values.len());
            copy.copy_from_slice(values);
            copy
        };
        if !self.0.is_unique() {
            return copied(self.as_slice());
        }
        let bytes = self.0.into_data().bytes;
        bytes.try_into_vec::<f32>().unwrap_or_else(|bytes| copied(bytemuck::cast_slice(&bytes)))
    }

    /// Done with: the memory serves again where nobody else holds it.
    pub(crate) fn recycle(self) {
        if self.0.is_unique()
            && let Ok(values) = self.0.into_data().bytes.try_into_vec::<f32>()
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
