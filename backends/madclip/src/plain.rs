//! The operations as chains of Burn calls, which any backend can run.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::{DType, Tensor, activation as functions, backend::Backend};
use harness_method::options::Activation;

use crate::kernels::{Attention, CosineGradients, Cosines, EPSILON, Heads, Kernels, Linear, Norm, SLOPE, in_precision};

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

pub(crate) fn activation<B: Backend>(x: Tensor<B, 2>, kind: Activation) -> Tensor<B, 2> {
    match kind {
        Activation::Gelu => functions::gelu(x),
        Activation::QuickGelu => x.clone() * functions::sigmoid(x * 1.702),
    }
}

pub(crate) fn activation_gradient<B: Backend>(
    gradient: Tensor<B, 2>,
    x: Tensor<B, 2>,
    kind: Activation,
) -> Tensor<B, 2> {
    gradient
        * match kind {
            Activation::Gelu => {
                let share = (x.clone() * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
                let density = (x.clone() * x.clone() * -0.5).exp() * (2.0 * PI).powf(-0.5);
                share + x * density
            }
            Activation::QuickGelu => {
                let gate = functions::sigmoid(x.clone() * 1.702);
                gate.clone() * (x * 1.702 * (-gate + 1.0) + 1.0)
            }
        }
}

pub(crate) fn layer_norm<B: Backend>(x: Tensor<B, 2>, norm: &Norm<B>) -> Tensor<B, 2> {
    let (normal, _) = normalized(x);
    normal * norm.weight.clone().unsqueeze() + norm.bias.clone().unsqueeze()
}

pub(crate) fn layer_norm_gradient<B: Backend>(gradient: Tensor<B, 2>, x: Tensor<B, 2>, norm: &Norm<B>) -> Tensor<B, 2> {
    let (normal, deviation) = normalized(x);
    let gradient = gradient * norm.weight.clone().unsqueeze();
    let along = (gradient.clone() * normal.clone()).mean_dim(1);
    (gradient.clone() - gradient.mean_dim(1) - normal * along) / deviation
}

/// Rows of zero mean and unit variance, and the deviation that was divided out.
fn normalized<B: Backend>(x: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let centred = x.clone() - x.mean_dim(1);
    let deviation = ((centred.clone() * centred.clone()).mean_dim(1) + EPSILON).sqrt();
    (centred / deviation.clone(), deviation)
}

/// Queries, keys and values, `[items, heads, tokens, d]` each; queries are scaled.
fn parted<B: Backend>(qkv: Tensor<B, 2>, attention: Attention) -> [Tensor<B, 4>; 3] {
    let Attention { items, tokens, heads } = attention;
    let d = qkv.dims()[1] / (3 * heads);
    let parts = qkv.reshape([items, tokens, 3 * heads, d]).swap_dims(1, 2);
    let part = |i: usize| parts.clone().narrow(1, i * heads, heads);
    [part(0) * (d as f64).powf(-0.5), part(1), part(2)]
}

/// Softmax of the logits, `[items, heads, tokens, tokens]`, f32.
fn shares<B: Backend>(q: Tensor<B, 4>, k: Tensor<B, 4>, mask: Option<&Tensor<B, 2>>) -> Tensor<B, 4> {
    let mut logits = in_precision(q.matmul(k.transpose()), DType::F32);
    if let Some(mask) = mask {
        logits = logits + mask.clone().unsqueeze();
    }
    functions::softmax(logits, 3)
}

pub(crate) fn attention<B: Backend>(
    qkv: Tensor<B, 2>,
    attention: Attention,
    mask: Option<&Tensor<B, 2>>,
) -> Tensor<B, 2> {
    let [rows, width] = qkv.dims();
    let [q, k, v] = parted(qkv, attention);
    let shares = in_precision(shares(q, k, mask), v.dtype());
    shares.matmul(v).swap_dims(1, 2).reshape([rows, width / 3])
}

pub(crate) fn attention_gradient<B: Backend>(
    gradient: Tensor<B, 2>,
    qkv: Tensor<B, 2>,
    attention: Attention,
    mask: Option<&Tensor<B, 2>>,
) -> Tensor<B, 2> {
    let Attention { items, tokens, heads } = attention;
    let [rows, width] = qkv.dims();
    let d = width / (3 * heads);
    let [q, k, v] = parted(qkv, attention);
    let shares = shares(q.clone(), k.clone(), mask);
    let gradient = gradient.reshape([items, tokens, heads, d]).swap_dims(1, 2);
    let of_values = shares.clone().transpose().matmul(gradient.clone());
    let of_shares = gradient.matmul(v.transpose());
    let balance = (of_shares.clone() * shares.clone()).sum_dim(3);
    let of_logits = shares * (of_shares - balance);
    let of_queries = of_logits.clone().matmul(k) * (d as f64).powf(-0.5);
    let of_keys = of_logits.transpose().matmul(q);
    Tensor::cat(vec![of_queries, of_keys, of_values], 1).swap_dims(1, 2).reshape([rows, width])
}

pub(crate) fn linear_leaky<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let mut x = x.matmul(weight.transpose());
    if let Some(bias) = bias {
        x = x + bias.unsqueeze();
    }
    functions::leaky_relu(x, SLOPE)
}

