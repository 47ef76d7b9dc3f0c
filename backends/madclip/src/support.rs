//! The support images that a trainer holds on its device.

use burn::tensor::{Tensor, backend::Backend};

use crate::ModelError;
use crate::kernels::Kernels;
use crate::tensors::to_device;

/// Support images on the device: taps, labels and masks.
pub(crate) struct Support<B: Backend> {
    /// Chunks `[n, T', W]` for each tap that is kept.
    taps: Vec<Vec<Tensor<B, 3>>>,
    labels: Vec<f32>,
    masks: Vec<u8>,
    /// Side of a mask, S.
    size: usize,
}

impl<B: Backend> Support<B> {
    /// No images yet, of which so many taps will be kept, with masks of `size` pixels a side.
    pub(crate) fn new(taps: usize, size: usize) -> Self {
        Self { taps: vec![Vec::new(); taps], labels: Vec::new(), masks: Vec::new(), size }
    }

    /// Adds images: one `[n, T', W]` a tap, labels (1 = abnormal), and masks `[n, S, S]` of 0 and 1, which
    /// `needs_masks` asks for.
    ///
    /// # Errors
    /// Masks are missing, or of another length.
    pub(crate) fn append(
        &mut self,
        taps: Vec<Tensor<B, 3>>,
        labels: &[u8],
        masks: Option<&[u8]>,
        needs_masks: bool,
    ) -> Result<(), ModelError> {
        match masks {
            Some(masks) if masks.len() != labels.len() * self.size.pow(2) => {
                return Err(ModelError::Invalid(format!("{} mask pixels for {} images", masks.len(), labels.len())));
            }
            None if needs_masks => return Err(ModelError::Invalid("support images without masks".into())),
            _ => {}
        }
        for (all, new) in self.taps.iter_mut().zip(taps) {
            all.push(new);
        }
        self.labels.extend(labels.iter().map(|&label| f32::from(label)));
        self.masks.extend_from_slice(masks.unwrap_or_default());
        Ok(())
    }

    /// Makes one tensor of each tap's chunks, so that images can be picked from it.
    pub(crate) fn join(&mut self) {
        for chunks in &mut self.taps {
            if chunks.len() > 1 {
                *chunks = vec![Tensor::cat(std::mem::take(chunks), 0)];
            }
        }
    }

    /// The labels `[B]` of some images.
    ///
    /// # Errors
    /// No image, or one that is not held.
    pub(crate) fn labels(&self, indices: &[usize], device: &B::Device) -> Result<Tensor<B, 1>, ModelError> {
        let held = self.labels.len();
        if indices.is_empty() || indices.iter().any(|&i| i >= held) {
            return Err(ModelError::Invalid(format!("batch {indices:?} of {held} support images")));
        }
        let labels: Vec<f32> = indices.iter().map(|&i| self.labels[i]).collect();
        Ok(to_device(labels, [indices.len()], device))
    }

    /// The normal images.
    pub(crate) fn normal(&self) -> Vec<usize> {
        (0..self.labels.len()).filter(|&image| self.labels[image] == 0.0).collect()
    }

    /// Some images' values of each tap, after [`Support::join`].
    pub(crate) fn batch<K: Kernels<B>>(&self, indices: &[usize]) -> impl Iterator<Item = Tensor<B, 3>> {
        self.taps.iter().map(|chunks| K::batch(&chunks[0], indices))
    }

    /// Some images' masks, `[B, S, S]`.
    pub(crate) fn masks(&self, indices: &[usize], device: &B::Device) -> Tensor<B, 3> {
        let area = self.size * self.size;
        let mut chosen = Vec::with_capacity(indices.len() * area);
        for i in indices {
            chosen.extend(self.masks[i * area..][..area].iter().map(|&pixel| f32::from(pixel)));
        }
        to_device(chosen, [indices.len(), self.size, self.size], device)
    }
}
