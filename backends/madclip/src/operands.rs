//! What the operations of [`crate::Kernels`] take and give, and the constants that all of them share.

use burn::tensor::{DType, FloatDType, Tensor, backend::Backend};

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

/// Turns an image's patches into the tokens of a tower. `L` is a backend's layer.
#[derive(Clone, Debug)]
pub struct Embedding<B: Backend, L> {
    /// Takes a patch's pixels, channel by channel and row by row.
    pub layer: L,
    /// The class token at its position, `[1, W]`.
    pub class_row: Tensor<B, 2>,
    /// Positions of the patches, `[grid * grid, W]`.
    pub positions: Tensor<B, 2>,
    /// Pixels a patch is wide and high.
    pub patch: usize,
    /// Patches an image is wide and high; pixels beyond them are unused.
    pub grid: usize,
}

/// Sizes of an attention: its rows are `items * tokens`, and a row attends to the rows of its item.
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

/// Products of unit-length features with directions, and what their gradient needs.
#[derive(Clone, Debug)]
pub struct Cosines<B: Backend> {
    /// `[N * heads, directions]`, the heads of a token next to each other.
    pub values: Tensor<B, 2>,
    /// The features at their own length, `[N * heads, E]`.
    pub features: Tensor<B, 2>,
}

/// Gradients of [`crate::Kernels::cosines`].
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

/// The tensor in this precision; itself where it has it.
pub(crate) fn in_precision<B: Backend, const D: usize>(x: Tensor<B, D>, precision: DType) -> Tensor<B, D> {
    x.cast(FloatDType::from(precision))
}
