//! The frozen image encoder: images in, taps out (docs/method.md section 1).

use burn::tensor::{FloatDType, Tensor, backend::Backend};
use harness_method::Arch;
use harness_method::options::{Activation, Normalize};

use crate::block::{Block, load_norm};
use crate::kernels::{Attention, Embedding, Kernels, Linear, Norm};
use crate::tensors::{Tensors, to_device};
use crate::{ModelError, positions};

/// What an image tower is loaded for.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// Sizes of the CLIP.
    pub arch: &'a Arch,
    /// Side of the images, S, in pixels.
    pub image_size: usize,
    /// Blocks whose outputs are wanted, counted from 1, ascending.
    pub taps: &'a [usize],
    /// Activation of the blocks.
    pub activation: Activation,
    /// Statistics taken off the images.
    pub normalize: Normalize,
    /// Of the layers; residuals, norms and taps are f32.
    pub precision: FloatDType,
}

/// A CLIP image tower up to its last tap.
#[derive(Debug)]
pub struct ImageTower<B: Backend, K: Kernels<B>> {
    arch: Arch,
    image_size: usize,
    taps: Vec<usize>,
    activation: Activation,
    embedding: Embedding<B, K::Layer>,
    ln_pre: Norm<B>,
    blocks: Vec<Block<B, K>>,
}

impl<B: Backend, K: Kernels<B>> ImageTower<B, K> {
    /// Loads the blocks up to the last tap.
    ///
    /// # Errors
    /// A tensor is missing or misshapen, a tap is out of range, the image is smaller than a patch.
    pub fn load(source: &dyn Tensors, settings: &Settings<'_>, device: &B::Device) -> Result<Self, ModelError> {
        let &Settings { arch, image_size, taps, activation, normalize, precision } = settings;
        let Some(&last) = taps.last() else {
            return Err(ModelError::Invalid("no taps given".into()));
        };
        if taps[0] == 0 || last > arch.layers || !taps.is_sorted_by(|a, b| a < b) {
            return Err(ModelError::Invalid(format!("taps {taps:?} are not ascending within 1..={}", arch.layers)));
        }
        if arch.grid(image_size) == 0 || arch.heads == 0 || arch.width % arch.heads != 0 {
            return Err(ModelError::Invalid(format!("no patches of {} in an image of {image_size}", arch.patch)));
        }
        let (width, patch) = (arch.width, arch.patch);
        let from = arch.grid(arch.image_size);
        let table = source.expect("visual.positional_embedding", &[1 + from * from, width])?;
        let table = positions::resize(&table.data, from, arch.grid(image_size), width);
        let tokens = arch.tokens(image_size);
        let class = source.expect("visual.class_embedding", &[width])?;
        let class_row: Vec<f32> = class.data.iter().zip(&table).map(|(a, b)| a + b).collect();
        let weight = source.expect("visual.conv1.weight", &[width, 3, patch, patch])?;
        Ok(Self {
            embedding: Embedding {
                layer: K::layer(fold_normalization(&weight.data, width, patch, normalize, device).cast(precision)),
                class_row: to_device(class_row, [1, width], device),
                positions: to_device(table[width..].to_vec(), [tokens - 1, width], device),
                patch,
                grid: arch.grid(image_size),
            },
            ln_pre: load_norm(source, "visual.ln_pre", width, device)?,
            blocks: (0..last)
                .map(|i| Block::load(source, &format!("visual.transformer.resblocks.{i}"), width, precision, device))
                .collect::<Result<_, _>>()?,
            arch: arch.clone(),
            image_size,
            taps: taps.to_vec(),
            activation,
        })
    }

    /// Tokens of an image, class token included.
    pub fn tokens(&self) -> usize {
        self.arch.tokens(self.image_size)
    }

    /// Images `[B, 3, S, S]` in 0..1 to one `[B, T, W]` a tap, class token first.
    pub fn encode(&self, images: Tensor<B, 4>) -> Vec<Tensor<B, 3>> {
        let (items, tokens, width) = (images.dims()[0], self.tokens(), self.arch.width);
        let mut x = K::layer_norm(K::embed(images, &self.embedding), &self.ln_pre);
        let attention = Attention { items, tokens, heads: self.arch.heads };
        let mut taps = Vec::with_capacity(self.taps.len());
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, attention, None, self.activation, None);
            if self.taps.contains(&(i + 1)) {
                taps.push(x.clone().reshape([items, tokens, width]));
            }
        }
        taps
    }
}

/// The patch convolution with `(image - mean) / deviation` folded into weight and bias.
fn fold_normalization<B: Backend>(
    weight: &[f32],
    width: usize,
    patch: usize,
    normalize: Normalize,
    device: &B::Device,
) -> Linear<B> {
    let (mean, deviation) = normalize.statistics();
    let area = patch * patch;
    let mut folded = Vec::with_capacity(weight.len());
    let mut bias = Vec::with_capacity(width);
    for filter in weight.chunks_exact(3 * area) {
        let mut shift = 0.0f64;
        for (channel, plane) in filter.chunks_exact(area).enumerate() {
            folded.extend(plane.iter().map(|w| w / deviation[channel]));
            shift -= plane.iter().map(|&w| f64::from(w)).sum::<f64>() * f64::from(mean[channel])
                / f64::from(deviation[channel]);
        }
        bias.push(shift as f32);
    }
    Linear { weight: to_device(folded, [width, 3 * area], device), bias: to_device(bias, [width], device) }
}
