//! The model's operations as LibTorch's own: bias in the product, activation and residual in place, fused norm and
//! attention.

use burn::tensor::{Tensor, TensorPrimitive};
use burn_tch::{LibTorch, TchTensor};
use harness_method::options::Activation;
use madclip::Kernels;
use madclip::kernels::{Attention, EPSILON, Linear, Norm};

/// Operations of LibTorch.
#[derive(Clone, Copy, Debug)]
pub struct Fused;

impl Kernels<LibTorch> for Fused {
    type Layer = Linear<LibTorch>;

    const MULTIPLIES_NARROW: bool = true;

    fn layer(linear: Linear<LibTorch>) -> Linear<LibTorch> {
        linear
    }

    fn linear(x: Tensor<LibTorch, 2>, layer: &Linear<LibTorch>) -> Tensor<LibTorch, 2> {
        wrap(linear(x, layer))
    }

    fn linear_gradient(gradient: Tensor<LibTorch, 2>, layer: &Linear<LibTorch>) -> Tensor<LibTorch, 2> {
        gradient.matmul(layer.weight.clone())
    }

    fn linear_activation(x: Tensor<LibTorch, 2>, layer: &Linear<LibTorch>, kind: Activation) -> Tensor<LibTorch, 2> {
        let mut x = linear(x, layer);
        wrap(match kind {
            Activation::Gelu => x.gelu_("none"),
            Activation::QuickGelu => {
                let gate = (&x * 1.702).sigmoid_();
                x.g_mul_(&gate)
            }
        })
    }

    fn linear_residual(
        x: Tensor<LibTorch, 2>,
        layer: &Linear<LibTorch>,
        residual: Tensor<LibTorch, 2>,
    ) -> Tensor<LibTorch, 2> {
        let residual = unwrap(residual);
        wrap(linear(x, layer).to_kind(residual.kind()).g_add_(&residual))
    }

    fn layer_norm(x: Tensor<LibTorch, 2>, norm: &Norm<LibTorch>) -> Tensor<LibTorch, 2> {
        let (weight, bias) = (unwrap(norm.weight.clone()), unwrap(norm.bias.clone()));
        let width = weight.size();
        wrap(unwrap(x).layer_norm(width, Some(weight), Some(bias), EPSILON, true))
    }

    fn attention(
        qkv: Tensor<LibTorch, 2>,
        attention: Attention,
        mask: Option<&Tensor<LibTorch, 2>>,
    ) -> Tensor<LibTorch, 2> {
        let width = qkv.dims()[1] / 3;
        let Attention { items, tokens, heads } = attention;
        let [items, tokens, heads, width] = [items, tokens, heads, width].map(|side| side as i64);
        // [items, tokens, 3, heads, d] to [3, items, heads, tokens, d]: views, nothing is copied.
        let parts = unwrap(qkv).view([items, tokens, 3, heads, width / heads]).permute([2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|part| parts.select(0, part));
        let mask = mask.map(|mask| unwrap(mask.clone()));
        let attended = tch::Tensor::scaled_dot_product_attention(&q, &k, &v, mask, 0.0, false, None, false);
        wrap(attended.transpose(1, 2).reshape([items * tokens, width]))
    }

    fn linear_leaky(
        x: Tensor<LibTorch, 2>,
        weight: Tensor<LibTorch, 2>,
        bias: Option<Tensor<LibTorch, 1>>,
    ) -> Tensor<LibTorch, 2> {
        // The slope of LibTorch's own is the method's.
        wrap(unwrap(x).linear(&unwrap(weight), bias.map(unwrap)).leaky_relu_())
    }
}

/// `x W^T + b` in the layer's precision: a tensor that nobody else holds.
fn linear(x: Tensor<LibTorch, 2>, layer: &Linear<LibTorch>) -> tch::Tensor {
    let weight = unwrap(layer.weight.clone());
    unwrap(x).to_kind(weight.kind()).linear(&weight, Some(unwrap(layer.bias.clone())))
}

fn unwrap<const R: usize>(tensor: Tensor<LibTorch, R>) -> tch::Tensor {
    tensor.into_primitive().tensor().tensor
}

fn wrap<const R: usize>(tensor: tch::Tensor) -> Tensor<LibTorch, R> {
    Tensor::from_primitive(TensorPrimitive::Float(TchTensor::new(tensor)))
}
