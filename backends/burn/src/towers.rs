//! The frozen encoders of an open device.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use harness_backend_abi::plugin::{Failure, ImageTower, ImageTowerShape, Images, TextTower, TextTowerShape};

use madclip::Recorded;

use crate::BurnBackend;
use crate::failure::{of_model, on_device};

/// A loaded image tower.
pub struct BurnImageTower<D: BurnBackend> {
    pub(crate) device: Arc<D>,
    pub(crate) tower: madclip::ImageTower<D::Backend, D::Kernels>,
    pub(crate) shape: ImageTowerShape,
}

impl<D: BurnBackend> ImageTower for BurnImageTower<D> {
    fn shape(&self) -> ImageTowerShape {
        self.shape
    }

    fn encode(&mut self, images: Images<'_>, batch: usize, taps: &mut [&mut [f32]]) -> Result<(), Failure> {
        let pixels = self.pixels(images, batch);
        on_device(&*self.device, || {
            let images = Tensor::from_data(pixels, self.device.device());
            self.tower.encode(images).into_iter().zip(taps).try_for_each(|(tap, out)| copy(tap, out))
        })
    }

    fn encode_windows(
        &mut self,
        images: Images<'_>,
        batch: usize,
        side: usize,
        windows: &mut [f32],
    ) -> Result<(), Failure> {
        let pixels = self.pixels(images, batch);
        on_device(&*self.device, || {
            let images = Tensor::from_data(pixels, self.device.device());
            copy(self.tower.encode_windows(images, side).map_err(of_model)?, windows)
        })
    }
}

impl<D: BurnBackend> BurnImageTower<D> {
    /// Images `[batch, 3, S, S]` in 0 to 1.
    fn pixels(&self, images: Images<'_>, batch: usize) -> TensorData {
        let pixels = match images {
            Images::U8(bytes) => bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect(),
            Images::F32(pixels) => pixels.to_vec(),
        };
        let side = self.shape.image_size;
        TensorData::new(pixels, [batch, 3, side, side])
    }
}

/// A loaded text tower. It records gradients where a trainer asks for them.
pub struct BurnTextTower<D: BurnBackend> {
    pub(crate) device: Arc<D>,
    pub(crate) tower: madclip::TextTower<Autodiff<D::Backend>, Recorded<D::Kernels>>,
    pub(crate) shape: TextTowerShape,
}

impl<D: BurnBackend> TextTower for BurnTextTower<D> {
    fn shape(&self) -> TextTowerShape {
        self.shape
    }

    fn encode(&mut self, embedded: &[f32], eot: &[u32], causal: bool, out: &mut [f32]) -> Result<(), Failure> {
        let TextTowerShape { context, width, .. } = self.shape;
        let eot: Vec<usize> = eot.iter().map(|&index| index as usize).collect();
        on_device(&*self.device, || {
            let embedded = TensorData::new(embedded.to_vec(), [eot.len(), context, width]);
            let embedded = Tensor::from_data(embedded, self.device.device());
            copy(self.tower.encode(embedded, &eot, causal).inner(), out)
        })
    }
}

pub(crate) fn copy<B: Backend, const R: usize>(tensor: Tensor<B, R>, out: &mut [f32]) -> Result<(), Failure> {
    let data = tensor.into_data().convert::<f32>();
    let values = data.as_slice::<f32>().map_err(|cause| Failure::internal(format!("{cause:?}")))?;
    out.copy_from_slice(values);
    Ok(())
}
