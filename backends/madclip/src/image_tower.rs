//! The frozen image encoder: images in, taps out (docs/method.md section 1).

use burn::tensor::{FloatDType, Int, Tensor, TensorData, backend::Backend};
use harness_method::Arch;
use harness_method::options::{Activation, Normalize};

use crate::block::{Block, load_norm};
use crate::kernels::Kernels;
use crate::operands::{Attention, Embedding, Linear, Norm};
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

    /// Images `[B, 3, S, S]` in 0..1 to the class tokens `[B, n, W]` of all their windows of `side` x `side` patches,
    /// row by row: each window goes through the blocks alone, on the class token and its own patches, which have their
    /// positions in the whole image.
    ///
    /// # Errors
    /// No such window.
    pub fn encode_windows(&self, images: Tensor<B, 4>, side: usize) -> Result<Tensor<B, 3>, ModelError> {
        let (items, grid, width) = (images.dims()[0], self.embedding.grid, self.arch.width);
        if side == 0 || side > grid {
            return Err(ModelError::Invalid(format!("windows of {side} patches a side in a grid of {grid}")));
        }
        let (rows, device) = (window_rows(grid, side), images.device());
        let (windows, tokens) = ((grid - side + 1).pow(2), 1 + side * side);
        let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [windows * tokens]), &device);
        // Behind the attention of the last block only class tokens are wanted.
        let first: Vec<i32> = (0..windows).map(|window| (window * tokens) as i32).collect();
        let first = Tensor::<B, 1, Int>::from_data(TensorData::new(first, [windows]), &device);
        let attention = Attention { items: windows, tokens, heads: self.arch.heads };
        // An image has thousands of such tokens, so one at a time fills a device; more would only take memory.
        let each = (0..items).map(|item| {
            let image = images.clone().narrow(0, item, 1);
            let mut x = K::layer_norm(K::embed(image, &self.embedding), &self.ln_pre).select(0, rows.clone());
            for (i, block) in self.blocks.iter().enumerate() {
                let wanted = (i + 1 == self.blocks.len()).then(|| first.clone());
                x = block.forward(x, attention, None, self.activation, wanted);
            }
            x.reshape([1, windows, width])
        });
        Ok(Tensor::cat(each.collect(), 0))
    }
}

