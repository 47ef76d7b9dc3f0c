//! An open device: loads towers, creates trainers.

use std::sync::Arc;

use burn::tensor::{FloatDType, Tensor, TensorData};
use harness_backend_abi::plugin::{
    Failure, ImageTowerOptions, ImageTowerShape, Memory, Precision, Session, Tensors, TextTowerOptions, TextTowerShape,
    TrainerOptions, parse,
};
use harness_method::Arch;
use madclip::Kernels;
use madclip::image_tower::Settings;

use crate::failure::{of_model, on_device};
use crate::tensors::Weights;
use crate::towers::copy;
use crate::{BurnBackend, BurnImageTower, BurnTextTower, BurnTrainer, gemm, memory};

/// An open device of `D`.
pub struct BurnSession<D> {
    device: Arc<D>,
}

impl<D: BurnBackend> BurnSession<D> {
    pub(crate) fn new(device: D) -> Self {
        Self { device: Arc::new(device) }
    }
}

impl<D: BurnBackend> Session for BurnSession<D> {
    type ImageTower = BurnImageTower<D>;
    type TextTower = BurnTextTower<D>;
    type Trainer = BurnTrainer<D>;

    fn load_image_tower(
        &mut self,
        options: &ImageTowerOptions,
        tensors: &Tensors<'_>,
    ) -> Result<BurnImageTower<D>, Failure> {
        let arch: Arch = parse("arch", &options.arch)?;
        let settings = Settings {
            arch: &arch,
            image_size: options.image_size,
            taps: &options.taps,
            activation: parse("activation", &options.activation)?,
            normalize: parse("normalize", &options.normalize)?,
            precision: precision::<D>(options.precision)?,
        };
        let device = Arc::clone(&self.device);
        let tower = on_device(&*device, || {
            madclip::ImageTower::load(&Weights(tensors), &settings, device.device()).map_err(of_model)
        })?;
        let shape = ImageTowerShape {
            image_size: options.image_size,
            taps: options.taps.len(),
            tokens: tower.tokens(),
            width: arch.width,
        };
        Ok(BurnImageTower { device, tower, shape })
    }

    fn load_text_tower(
        &mut self,
        options: &TextTowerOptions,
        tensors: &Tensors<'_>,
    ) -> Result<BurnTextTower<D>, Failure> {
        let arch: Arch = parse("arch", &options.arch)?;
        let activation = parse("activation", &options.activation)?;
        let device = Arc::clone(&self.device);
        let tower = on_device(&*device, || {
            madclip::TextTower::load(&Weights(tensors), &arch, activation, device.device()).map_err(of_model)
        })?;
        let shape = TextTowerShape { context: arch.context, width: arch.text_width, embed: arch.embed };
        Ok(BurnTextTower { device, tower, shape })
    }

    fn create_trainer(
        &mut self,
        options: &TrainerOptions,
        text: Option<&BurnTextTower<D>>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<BurnTrainer<D>, Failure> {
        BurnTrainer::create(Arc::clone(&self.device), options, text, prompts, state)
    }

    fn memory(&self) -> Memory {
        Memory { host_peak_bytes: memory::host_peak_bytes(), device_peak_bytes: self.device.device_peak_bytes() }
    }

    fn nearest(&mut self, bank: &[f32], queries: &[f32], width: usize, distances: &mut [f32]) -> Result<(), Failure> {
        let device = &*self.device;
        on_device(device, || {
            let rows = |values: &[f32]| {
                let values = TensorData::new(values.to_vec(), [values.len() / width, width]);
                Tensor::<D::Backend, 2>::from_data(values, device.device())
            };
            let largest = <D::Kernels as Kernels<D::Backend>>::largest_product(&rows(queries), &rows(bank));
            copy(-largest + 1.0, distances)
        })
    }

    fn gemm_rate(&mut self) -> Result<f64, Failure> {
        let device = &*self.device;
        on_device(device, || gemm::rate::<D::Backend>(device.device()))
    }
}

fn precision<D: BurnBackend>(wanted: Precision) -> Result<FloatDType, Failure> {
    let name = wanted.name();
    if !D::precisions().contains(&wanted) {
        return Err(Failure::unsupported(format!("`{}` has no image tower of precision {name}", D::NAME)));
    }
    match wanted {
        Precision::F32 => Ok(FloatDType::F32),
        Precision::F16 => Ok(FloatDType::F16),
        Precision::Bf16 => Ok(FloatDType::BF16),
        Precision::Tf32 => {
            Err(Failure::invalid(format!("`{name}` is an option of the session; ask for a tower of f32")))
        }
    }
}
