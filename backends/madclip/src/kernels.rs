//! The operations where a backend may do better than a chain of Burn calls. Every body here is plain Burn; a backend
//! crate overrides what pays on its hardware. The model is written once, on top of these.

use burn::tensor::{DType, FloatDType, Tensor, activation, backend::Backend};
use harness_method::options::Activation;

use crate::segmentation::{self, Segmentation};

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

/// Epsilon of every norm of the method.
pub const EPSILON: f64 = 1e-5;

/// Slope of every LeakyReLU of the method.
pub const SLOPE: f64 = 0.01;

/// Building blocks of towers and adapters. Rows are tokens: `[rows, width]`, however many images they come from.
///
/// In an image tower of half precision the layers are half and so are products and what lies between them; residuals,
/// norms and softmax stay f32. A layer takes its input in either precision.
pub trait Kernels<B: Backend>: 'static {
    /// `x W^T + b`, in the layer's precision.
    fn linear(x: Tensor<B, 2>, layer: &Linear<B>) -> Tensor<B, 2> {
        in_precision(x, layer.weight.dtype()).matmul(layer.weight.clone().transpose()) + layer.bias.clone().unsqueeze()
    }

    /// `activation(x W^T + b)`.
    fn linear_activation(x: Tensor<B, 2>, layer: &Linear<B>, kind: Activation) -> Tensor<B, 2> {
        let x = Self::linear(x, layer);
        match kind {
            Activation::Gelu => activation::gelu(x),
            Activation::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
        }
    }

    /// `residual + x W^T + b`, in the residual's precision.
    fn linear_residual(x: Tensor<B, 2>, layer: &Linear<B>, residual: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = in_precision(Self::linear(x, layer), residual.dtype());
        residual + x
    }

    /// `leaky_relu(x W^T)`, and `+ b` inside where there is one.
    fn linear_leaky(x: Tensor<B, 2>, weight: Tensor<B, 2>, bias: Option<Tensor<B, 1>>) -> Tensor<B, 2> {
        let mut x = x.matmul(weight.transpose());
        if let Some(bias) = bias {
            x = x + bias.unsqueeze();
        }
        leaky_relu(x)
    }

    /// Layer norm over the last dimension.
    fn layer_norm(x: Tensor<B, 2>, norm: &Norm<B>) -> Tensor<B, 2> {
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        centred / (variance + EPSILON).sqrt() * norm.weight.clone().unsqueeze() + norm.bias.clone().unsqueeze()
    }

    /// Self-attention from packed projections: `qkv` `[items * tokens, 3 * width]` -> `[items * tokens, width]`, softmax of
    /// `q k^T / sqrt(width / heads)`, plus `mask` `[tokens, tokens]` where there is one.
    fn attention(
        qkv: Tensor<B, 2>,
        items: usize,
        tokens: usize,
        heads: usize,
        mask: Option<&Tensor<B, 2>>,
    ) -> Tensor<B, 2> {
        let width = qkv.dims()[1] / 3;
        let parts = qkv.reshape([items, tokens, 3 * heads, width / heads]).swap_dims(1, 2);
        let part = |i: usize| parts.clone().narrow(1, i * heads, heads);
        attend(part(0), part(1), part(2), mask).swap_dims(1, 2).reshape([items * tokens, width])
    }

    /// Focal and dice losses of one tap's grids of d `[B, G, G]` against masks `[B, S, S]`, with their gradient.
    /// `upsampling` is the `[S, G]` matrix of bilinear interpolation with aligned corners.
    fn segmentation(upsampling: &Tensor<B, 2>, grids: Tensor<B, 3>, masks: Tensor<B, 3>) -> Segmentation<B> {
        segmentation::losses(upsampling, grids, masks)
    }
}

/// Every operation as a chain of Burn calls: what any backend can run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl<B: Backend> Kernels<B> for Plain {}

/// Scaled dot-product attention: `[items, heads, queries, d]`, `[items, heads, tokens, d]` twice.
fn attend<B: Backend>(q: Tensor<B, 4>, k: Tensor<B, 4>, v: Tensor<B, 4>, mask: Option<&Tensor<B, 2>>) -> Tensor<B, 4> {
    let scale = (q.dims()[3] as f64).powf(-0.5);
    let mut logits = (q * scale).matmul(k.transpose());
    if let Some(mask) = mask {
        logits = logits + mask.clone().unsqueeze();
    }
    let weights = activation::softmax(in_precision(logits, DType::F32), 3);
    in_precision(weights, v.dtype()).matmul(v)
}

/// The tensor in this precision; itself where it has it.
pub(crate) fn in_precision<B: Backend, const D: usize>(x: Tensor<B, D>, precision: DType) -> Tensor<B, D> {
    x.cast(FloatDType::from(precision))
}

/// LeakyReLU as a sum of a linear part and a ReLU: on backends without a fused derivative of LeakyReLU this needs
/// fewer passes than masks do.
pub(crate) fn leaky_relu<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    activation::relu(x.clone()) * (1.0 - SLOPE) + x * SLOPE
}