/// Rows of an image's tokens that its windows of `side` x `side` patches hold, the class token first in each.
fn window_rows(grid: usize, side: usize) -> Vec<i32> {
    let starts = grid - side + 1;
    let mut rows = Vec::with_capacity(starts * starts * (1 + side * side));
    for (top, left) in (0..starts).flat_map(|top| (0..starts).map(move |left| (top, left))) {
        rows.push(0);
        for row in top..top + side {
            rows.extend((left..left + side).map(|column| (1 + row * grid + column) as i32));
        }
    }
    rows
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::Plain;
    use crate::testing::{B, DEVICE, arch, assert_close, host, random, tensor, weights};

    fn load(
        arch: &Arch,
        size: usize,
        taps: &[usize],
        normalize: Normalize,
    ) -> Result<ImageTower<B, Plain>, ModelError> {
        let (activation, precision) = (Activation::Gelu, FloatDType::F32);
        ImageTower::load(
            &weights(),
            &Settings { arch, image_size: size, taps, activation, normalize, precision },
            &DEVICE,
        )
    }

    fn tower(taps: &[usize], normalize: Normalize) -> ImageTower<B, Plain> {
        load(&arch(), 12, taps, normalize).unwrap()
    }

    fn images(n: usize) -> Tensor<B, 4> {
        random("images", [n, 3, 12, 12]) * 0.5 + 0.5
    }

    #[test]
    fn each_tap_is_what_it_is_alone() {
        let taps = tower(&[1, 3], Normalize::None).encode(images(2));
        assert_eq!(taps.iter().map(|tap| tap.dims()).collect::<Vec<_>>(), [[2, 10, 16]; 2]);
        for (tap, number) in taps.into_iter().zip([1, 3]) {
            let alone = tower(&[number], Normalize::None).encode(images(2)).remove(0);
            assert_eq!(host(tap), host(alone));
        }
    }

    #[test]
    fn images_of_a_batch_do_not_see_each_other() {
        let whole = tower(&[3], Normalize::None).encode(images(3)).remove(0);
        let last = tower(&[3], Normalize::None).encode(images(3).narrow(0, 2, 1)).remove(0);
        assert_close(&host(whole.narrow(0, 2, 1)), &host(last), 1e-5);
    }

    #[test]
    fn statistics_folded_into_the_convolution_are_statistics_taken_off_the_images() {
        for normalize in [Normalize::Clip, Normalize::Imagenet] {
            let (mean, deviation) = normalize.statistics();
            let [mean, deviation] = [mean, deviation].map(|channel| tensor(&channel, [1, 3, 1, 1]));
            let before = tower(&[2], Normalize::None).encode((images(1) - mean) / deviation).remove(0);
            let folded = tower(&[2], normalize).encode(images(1)).remove(0);
            assert_close(&host(folded), &host(before), 1e-4);
        }
    }

    #[test]
    fn the_window_of_all_patches_is_the_image() {
        let tower = tower(&[3], Normalize::None);
        let whole = tower.encode(images(2)).remove(0).narrow(1, 0, 1);
        assert_close(&host(tower.encode_windows(images(2), 3).unwrap()), &host(whole), 1e-5);
        for side in [0, 4] {
            assert!(tower.encode_windows(images(1), side).is_err(), "{side}");
        }
    }

    #[test]
    fn a_window_does_not_see_what_lies_outside_and_images_of_a_batch_change_no_bit() {
        let tower = tower(&[1, 3], Normalize::None);
        let two = tower.encode_windows(images(2), 2).unwrap();
        assert_eq!(two.dims(), [2, 4, 16]);
        assert_eq!(
            host(tower.encode_windows(images(2).narrow(0, 1, 1), 2).unwrap()),
            host(two.clone().narrow(0, 1, 1))
        );
        // The upper left window of four ends before the last row and column of patches.
        let cut = images(1).narrow(2, 0, 8).narrow(3, 0, 8);
        let padded = Tensor::cat(vec![cut, Tensor::zeros([1, 3, 8, 4], &DEVICE)], 3);
        let padded = Tensor::cat(vec![padded, Tensor::zeros([1, 3, 4, 12], &DEVICE)], 2);
        let other = tower.encode_windows(padded, 2).unwrap();
        assert_eq!(host(other.clone().narrow(1, 0, 1)), host(two.clone().narrow(0, 0, 1).narrow(1, 0, 1)));
        assert_ne!(host(other.narrow(1, 3, 1)), host(two.narrow(0, 0, 1).narrow(1, 3, 1)));
    }

    #[test]
    fn windows_are_listed_row_by_row() {
        assert_eq!(window_rows(3, 2)[..10], [0, 1, 2, 4, 5, 0, 2, 3, 5, 6]);
        assert_eq!(window_rows(2, 1), [0, 1, 0, 2, 0, 3, 0, 4]);
    }

    #[test]
    fn another_image_size_has_its_own_grid_and_its_rest_is_unused() {
        let tower = load(&arch(), 22, &[1], Normalize::None).unwrap();
        assert_eq!(tower.tokens(), 26);
        let image = random("image", [1, 3, 22, 22]);
        // Pixels 20 and 21 of each row and column lie beyond the fifth patch.
        let cut = image.clone().narrow(2, 0, 20).narrow(3, 0, 20);
        let padded = Tensor::cat(vec![cut, Tensor::zeros([1, 3, 20, 2], &DEVICE)], 3);
        let padded = Tensor::cat(vec![padded, Tensor::zeros([1, 3, 2, 22], &DEVICE)], 2);
        assert_eq!(host(tower.encode(image).remove(0)), host(tower.encode(padded).remove(0)));
    }

    #[test]
    fn wrong_taps_and_images_smaller_than_a_patch_are_errors() {
        let refused =
            |arch: &Arch, size: usize, taps: &[usize]| load(arch, size, taps, Normalize::None).unwrap_err().to_string();
        for taps in [&[0, 1][..], &[2, 2], &[2, 1], &[4]] {
            assert!(refused(&arch(), 12, taps).contains("not ascending within 1..=3"), "{taps:?}");
        }
        assert_eq!(refused(&arch(), 12, &[]), "no taps given");
        assert!(refused(&arch(), 3, &[1]).contains("no patches of 4 in an image of 3"));
        assert!(refused(&Arch { layers: 3, width: 8, ..arch() }, 12, &[1]).contains("visual."));
    }
}
