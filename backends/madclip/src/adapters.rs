//! Adapters: from a tap's tokens to products of detection and segmentation features with directions (docs/method.md
//! sections 2 and 3).
//!
//! Features are only used at unit length, and LeakyReLU(c x) = c LeakyReLU(x) for c > 0. So where a positive factor a token
//! reaches the output unchanged it is left out: the channel norm's division by the deviation, in `linear` and `conv`.
//! What remains of that norm is taking off the mean, which is linear and goes into the weight next to it. The result
//! is the reference's, with no pass over the activations for the norm.

use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::Options;
use harness_method::options::{Adapter, AdapterAttention};

use crate::kernels::{Attention, Heads, Kernels, Norm};
use crate::trainer::Parameters;

/// Heads of a `transformer` adapter's attention.
const HEADS: usize = 8;

/// Which of the two heads' features are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Detection alone: training without masks.
    Detection,
    /// Detection, then segmentation.
    Both,
}

impl Wanted {
    /// Heads computed.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Detection => 1,
            Self::Both => 2,
        }
    }
}

/// Whether the class token can be dropped before the adapter: it can unless tokens attend to it.
pub(crate) fn drops_class_token(options: &Options) -> bool {
    options.adapter != Adapter::Transformer || options.adapter_attention == AdapterAttention::Batch
}

/// One adapter on a tap `[B, T', W]` (T' = L where the class token was dropped, else 1 + L): the products of its unit-length
/// features with `directions` `[D, E]`, `[B * L * heads, D]` with heads innermost.
pub(crate) fn products<B: Backend, K: Kernels<B>>(
    options: &Options,
    parameters: &Parameters<B>,
    prefix: &str,
    tap: Tensor<B, 3>,
    directions: &Tensor<B, 2>,
    wanted: Wanted,
) -> Tensor<B, 2> {
    let [items, tokens, width] = tap.dims();
    let weight = |name: &str| parameters.get::<2>(&format!("{prefix}.{name}"));
    let row = |name: &str| parameters.get::<1>(&format!("{prefix}.{name}"));
    let head = match wanted {
        Wanted::Detection => weight("det.weight"),
        Wanted::Both => Tensor::cat(vec![weight("det.weight"), weight("seg.weight")], 0),
    };
    let (shared, weight) = match options.adapter {
        Adapter::Linear => {
            let shared = K::linear_leaky(tap.reshape([items * tokens, width]), weight("shared.weight"), None);
            (shared, head.clone() - head.mean_dim(1))
        }
        Adapter::Conv => {
            let (filter, bias) = (weight("shared.weight"), row("shared.bias"));
            let filter = filter.clone() - filter.mean_dim(0);
            let bias = bias.clone() - bias.mean();
            (K::linear_leaky(tap.reshape([items * tokens, width]), filter, Some(bias)), head)
        }
        Adapter::Transformer => {
            let over_batch = options.adapter_attention == AdapterAttention::Batch;
            let tap = if over_batch { tap.swap_dims(0, 1) } else { tap };
            let x = transformer::<B, K>(&weight, &row, tap);
            let x = if over_batch { x.swap_dims(0, 1) } else { x.narrow(1, 1, tokens - 1) };
            let [items, tokens, width] = x.dims();
            (x.reshape([items * tokens, width]), head)
        }
    };
    K::cosines(shared, &Heads { weight, count: wanted.count() }, directions, false).values
}

/// Post-norm encoder layer, feed-forward of the same width, ReLU, no dropout; attention over dimension 1.
fn transformer<B: Backend, K: Kernels<B>>(
    weight: &impl Fn(&str) -> Tensor<B, 2>,
    row: &impl Fn(&str) -> Tensor<B, 1>,
    x: Tensor<B, 3>,
) -> Tensor<B, 3> {
    let [items, tokens, width] = x.dims();
    let linear = |x: Tensor<B, 2>, name: &str| {
        x.matmul(weight(&format!("{name}.weight")).transpose()) + row(&format!("{name}.bias")).unsqueeze()
    };
    let norm = |name: &str| Norm { weight: row(&format!("{name}.weight")), bias: row(&format!("{name}.bias")) };
    let x = x.reshape([items * tokens, width]);
    let attention = Attention { items, tokens, heads: HEADS };
    let attended = K::attention(linear(x.clone(), "attn.in_proj"), attention, None);
    let x = K::layer_norm(x + linear(attended, "attn.out_proj"), &norm("norm1"));
    let hidden = activation::relu(linear(x.clone(), "ff1"));
    let x = K::layer_norm(x + linear(hidden, "ff2"), &norm("norm2"));
    x.reshape([items, tokens, width])
}
