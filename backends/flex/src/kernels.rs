//! The model's operations on Flex, each a call of a kernel on slices.

use burn::tensor::Tensor;
use burn_flex::Flex;
use harness_method::options::Activation;
use madclip::Kernels;
use madclip::kernels::{Attention, Linear, Norm};

use crate::attention::{self, Sizes};
use crate::linear::{Layer, Then};
use crate::matrix::{Values, tensor};
use crate::{buffers, norm};

/// Kernels of the built-in backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlexKernels;

impl Kernels<Flex> for FlexKernels {
    type Layer = Layer;

    fn layer(linear: Linear<Flex>) -> Layer {
        Layer::new(linear)
    }

    fn linear(x: Tensor<Flex, 2>, layer: &Layer) -> Tensor<Flex, 2> {
        apply(x, layer, Then::Keep)
    }

    fn linear_gradient(gradient: Tensor<Flex, 2>, layer: &Layer) -> Tensor<Flex, 2> {
        let rows = gradient.dims()[0];
        let gradient = Values::of(gradient);
        let out = layer.gradient(gradient.as_slice());
        gradient.recycle();
        let width = out.len() / rows;
        tensor(out, [rows, width])
    }

    fn linear_activation(x: Tensor<Flex, 2>, layer: &Layer, kind: Activation) -> Tensor<Flex, 2> {
        apply(x, layer, Then::Activation(kind))
    }

    fn linear_residual(x: Tensor<Flex, 2>, layer: &Layer, residual: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
        let (rows, x) = (x.dims()[0], Values::of(x));
        // Added in place where nobody else holds the residual.
        let residual = Values::of(residual);
        let out = if residual.is_unique() {
            let mut out = residual.into_vec();
            layer.apply(x.as_slice(), Then::Accumulate, &mut out);
            out
        } else {
            let mut out = buffers::take(rows * layer.outputs());
            layer.apply(x.as_slice(), Then::Add(residual.as_slice()), &mut out);
            out
        };
        x.recycle();
        tensor(out, [rows, layer.outputs()])
    }

    fn layer_norm(x: Tensor<Flex, 2>, norm: &Norm<Flex>) -> Tensor<Flex, 2> {
        let shape = x.dims();
        let (x, weight, bias) = (Values::of(x), Values::of(norm.weight.clone()), Values::of(norm.bias.clone()));
        let mut out = buffers::take(x.as_slice().len());
        norm::layer_norm(x.as_slice(), weight.as_slice(), bias.as_slice(), &mut out);
        x.recycle();
        tensor(out, shape)
    }

    fn layer_norm_gradient(gradient: Tensor<Flex, 2>, x: Tensor<Flex, 2>, norm: &Norm<Flex>) -> Tensor<Flex, 2> {
        let shape = x.dims();
        let (x, weight) = (Values::of(x), Values::of(norm.weight.clone()));
        let mut out = Values::of(gradient).into_vec();
        norm::layer_norm_gradient(&mut out, x.as_slice(), weight.as_slice());
        x.recycle();
        tensor(out, shape)
    }

    fn attention(qkv: Tensor<Flex, 2>, of: Attention, mask: Option<&Tensor<Flex, 2>>) -> Tensor<Flex, 2> {
        let [rows, width] = qkv.dims();
        let sizes = Sizes { items: of.items, tokens: of.tokens, heads: of.heads, width: width / 3 };
        let (qkv, mask) = (Values::of(qkv), mask.cloned().map(Values::of));
        let mut out = buffers::take(rows * sizes.width);
        attention::attention(qkv.as_slice(), sizes, mask.as_ref().map(Values::as_slice), &mut out);
        qkv.recycle();
        tensor(out, [rows, sizes.width])
    }
}

fn apply(x: Tensor<Flex, 2>, layer: &Layer, then: Then<'_>) -> Tensor<Flex, 2> {
    let (rows, x) = (x.dims()[0], Values::of(x));
    let mut out = buffers::take(rows * layer.outputs());
    layer.apply(x.as_slice(), then, &mut out);
    x.recycle();
    tensor(out, [rows, layer.outputs()])
}
