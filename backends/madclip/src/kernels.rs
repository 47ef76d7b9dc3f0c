//! The operations where a backend may do better than a chain of Burn calls. Bodies here and in [`crate::Plain`] are
//! plain Burn; a backend crate overrides what pays on its hardware. The model is written once, on top of these.
//!
//! What the model trains with comes with its gradient, so that Burn's graph holds few and large steps (see
//! [`crate::Recorded`]).

use std::fmt::Debug;

use burn::tensor::{DType, FloatDType, Tensor, TensorData, backend::Backend};
use harness_method::options::Activation;

use crate::adam::{self, Moments};
use crate::plain;
use crate::segmentation::{self, Segmentation};
use crate::tensors::to_device;

/// A linear layer in PyTorch's layout.
#[derive(Clone, Debug)]
pub struct Linear<B: Backend> {
    /// `[out, in]`.
    pub weight: Tensor<B, 2>,
    /// `[out]`.
    pub bias: Tensor<B, 1>,
}

impl<B: Backend> Linear<B> {
    /// The layer in another precision.
    pub(crate) fn cast(self, precision: FloatDType) -> Self {
        Self { weight: self.weight.cast(precision), bias: self.bias.cast(precision) }
    }
}

/// Scale and shift of a layer norm, `[width]` each.
#[derive(Clone, Debug)]
pub struct Norm<B: Backend> {
    /// Scale.
    pub weight: Tensor<B, 1>,
    /// Shift.
    pub bias: Tensor<B, 1>,
}

/// What makes an image's patches the tokens of a tower. `L` is a backend's layer.
#[derive(Clone, Debug)]
pub struct Embedding<B: Backend, L> {
    /// Of a patch's pixels, channel by channel and row by row.
    pub layer: L,
    /// The class token at its position, `[1, W]`.
    pub class_row: Tensor<B, 2>,
    /// Positions of the patches, `[grid * grid, W]`.
    pub positions: Tensor<B, 2>,
    /// Pixels a patch is wide and high.
    pub patch: usize,
    /// Patches an image is wide and high; what of the image is beyond them is unused.
    pub grid: usize,
}

/// Who attends to whom: rows of an attention are `items * tokens`, and a row attends to those of its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Sequences.
    pub items: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// Heads; they divide the width.
    pub heads: usize,
}

/// The heads of an adapter, one below the other.
#[derive(Clone, Debug)]
pub struct Heads<B: Backend> {
    /// `[count * E, W]`.
    pub weight: Tensor<B, 2>,
    /// How many there are: detection alone, or detection and segmentation.
    pub count: usize,
}

/// Products of unit-length features with directions: cosines where the directions have unit length too.
#[derive(Clone, Debug)]
pub struct Cosines<B: Backend> {
    /// `[N * heads, directions]`, the heads of a token next to each other.
    pub values: Tensor<B, 2>,
    /// The features `[N * heads, E]`, where they were to be kept for the gradient.
    pub features: Option<Tensor<B, 2>>,
}

/// Gradients of [`Kernels::cosines`].
#[derive(Clone, Debug)]
pub struct CosineGradients<B: Backend> {
    /// With respect to the tokens, `[N, W]`.
    pub tokens: Tensor<B, 2>,
    /// With respect to the heads' weight.
    pub weight: Tensor<B, 2>,
    /// With respect to the directions.
    pub directions: Tensor<B, 2>,
}

/// Epsilon of every norm of the method.
pub const EPSILON: f64 = 1e-5;

/// Slope of every LeakyReLU of the method.
pub const SLOPE: f64 = 0.01;

/// Building blocks of towers and adapters. Rows are tokens: `[rows, width]`, however many images they come from.
///
/// In an image tower of half precision the layers are half and so are products and what lies between them; residuals,
/// norms and softmax stay f32. A layer takes its input in either precision.
///
/// A function whose name ends in `_gradient` takes the gradient with respect to the other's result first.
pub trait Kernels<B: Backend>: 'static {
    /// A frozen linear layer, laid out as this backend likes it.
    type Layer: Clone + Debug + Send + Sync + 'static;

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

    /// With respect to the weight, and to the bias where there is one (`output` is the function's result); the taps it is
    /// applied to are frozen.
    fn linear_leaky_gradient(
        gradient: Tensor<B, 2>,
        x: Tensor<B, 2>,
        output: Tensor<B, 2>,
        with_bias: bool,
    ) -> (Tensor<B, 2>, Option<Tensor<B, 1>>) {
        plain::linear_leaky_gradient(gradient, x, output, with_bias)
    }

    /// Features `leaky_relu(x W^T)` of tokens `x` `[N, W]`, brought to unit length, times `directions` `[D, E]`. `keep`
    /// says whether the features (at their own length) are wanted too.
    fn cosines(x: Tensor<B, 2>, heads: &Heads<B>, directions: &Tensor<B, 2>, keep: bool) -> Cosines<B> {
        plain::cosines(x, heads, directions, keep)
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
        plain::cosines_gradient(gradient, values, features, x, heads, directions)
    }

    /// Focal and dice losses of one tap's grids of d `[B, G, G]` against masks `[B, S, S]`, with their gradient.
    /// `upsampling` is the `[S, G]` matrix of bilinear interpolation with aligned corners.
    fn segmentation(upsampling: &Tensor<B, 2>, grids: Tensor<B, 3>, masks: Tensor<B, 3>) -> Segmentation<B> {
        segmentation::losses(upsampling, grids, masks)
    }

    /// Step `step` (from 1) of Adam on a flat trainable tensor.
    fn adam(value: &mut Tensor<B, 1>, gradient: Tensor<B, 1>, moments: &mut Moments<B>, step: u32, learning_rate: f64) {
        adam::update(value, gradient, moments, step, learning_rate);
    }
}

/// The tensor in this precision; itself where it has it.
pub(crate) fn in_precision<B: Backend, const D: usize>(x: Tensor<B, D>, precision: DType) -> Tensor<B, D> {
    x.cast(FloatDType::from(precision))
}