pub(crate) fn linear_leaky_gradient<B: Backend>(
    gradient: Tensor<B, 2>,
    x: Tensor<B, 2>,
    output: Tensor<B, 2>,
    with_bias: bool,
) -> (Tensor<B, 2>, Option<Tensor<B, 1>>) {
    let gradient = leaky_gradient(gradient, output);
    let bias = with_bias.then(|| gradient.clone().sum_dim(0).squeeze_dims(&[0]));
    (gradient.transpose().matmul(x), bias)
}

/// LeakyReLU keeps the sign, so its output says which side an input was on.
fn leaky_gradient<B: Backend>(gradient: Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 2> {
    let falls = output.lower_equal_elem(0.0);
    gradient.clone().mask_where(falls, gradient * SLOPE)
}

pub(crate) fn cosines<B: Backend>(
    x: Tensor<B, 2>,
    heads: &Heads<B>,
    directions: &Tensor<B, 2>,
    keep: bool,
) -> Cosines<B> {
    let [n, embed] = [x.dims()[0] * heads.count, directions.dims()[1]];
    let features = linear_leaky(x, heads.weight.clone(), None).reshape([n, embed]);
    // The norm is divided out of the product, so that unit-length features never exist.
    let values = features.clone().matmul(directions.clone().transpose()) / lengths(&features);
    Cosines { values, features: keep.then_some(features) }
}

pub(crate) fn cosines_gradient<B: Backend>(
    gradient: Tensor<B, 2>,
    values: Tensor<B, 2>,
    features: Tensor<B, 2>,
    x: Tensor<B, 2>,
    heads: &Heads<B>,
    directions: &Tensor<B, 2>,
) -> CosineGradients<B> {
    let lengths = lengths(&features);
    let gradient = gradient / lengths.clone();
    let along = (gradient.clone() * values).sum_dim(1) / lengths;
    let of_features = gradient.clone().matmul(directions.clone()) - features.clone() * along;
    let directions = gradient.transpose().matmul(features.clone());
    let outputs = heads.weight.dims()[0];
    let of_products = leaky_gradient(of_features, features).reshape([x.dims()[0], outputs]);
    CosineGradients {
        weight: of_products.clone().transpose().matmul(x),
        tokens: of_products.matmul(heads.weight.clone()),
        directions,
    }
}

fn lengths<B: Backend>(rows: &Tensor<B, 2>) -> Tensor<B, 2> {
    (rows.clone() * rows.clone()).sum_dim(1).sqrt()
}
