//! Taps of images that stay on the device while many states score them.

use burn::tensor::{Tensor, backend::Backend};

use crate::ModelError;
use crate::kernels::Kernels;

/// Taps of some images, as the trainer that holds them uses them.
#[derive(Clone, Debug)]
pub struct HeldTaps<B: Backend> {
    /// `[n, T', W]` for each tap that is used.
    taps: Vec<Tensor<B, 3>>,
    images: usize,
}

impl<B: Backend> HeldTaps<B> {
    pub(crate) fn new(taps: Vec<Tensor<B, 3>>, images: usize) -> Self {
        Self { taps, images }
    }

    /// Images that are held.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The taps of some of them, in this order.
    ///
    /// # Errors
    /// No image, or one that is not held.
    pub(crate) fn some<K: Kernels<B>>(&self, indices: &[usize]) -> Result<Vec<Tensor<B, 3>>, ModelError> {
        let held = self.images;
        if indices.is_empty() || indices.iter().any(|&index| index >= held) {
            return Err(ModelError::Invalid(format!("images {indices:?} of {held} held")));
        }
        if indices.iter().copied().eq(0..held) {
            return Ok(self.taps.clone());
        }
        Ok(self.taps.iter().map(|tap| K::batch(tap, indices)).collect())
    }
}
