//! Adapters: from a tap's tokens to products of detection and segmentation features with directions (docs/method.md
//! sections 2 and 3).
//!
//! Features are only used at unit length, and LeakyReLU(c x) = c LeakyReLU(x) for c > 0. So where a positive factor a
//! token reaches the output unchanged it is left out: the channel norm's division by the deviation, in `linear` and
//! `conv`. What remains of that norm is taking off the mean, which is linear and goes into the weight next to it. The
//! result is the reference's, with no pass over the activations for the norm.

use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::options::{Adapter, AdapterAttention};
use harness_method::{ADAPTER_HEADS, Options};

use crate::kernels::Kernels;
use crate::operands::{Attention, Heads, Norm};
use crate::parameters::Parameters;

/// The two output heads by the names of their weights: detection, then segmentation.
pub(crate) const HEADS: [&str; 2] = ["det", "seg"];

/// Whether the class token can be dropped before the adapter: it can unless tokens attend to it.
pub(crate) fn drops_class_token(options: &Options) -> bool {
    options.adapter != Adapter::Transformer || options.adapter_attention == AdapterAttention::Batch
}

/// One adapter on a tap `[B, T', W]` (T' = L where the class token was dropped, else 1 + L): the products of its
/// unit-length features with `directions` `[D, E]`, `[B * L * heads, D]` with heads innermost; `heads` are some of
/// [`HEADS`].
pub(crate) fn products<B: Backend, K: Kernels<B>>(
    options: &Options,
    parameters: &Parameters<B>,
    prefix: &str,
    tap: Tensor<B, 3>,
    directions: &Tensor<B, 2>,
    heads: &[&str],
) -> Tensor<B, 2> {
    let [items, tokens, width] = tap.dims();
    let weight = |name: &str| parameters.get::<2>(&format!("{prefix}.{name}"));
    let row = |name: &str| parameters.get::<1>(&format!("{prefix}.{name}"));
    let head = Tensor::cat(heads.iter().map(|head| weight(&format!("{head}.weight"))).collect(), 0);
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
    K::cosines(shared, &Heads { weight, count: heads.len() }, directions)
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
    let attention = Attention { items, tokens, heads: ADAPTER_HEADS };
    let attended = K::attention(linear(x.clone(), "attn.in_proj"), attention, None);
    let x = K::layer_norm(x + linear(attended, "attn.out_proj"), &norm("norm1"));
    let hidden = activation::relu(linear(x.clone(), "ff1"));
    let x = K::layer_norm(x + linear(hidden, "ff2"), &norm("norm2"));
    x.reshape([items, tokens, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{A, B, assert_close, check_gradient, host, initial, options, random};
    use crate::{Plain, Recorded};

    const ALL: [Adapter; 3] = [Adapter::Linear, Adapter::Conv, Adapter::Transformer];

    fn with(adapter: Adapter, adapter_attention: AdapterAttention) -> Options {
        Options { adapter, adapter_attention, ..options() }
    }

    fn run(options: &Options, tap: Tensor<B, 3>) -> Tensor<B, 2> {
        let along = random("along", [2, 12]);
        products::<B, Plain>(options, &initial(options), "normal.1", tap, &along, &HEADS)
    }

    /// Rows of zero mean and unit variance.
    fn normalized(x: &[f64]) -> Vec<f64> {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        x.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt()).collect()
    }

    fn leaky(x: Vec<f64>) -> Vec<f64> {
        x.into_iter().map(|x| if x > 0.0 { x } else { 0.01 * x }).collect()
    }

    fn times(weight: &[f32], x: &[f64]) -> Vec<f64> {
        weight.chunks(x.len()).map(|row| row.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum()).collect()
    }

    /// The method's definition, token by token, with the norm that the model folds away.
    #[test]
    fn linear_and_convolutional_adapters_are_the_definitions_of_the_method() {
        for adapter in [Adapter::Linear, Adapter::Conv] {
            let options = with(adapter, AdapterAttention::Tokens);
            let parameters = initial(&options);
            let weight = |name: &str| host(parameters.get::<2>(&format!("normal.1.{name}.weight")));
            let tap = random("tap", [2, 3, 16]);
            let along = host(random("along", [2, 12]));
            let mut expected = Vec::new();
            for token in host(tap.clone()).chunks(16) {
                let token: Vec<f64> = token.iter().map(|&x| f64::from(x)).collect();
                let product = times(&weight("shared"), &token);
                let shared = if adapter == Adapter::Linear {
                    normalized(&leaky(product))
                } else {
                    let bias = host(parameters.get::<1>("normal.1.shared.bias"));
                    leaky(normalized(&product.iter().zip(bias).map(|(x, b)| x + f64::from(b)).collect::<Vec<_>>()))
                };
                for head in HEADS {
                    let feature = leaky(times(&weight(head), &shared));
                    let length = feature.iter().map(|x| x * x).sum::<f64>().sqrt();
                    expected.extend(times(&along, &feature).into_iter().map(|product| (product / length) as f32));
                }
            }
            assert_close(&host(run(&options, tap)), &expected, 1e-5);
        }
    }

    #[test]
    fn one_head_is_what_it_is_beside_the_other() {
        for adapter in ALL {
            let options = with(adapter, AdapterAttention::Tokens);
            let (tap, along) = (random("tap", [2, 4, 16]), random("along", [1, 12]));
            let products = |heads: &[&str]| {
                let parameters = initial(&options);
                products::<B, Plain>(&options, &parameters, "abnormal.3", tap.clone(), &along, heads)
            };
            let both = products(&HEADS);
            let rows = both.dims()[0] / 2;
            for (i, head) in HEADS.into_iter().enumerate() {
                let among = both.clone().reshape([rows, 2]).narrow(1, i, 1);
                assert_close(&host(products(&[head])), &host(among), 1e-6);
            }
        }
    }

    #[test]
    fn attention_over_tokens_sees_one_image_and_over_the_batch_all_of_them() {
        let tap = random("tap", [3, 4, 16]);
        let first = |options: &Options, items: usize| {
            let found = run(options, tap.clone().narrow(0, 0, items));
            let rows = found.dims()[0] / items;
            host(found.narrow(0, 0, rows))
        };
        let tokens = with(Adapter::Transformer, AdapterAttention::Tokens);
        assert_close(&first(&tokens, 3), &first(&tokens, 1), 1e-5);
        let batch = with(Adapter::Transformer, AdapterAttention::Batch);
        let (three, one) = (first(&batch, 3), first(&batch, 1));
        assert!(three.iter().zip(&one).any(|(a, b)| (a - b).abs() > 1e-3));
    }

    #[test]
    fn over_the_batch_images_that_change_places_take_their_results_along() {
        let batch = with(Adapter::Transformer, AdapterAttention::Batch);
        let tap = random("tap", [2, 4, 16]);
        let found = run(&batch, tap.clone());
        let swapped = run(&batch, tap.flip([0]));
        let half = found.dims()[0] / 2;
        assert_close(&host(swapped.narrow(0, half, half)), &host(found.narrow(0, 0, half)), 1e-5);
    }

    #[test]
    fn the_class_token_stays_where_tokens_attend_to_it() {
        for adapter in ALL {
            for attention in AdapterAttention::ALL {
                let stays = adapter == Adapter::Transformer && attention == AdapterAttention::Tokens;
                assert_eq!(drops_class_token(&with(adapter, attention)), !stays);
            }
        }
        // It leaves no row of its own behind: 2 images of 4 tokens and 2 heads.
        assert_eq!(
            run(&with(Adapter::Transformer, AdapterAttention::Tokens), random("tap", [2, 5, 16])).dims(),
            [16, 2]
        );
    }

    #[test]
    fn every_weight_gets_the_gradient_of_what_it_does() {
        for adapter in ALL {
            let options = with(adapter, AdapterAttention::Tokens);
            let parameters = initial(&options);
            let (tap, along) = (random("tap", [2, 4, 16]), random("along", [2, 12]));
            for (name, tensor) in parameters.iter().filter(|(name, _)| name.starts_with("normal.1.")) {
                check_gradient(&tensor.values, |values| {
                    let mut leaves = parameters.map(|_, values| Tensor::<A, 1>::from_inner(values.clone()));
                    leaves.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, tensor)| {
                        tensor.values = values.clone();
                    });
                    let (tap, along) = (Tensor::from_inner(tap.clone()), Tensor::from_inner(along.clone()));
                    let found = products::<A, Recorded<Plain>>(&options, &leaves, "normal.1", tap, &along, &HEADS);
                    let shape = found.dims();
                    (found * Tensor::from_inner(random("weights", shape))).sum()
                });
            }
        }
    }
}
