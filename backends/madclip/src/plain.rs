//! The operations as chains of Burn calls, which any backend can run.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::{DType, Tensor, activation as functions, backend::Backend};
use harness_method::options::Activation;

use crate::narrow;
use crate::operands::{Attention, CosineGradients, Cosines, EPSILON, Heads, Norm, SLOPE, in_precision};

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
    if attention.tokens == 1 && mask.is_none() {
        // It attends to itself; products with one column are left to no backend (see [`narrow`]).
        return qkv.narrow(1, 2 * width / 3, width / 3);
    }
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
    if tokens == 1 && mask.is_none() {
        return Tensor::cat(vec![gradient.zeros_like().repeat_dim(1, 2), gradient], 1);
    }
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
) -> Tensor<B, 2> {
    leaky_gradient(gradient, output).transpose().matmul(x)
}

pub(crate) fn linear_leaky_bias_gradient<B: Backend>(gradient: Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 1> {
    leaky_gradient(gradient, output).sum_dim(0).squeeze_dims(&[0])
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
    as_it_is: bool,
) -> Cosines<B> {
    let [n, embed] = [x.dims()[0] * heads.count, directions.dims()[1]];
    let features = linear_leaky(x, heads.weight.clone(), None).reshape([n, embed]);
    // The norm is divided out of the product, so that unit-length features never exist.
    let values = narrow::along(&features, directions, as_it_is) / lengths(&features);
    Cosines { values, features }
}

pub(crate) fn cosines_gradient<B: Backend>(
    gradient: Tensor<B, 2>,
    values: Tensor<B, 2>,
    features: Tensor<B, 2>,
    x: Tensor<B, 2>,
    heads: &Heads<B>,
    directions: &Tensor<B, 2>,
    as_it_is: bool,
) -> CosineGradients<B> {
    let lengths = lengths(&features);
    let gradient = gradient / lengths.clone();
    let along = (gradient.clone() * values).sum_dim(1) / lengths;
    let of_features = narrow::weighed(&gradient, directions, as_it_is) - features.clone() * along;
    let directions = narrow::gathered(&gradient, &features, as_it_is);
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

/// Rows of a bank that are compared at once: products with all of them would not fit in memory.
const AT_ONCE: usize = 4096;

pub(crate) fn largest_product<B: Backend>(x: &Tensor<B, 2>, bank: &Tensor<B, 2>) -> Tensor<B, 2> {
    let mut bank = bank.clone();
    if bank.dims()[0] < narrow::LEAST {
        // A row that is there twice changes no maximum.
        bank = bank.repeat_dim(0, narrow::LEAST);
    }
    let count = bank.dims()[0];
    let of = |from: usize| {
        // The last rows may be compared twice, so that there are never few of them.
        let some = bank.clone().narrow(0, from.min(count.saturating_sub(AT_ONCE)), AT_ONCE.min(count));
        x.clone().matmul(some.transpose()).max_dim(1)
    };
    (AT_ONCE..count).step_by(AT_ONCE).fold(of(0), |largest, from| largest.max_pair(of(from)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{B, assert_close, host, random, tensor};

    #[test]
    fn activations_have_their_known_values() {
        let x = || tensor(&[0.0, 1.0, -2.0], [1, 3]);
        assert_close(&host(activation(x(), Activation::Gelu)), &[0.0, 0.841_344_7, -0.045_500_26], 1e-6);
        assert_close(&host(activation(x(), Activation::QuickGelu)), &[0.0, 0.845_795_9, -0.064_341_5], 1e-5);
    }

    #[test]
    fn layer_norm_takes_off_mean_and_deviation_then_scales_and_shifts() {
        let norm = Norm { weight: tensor(&[1.0, 2.0], [2]), bias: tensor(&[0.5, -1.0], [2]) };
        let found = host(layer_norm(tensor(&[3.0, 7.0, -1.0, -1.0], [2, 2]), &norm));
        let unit = 2.0 / 4.000_01_f32.sqrt();
        assert_close(&found, &[0.5 - unit, 2.0 * unit - 1.0, 0.5, -1.0], 1e-6);
    }

    #[test]
    fn a_token_alone_attends_to_itself_and_equal_keys_share_equally() {
        let alone = Attention { items: 2, tokens: 1, heads: 2 };
        let qkv = random("qkv", [2, 12]);
        let values = qkv.clone().narrow(1, 8, 4);
        assert_close(&host(attention(qkv, alone, None)), &host(values), 1e-6);
        // Two tokens with the key 0 and the values 1 and 3.
        let qkv = tensor(&[5.0, 0.0, 1.0, -5.0, 0.0, 3.0], [2, 3]);
        let pair = Attention { items: 1, tokens: 2, heads: 1 };
        assert_close(&host(attention(qkv.clone(), pair, None)), &[2.0, 2.0], 1e-6);
        let causal = tensor(&[0.0, f32::NEG_INFINITY, 0.0, 0.0], [2, 2]);
        assert_close(&host(attention(qkv, pair, Some(&causal))), &[1.0, 2.0], 1e-6);
    }

    #[test]
    fn items_and_heads_of_an_attention_do_not_see_each_other() {
        let sizes = Attention { items: 2, tokens: 3, heads: 2 };
        let qkv = random("qkv", [6, 12]);
        let whole = attention(qkv.clone(), sizes, None);
        let first = attention(qkv.clone().narrow(0, 0, 3), Attention { items: 1, ..sizes }, None);
        assert_close(&host(whole.clone().narrow(0, 0, 3)), &host(first), 1e-6);
        // The second head alone: its columns of queries, keys and values.
        let head = Tensor::cat((0..3).map(|i| qkv.clone().narrow(1, i * 4 + 2, 2)).collect(), 1);
        let second = attention(head, Attention { heads: 1, ..sizes }, None);
        assert_close(&host(whole.narrow(1, 2, 2)), &host(second), 1e-6);
    }

    #[test]
    fn leaky_layers_keep_a_hundredth_of_what_is_negative() {
        let (x, weight) = (tensor(&[1.0, 2.0], [1, 2]), tensor(&[1.0, 1.0, -1.0, 0.0], [2, 2]));
        assert_close(&host(linear_leaky(x.clone(), weight.clone(), None)), &[3.0, -0.01], 1e-7);
        assert_close(&host(linear_leaky(x, weight, Some(tensor(&[-4.0, 2.0], [2])))), &[-0.01, 1.0], 1e-7);
    }

    #[test]
    fn the_largest_product_is_found_in_a_bank_of_any_size() {
        let x: Tensor<B, 2> = random("x", [3, 4]);
        for count in [1, 7, 8, AT_ONCE, AT_ONCE + 1] {
            let bank: Tensor<B, 2> = random("bank", [count, 4]);
            let expected = x.clone().matmul(bank.clone().transpose()).max_dim(1);
            assert_close(&host(largest_product(&x, &bank)), &host(expected), 1e-6);
        }
    }

    #[test]
    fn cosines_do_not_depend_on_the_length_of_tokens_and_lie_within_one() {
        let heads = Heads { weight: random("heads", [10, 4]), count: 2 };
        let along = random("along", [1, 5]);
        let along = along.clone() / lengths(&along);
        let x = random("x", [7, 4]);
        let found = cosines(x.clone(), &heads, &along, false);
        assert_eq!((found.values.dims(), found.features.dims()), ([14, 1], [14, 5]));
        assert_close(&host(cosines(x * 50.0, &heads, &along, false).values), &host(found.values.clone()), 1e-5);
        assert!(host(found.values).iter().all(|cosine| cosine.abs() <= 1.0 + 1e-6));
    }
}
