//! The operations where a backend may do better than a chain of Burn calls. Their bodies here and in [`Plain`] are
//! plain Burn; a backend crate overrides what pays on its hardware. The model is written once, on top of these.
//!
//! Operations that are trained through come with their gradient, so that Burn's graph holds few and large steps (see
//! [`crate::Recorded`]).

use std::fmt::Debug;

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use harness_method::options::Activation;

pub use crate::operands::{Attention, CosineGradients, Cosines, EPSILON, Embedding, Heads, Linear, Norm, SLOPE};

use crate::adam::{self, Moments};
use crate::operands::in_precision;
use crate::plain;
use crate::segmentation::{self, Segmentation, Term};
use crate::tensors::to_device;

/// Building blocks of towers and adapters. Rows are tokens: `[rows, width]`, however many images they come from.
///
/// In an image tower of half precision the layers are half and so are products and what lies between them; residuals,
/// norms and softmax stay f32. A layer takes its input in either precision.
///
/// A function whose name ends in `_gradient` takes the gradient with respect to the other's result first.
pub trait Kernels<B: Backend>: 'static {
    /// A frozen linear layer, laid out as this backend likes it.
    type Layer: Clone + Debug + Send + Sync + 'static;

    /// Whether products with a few columns are products of matrices, too. Not where kernels are fused and tuned: a
    /// matrix times a column vector comes out wrong there (burn #5122).
    const MULTIPLIES_NARROW: bool = false;

    /// Takes a frozen layer.
    fn layer(linear: Linear<B>) -> Self::Layer;

    /// `x W^T + b`, in the layer's precision.
    fn linear(x: Tensor<B, 2>, layer: &Self::Layer) -> Tensor<B, 2>;

    /// With respect to `x`.
    fn linear_gradient(gradient: Tensor<B, 2>, layer: &Self::Layer) -> Tensor<B, 2>;

    /// `activation(x W^T + b)`.
    fn linear_activation(x: Tensor<B, 2>, layer: &Self::Layer, kind: Activation) -> Tensor<B, 2> {
        Self::activation(Self::linear(x, layer), kind)
    }

    /// `residual + x W^T + b`, in the residual's precision.
    fn linear_residual(x: Tensor<B, 2>, layer: &Self::Layer, residual: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = in_precision(Self::linear(x, layer), residual.dtype());
        residual + x
    }

    /// A linear layer of what a norm leaves.
    fn norm_linear(x: Tensor<B, 2>, norm: &Norm<B>, layer: &Self::Layer) -> Tensor<B, 2> {
        Self::linear(Self::layer_norm(x, norm), layer)
    }

    /// A linear layer of what a norm leaves, and an activation.
    fn norm_linear_activation(x: Tensor<B, 2>, norm: &Norm<B>, layer: &Self::Layer, kind: Activation) -> Tensor<B, 2> {
        Self::linear_activation(Self::layer_norm(x, norm), layer, kind)
    }

    /// Images `[B, 3, S, S]` to tokens, `[B * (1 + grid * grid), W]`, class token first.
    fn embed(images: Tensor<B, 4>, embedding: &Embedding<B, Self::Layer>) -> Tensor<B, 2> {
        let Embedding { layer, class_row, positions, patch, grid } = embedding;
        let (items, used) = (images.dims()[0], grid * patch);
        let [tokens, width] = positions.dims();
        // A convolution whose stride is its kernel is one product over unfolded patches.
        let pixels = images
            .narrow(2, 0, used)
            .narrow(3, 0, used)
            .reshape([items, 3, *grid, *patch, *grid, *patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([items * tokens, 3 * patch * patch]);
        let x = in_precision(Self::linear(pixels, layer), DType::F32).reshape([items, tokens, width]);
        let x = x + positions.clone().unsqueeze();
        let class = class_row.clone().unsqueeze::<3>().repeat_dim(0, items);
        Tensor::cat(vec![class, x], 1).reshape([items * (1 + tokens), width])
    }

    /// The activation of a tower's blocks.
    fn activation(x: Tensor<B, 2>, kind: Activation) -> Tensor<B, 2> {
        plain::activation(x, kind)
    }

    /// With respect to `x`.
    fn activation_gradient(gradient: Tensor<B, 2>, x: Tensor<B, 2>, kind: Activation) -> Tensor<B, 2> {
        plain::activation_gradient(gradient, x, kind)
    }

    /// Layer norm over the last dimension.
    fn layer_norm(x: Tensor<B, 2>, norm: &Norm<B>) -> Tensor<B, 2> {
        plain::layer_norm(x, norm)
    }

    /// With respect to `x`.
    fn layer_norm_gradient(gradient: Tensor<B, 2>, x: Tensor<B, 2>, norm: &Norm<B>) -> Tensor<B, 2> {
        plain::layer_norm_gradient(gradient, x, norm)
    }

    /// Self-attention from packed projections: `qkv` `[rows, 3 * width]` -> `[rows, width]`, softmax of
    /// `q k^T / sqrt(width / heads)`, plus `mask` `[tokens, tokens]` where there is one.
    fn attention(qkv: Tensor<B, 2>, attention: Attention, mask: Option<&Tensor<B, 2>>) -> Tensor<B, 2> {
        plain::attention(qkv, attention, mask)
    }

    /// With respect to `qkv`.
    fn attention_gradient(
        gradient: Tensor<B, 2>,
        qkv: Tensor<B, 2>,
        attention: Attention,
        mask: Option<&Tensor<B, 2>>,
    ) -> Tensor<B, 2> {
        plain::attention_gradient(gradient, qkv, attention, mask)
    }

    /// Taps from the host, `[items, tokens, width]`, without the first `skipped` tokens of each item.
    fn taps(values: &[f32], [items, tokens, width]: [usize; 3], skipped: usize, device: &B::Device) -> Tensor<B, 3> {
        let kept = tokens - skipped;
        let mut rows = Vec::with_capacity(items * kept * width);
        values.chunks_exact(tokens * width).for_each(|item| rows.extend_from_slice(&item[skipped * width..]));
        to_device(rows, [items, kept, width], device)
    }

    /// Some items of taps, in this order.
    fn batch(taps: &Tensor<B, 3>, items: &[usize]) -> Tensor<B, 3> {
        let rows: Vec<i32> = items.iter().map(|&item| item as i32).collect();
        let rows = Tensor::from_data(TensorData::new(rows, [items.len()]), &taps.device());
        taps.clone().select(0, rows)
    }

    /// `leaky_relu(x W^T)` of a trained layer, and `+ b` inside where there is one.
    fn linear_leaky(x: Tensor<B, 2>, weight: Tensor<B, 2>, bias: Option<Tensor<B, 1>>) -> Tensor<B, 2> {
        plain::linear_leaky(x, weight, bias)
    }

    /// With respect to the weight (`output` is the function's result); the taps it is applied to are frozen.
    fn linear_leaky_gradient(gradient: Tensor<B, 2>, x: Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 2> {
        plain::linear_leaky_gradient(gradient, x, output)
    }

    /// With respect to the bias.
    fn linear_leaky_bias_gradient(gradient: Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 1> {
        plain::linear_leaky_bias_gradient(gradient, output)
    }

    /// Features `leaky_relu(x W^T)` of tokens `x` `[N, W]`, brought to unit length, times `directions` `[D, E]`:
    /// cosines where the directions have unit length too. `[N * heads, D]`, the heads of a token next to each other.
    fn cosines(x: Tensor<B, 2>, heads: &Heads<B>, directions: &Tensor<B, 2>) -> Tensor<B, 2> {
        Self::cosines_with_features(x, heads, directions).values
    }

    /// The same, with the features kept for the gradient.
    fn cosines_with_features(x: Tensor<B, 2>, heads: &Heads<B>, directions: &Tensor<B, 2>) -> Cosines<B> {
        plain::cosines(x, heads, directions, Self::MULTIPLIES_NARROW)
    }

    /// With respect to tokens, weight and directions; `values` and `features` are the function's results.
    fn cosines_gradient(
        gradient: Tensor<B, 2>,
        values: Tensor<B, 2>,
        features: Tensor<B, 2>,
        x: Tensor<B, 2>,
        heads: &Heads<B>,
        directions: &Tensor<B, 2>,
    ) -> CosineGradients<B> {
        plain::cosines_gradient(gradient, values, features, x, heads, directions, Self::MULTIPLIES_NARROW)
    }

    /// The largest product of each row of `x` `[N, E]` with a row of `bank` `[M, E]`, M at least 1: `[N, 1]`. Where a
    /// row holds NaN, its products may be left out of the largest.
    fn largest_product(x: &Tensor<B, 2>, bank: &Tensor<B, 2>) -> Tensor<B, 2> {
        plain::largest_product(x, bank)
    }

    /// These losses of one tap's grids of d `[B, G, G]` against masks `[B, S, S]`, with the gradient of their sum.
    /// `upsampling` is the `[S, G]` matrix of bilinear interpolation with aligned corners. A backend that has its own
    /// code for some terms calls [`segmentation::losses`] for other lists.
    fn segmentation(
        terms: &[Term],
        upsampling: &Tensor<B, 2>,
        grids: Tensor<B, 3>,
        masks: Tensor<B, 3>,
    ) -> Segmentation<B> {
        segmentation::losses(terms, upsampling, grids, masks)
    }

    /// Step `step` (from 1) of Adam on a flat trainable tensor.
    fn adam(value: &mut Tensor<B, 1>, gradient: Tensor<B, 1>, moments: &mut Moments<B>, step: u32, learning_rate: f64) {
        adam::update(value, gradient, moments, step, learning_rate);
    }
}

/// Every operation as a chain of Burn calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl<B: Backend> Kernels<B> for Plain {
    type Layer = Linear<B>;

    fn layer(linear: Linear<B>) -> Linear<B> {
        linear
    }

    fn linear(x: Tensor<B, 2>, layer: &Linear<B>) -> Tensor<B, 2> {
        in_precision(x, layer.weight.dtype()).matmul(layer.weight.clone().transpose()) + layer.bias.clone().unsqueeze()
    }

    fn linear_gradient(gradient: Tensor<B, 2>, layer: &Linear<B>) -> Tensor<B, 2> {
        gradient.matmul(layer.weight.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{B, DEVICE, assert_close, host, random, tensor};

    #[test]
    fn a_linear_layer_is_a_product_with_the_transpose_and_a_bias() {
        let layer = <Plain as Kernels<B>>::layer(Linear {
            weight: tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2]),
            bias: tensor(&[0.5, 0.0, -1.0], [3]),
        });
        let x = || tensor(&[1.0, -1.0], [1, 2]);
        assert_eq!(host(Plain::linear(x(), &layer)), [-0.5, -1.0, -2.0]);
        assert_eq!(host(Plain::linear_residual(x(), &layer, tensor(&[1.0; 3], [1, 3]))), [0.5, 0.0, -1.0]);
        assert_eq!(host(Plain::linear_gradient(tensor(&[1.0, 0.0, 1.0], [1, 3]), &layer)), [6.0, 8.0]);
        let activated = host(Plain::linear_activation(x(), &layer, Activation::Gelu));
        assert_close(&activated, &host(plain::activation(Plain::linear(x(), &layer), Activation::Gelu)), 0.0);
    }

    #[test]
    fn patches_become_tokens_in_rows_and_columns_behind_the_class_token() {
        // One output that copies the first pixel of the green channel of each patch.
        let mut weight = [0.0; 12];
        weight[4] = 1.0;
        let layer = Linear { weight: tensor(&weight, [1, 12]), bias: tensor(&[0.0], [1]) };
        let embedding = Embedding {
            layer: <Plain as Kernels<B>>::layer(layer),
            class_row: tensor(&[-1.0], [1, 1]),
            positions: tensor(&[0.1, 0.2, 0.3, 0.4], [4, 1]),
            patch: 2,
            grid: 2,
        };
        // 5 x 5 pixels: the last row and column belong to no patch.
        let pixels: Vec<f32> = (0..75).map(|i| i as f32).collect();
        let found = host(Plain::embed(tensor(&pixels, [1, 3, 5, 5]), &embedding));
        assert_close(&found, &[-1.0, 25.1, 27.2, 35.3, 37.4], 1e-5);
    }

    #[test]
    fn taps_lose_their_first_tokens_and_batches_are_taken_in_order() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let taps: Tensor<B, 3> = Plain::taps(&values, [2, 3, 2], 1, &DEVICE);
        assert_eq!(host(taps.clone()), [2.0, 3.0, 4.0, 5.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(host(Plain::batch(&taps, &[1, 1])), [8.0, 9.0, 10.0, 11.0, 8.0, 9.0, 10.0, 11.0]);
        let whole: Tensor<B, 3> = Plain::taps(&values, [2, 3, 2], 0, &DEVICE);
        assert_eq!(host(whole), values);
    }

    #[test]
    fn cosines_are_the_values_of_the_ones_with_features() {
        let heads = Heads { weight: random("heads", [6, 4]), count: 2 };
        let (x, along) = (random("x", [5, 4]), random("along", [2, 3]));
        let kept = Plain::cosines_with_features(x.clone(), &heads, &along).values;
        assert_eq!(host(Plain::cosines(x, &heads, &along)), host(kept));
    }
}
