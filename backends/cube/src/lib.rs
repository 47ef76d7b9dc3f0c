//! The model's operations for devices that CubeCL drives: what Burn does in a chain of passes over memory is one pass
//! here, and products of a tower take a kernel that is chosen by rule. Nothing is tuned at run time: a kernel that is
//! chosen by its time may differ from run to run, takes minutes to choose, and has been wrong before.

mod kernels;
mod products;
mod rows;

use burn::tensor::{DType, Tensor};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime};
use harness_method::options::Activation;
use madclip::kernels::{Attention, Linear, Norm};
use madclip::{Kernels, Plain};

/// Burn's backend on a CubeCL runtime, without fusion.
pub type Cube<R, T> = CubeBackend<R, f32, i32, T>;

/// Operations in few passes; what has no kernel of its own here is [`Plain`]'s.
#[derive(Clone, Copy, Debug)]
pub struct Passes;

impl<R: CubeRuntime, T: BoolElement> Kernels<Cube<R, T>> for Passes {
    type Layer = Linear<Cube<R, T>>;

    fn layer(linear: Self::Layer) -> Self::Layer {
        Plain::layer(linear)
    }

    fn linear(x: Tensor<Cube<R, T>, 2>, layer: &Self::Layer) -> Tensor<Cube<R, T>, 2> {
        rows::with_bias(products::of_layer(x, layer), &layer.bias, None)
    }

    fn linear_gradient(gradient: Tensor<Cube<R, T>, 2>, layer: &Self::Layer) -> Tensor<Cube<R, T>, 2> {
        Plain::linear_gradient(gradient, layer)
    }

    fn linear_activation(x: Tensor<Cube<R, T>, 2>, layer: &Self::Layer, kind: Activation) -> Tensor<Cube<R, T>, 2> {
        rows::with_bias(products::of_layer(x, layer), &layer.bias, Some(kind))
    }

    fn linear_residual(
        x: Tensor<Cube<R, T>, 2>,
        layer: &Self::Layer,
        residual: Tensor<Cube<R, T>, 2>,
    ) -> Tensor<Cube<R, T>, 2> {
        rows::on_residual(products::of_layer(x, layer), &layer.bias, residual)
    }

    fn layer_norm(x: Tensor<Cube<R, T>, 2>, norm: &Norm<Cube<R, T>>) -> Tensor<Cube<R, T>, 2> {
        rows::normed(x, norm, DType::F32)
    }

    fn norm_linear(x: Tensor<Cube<R, T>, 2>, norm: &Norm<Cube<R, T>>, layer: &Self::Layer) -> Tensor<Cube<R, T>, 2> {
        Self::linear(rows::normed(x, norm, layer.weight.dtype()), layer)
    }

    fn norm_linear_activation(
        x: Tensor<Cube<R, T>, 2>,
        norm: &Norm<Cube<R, T>>,
        layer: &Self::Layer,
        kind: Activation,
    ) -> Tensor<Cube<R, T>, 2> {
        Self::linear_activation(rows::normed(x, norm, layer.weight.dtype()), layer, kind)
    }

    fn attention(
        qkv: Tensor<Cube<R, T>, 2>,
        attention: Attention,
        mask: Option<&Tensor<Cube<R, T>, 2>>,
    ) -> Tensor<Cube<R, T>, 2> {
        let passes = if mask.is_none() { products::attention(&qkv, attention) } else { None };
        passes.unwrap_or_else(|| Plain::attention(qkv, attention, mask))
    }
}
