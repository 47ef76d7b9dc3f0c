//! A backend's operations in Burn's graph: each is one step, with a gradient that the backend supplies.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::{Tensor, TensorPrimitive};
use harness_method::options::Activation;

use crate::kernels::Kernels;
use crate::operands::{Attention, Cosines, Heads, Linear, Norm};
use crate::plain;

/// `K` under Burn's autodiff. Gradients reach inputs, and the weights of trained operations; frozen layers get none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<K>(PhantomData<fn() -> K>);

impl<B: Backend, K: Kernels<B>> Kernels<Autodiff<B>> for Recorded<K> {
    type Layer = K::Layer;

    const MULTIPLIES_NARROW: bool = K::MULTIPLIES_NARROW;

    fn layer(linear: Linear<Autodiff<B>>) -> K::Layer {
        K::layer(Linear { weight: linear.weight.inner(), bias: linear.bias.inner() })
    }

    fn linear(x: Tensor<Autodiff<B>, 2>, layer: &K::Layer) -> Tensor<Autodiff<B>, 2> {
        let (output, layer) = (K::linear(x.clone().inner(), layer), layer.clone());
        step([primitive(x)], output, move |gradient| [raw(K::linear_gradient(gradient, &layer))])
    }

    fn linear_gradient(gradient: Tensor<Autodiff<B>, 2>, layer: &K::Layer) -> Tensor<Autodiff<B>, 2> {
        Tensor::from_inner(K::linear_gradient(gradient.inner(), layer))
    }

    fn linear_residual(
        x: Tensor<Autodiff<B>, 2>,
        layer: &K::Layer,
        residual: Tensor<Autodiff<B>, 2>,
    ) -> Tensor<Autodiff<B>, 2> {
        let (output, layer) = (K::linear_residual(x.clone().inner(), layer, residual.clone().inner()), layer.clone());
        step([primitive(x), primitive(residual)], output, move |gradient| {
            [raw(K::linear_gradient(gradient.clone(), &layer)), raw(gradient)]
        })
    }

    fn activation(x: Tensor<Autodiff<B>, 2>, kind: Activation) -> Tensor<Autodiff<B>, 2> {
        let input = x.clone().inner();
        let output = K::activation(input.clone(), kind);
        step([primitive(x)], output, move |gradient| [raw(K::activation_gradient(gradient, input, kind))])
    }

    fn layer_norm(x: Tensor<Autodiff<B>, 2>, norm: &Norm<Autodiff<B>>) -> Tensor<Autodiff<B>, 2> {
        if is_tracked(&norm.weight) || is_tracked(&norm.bias) {
            return plain::layer_norm(x, norm);
        }
        let input = x.clone().inner();
        let norm = Norm { weight: norm.weight.clone().inner(), bias: norm.bias.clone().inner() };
        let output = K::layer_norm(input.clone(), &norm);
        step([primitive(x)], output, move |gradient| [raw(K::layer_norm_gradient(gradient, input, &norm))])
    }

    fn attention(
        qkv: Tensor<Autodiff<B>, 2>,
        attention: Attention,
        mask: Option<&Tensor<Autodiff<B>, 2>>,
    ) -> Tensor<Autodiff<B>, 2> {
        let (input, mask) = (qkv.clone().inner(), mask.cloned().map(Tensor::inner));
        let output = K::attention(input.clone(), attention, mask.as_ref());
        step([primitive(qkv)], output, move |gradient| {
            [raw(K::attention_gradient(gradient, input, attention, mask.as_ref()))]
        })
    }

    fn linear_leaky(
        x: Tensor<Autodiff<B>, 2>,
        weight: Tensor<Autodiff<B>, 2>,
        bias: Option<Tensor<Autodiff<B>, 1>>,
    ) -> Tensor<Autodiff<B>, 2> {
        if is_tracked(&x) {
            return plain::linear_leaky(x, weight, bias);
        }
        let x = x.inner();
        let output = K::linear_leaky(x.clone(), weight.clone().inner(), bias.clone().map(Tensor::inner));
        let kept = output.clone();
        match bias {
            None => {
                step([primitive(weight)], output, move |gradient| [raw(K::linear_leaky_gradient(gradient, x, kept))])
            }
            Some(bias) => step([primitive(weight), primitive(bias)], output, move |gradient| {
                let of_bias = K::linear_leaky_bias_gradient(gradient.clone(), kept.clone());
                [raw(K::linear_leaky_gradient(gradient, x, kept)), raw(of_bias)]
            }),
        }
    }

    fn cosines_with_features(
        x: Tensor<Autodiff<B>, 2>,
        heads: &Heads<Autodiff<B>>,
        directions: &Tensor<Autodiff<B>, 2>,
    ) -> Cosines<Autodiff<B>> {
        let (tokens, along) = (x.clone().inner(), directions.clone().inner());
        let frozen = Heads { weight: heads.weight.clone().inner(), count: heads.count };
        let Cosines { values, features } = K::cosines_with_features(tokens.clone(), &frozen, &along);
        let (kept, known) = (features.clone(), values.clone());
        let inputs = [primitive(x), primitive(heads.weight.clone()), primitive(directions.clone())];
        let values = step(inputs, values, move |gradient| {
            let found = K::cosines_gradient(gradient, known, kept, tokens, &frozen, &along);
            [raw(found.tokens), raw(found.weight), raw(found.directions)]
        });
        Cosines { values, features: Tensor::from_inner(features) }
    }
}

type Primitive<B> = <B as BackendTypes>::FloatTensorPrimitive;

fn primitive<B: Backend, const D: usize>(x: Tensor<Autodiff<B>, D>) -> Primitive<Autodiff<B>> {
    x.into_primitive().tensor()
}

fn raw<B: Backend, const D: usize>(x: Tensor<B, D>) -> Primitive<B> {
    x.into_primitive().tensor()
}

fn is_tracked<B: Backend, const D: usize>(x: &Tensor<Autodiff<B>, D>) -> bool {
    primitive(x.clone()).is_tracked()
}

type Gradient<B, const N: usize> = Box<dyn FnOnce(Primitive<B>) -> [Primitive<B>; N] + Send>;

/// What a step keeps for its gradient, which is asked for once.
struct Kept<B: Backend, const N: usize>(Arc<Mutex<Option<Gradient<B, N>>>>);

impl<B: Backend, const N: usize> Clone for Kept<B, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend, const N: usize> fmt::Debug for Kept<B, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

#[derive(Debug)]
struct Step;

impl<B: Backend, const N: usize> Backward<B, N> for Step {
    type State = Kept<B, N>;

    fn backward(self, ops: Ops<Kept<B, N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let known = ops.state.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(known) = known else { unreachable!("a graph is walked once") };
        for (parent, gradient) in ops.parents.into_iter().zip(known(gradient)) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

/// `output` in the graph, as a function of `inputs` whose gradients are known from the output's.
fn step<B: Backend, const N: usize, const D: usize>(
    inputs: [Primitive<Autodiff<B>>; N],
    output: Tensor<B, D>,
    gradient: impl FnOnce(Tensor<B, D>) -> [Primitive<B>; N] + Send + 'static,
) -> Tensor<Autodiff<B>, D> {
    let output = raw(output);
    let prepared = Backward::<B, N>::prepare::<NoCheckpointing>(Step, inputs.map(|input| input.node));
    let output = match prepared.compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(output),
        OpsKind::Tracked(prepared) => {
            let gradient: Gradient<B, N> =
                Box::new(|of_output| gradient(Tensor::from_primitive(TensorPrimitive::Float(of_output))));
            prepared.finish(Kept(Arc::new(Mutex::new(Some(gradient)))), output)
        }
    };
    Tensor::from_primitive(TensorPrimitive::Float(output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plain;
    use crate::testing::{A, B, check_gradient, host, random};

    type Step = Recorded<Plain>;

    /// A number that depends on every element of a result, in the graph.
    fn weighed(x: Tensor<A, 2>) -> Tensor<A, 1> {
        let shape = x.dims();
        (x * Tensor::from_inner(random("weights", shape))).sum()
    }

    fn constant<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<A, D> {
        Tensor::from_inner(random(name, shape))
    }

    fn layer() -> Linear<B> {
        Linear { weight: random("weight", [5, 4]), bias: random("bias", [5]) }
    }

    #[test]
    fn frozen_layers_hand_gradients_to_inputs_and_residuals() {
        let x = random("x", [3, 4]);
        check_gradient(&x, |x| weighed(Step::linear(x, &layer())));
        check_gradient(&x, |x| weighed(Step::linear_residual(x, &layer(), constant("residual", [3, 5]))));
        check_gradient(&random("residual", [3, 5]), |residual| {
            weighed(Step::linear_residual(constant("x", [3, 4]), &layer(), residual))
        });
        for kind in [Activation::Gelu, Activation::QuickGelu] {
            check_gradient(&x, |x| weighed(Step::activation(x, kind)));
            check_gradient(&x, |x| weighed(Step::linear_activation(x, &layer(), kind)));
        }
    }

    #[test]
    fn norms_whether_frozen_or_trained() {
        let norm = || Norm { weight: constant("scale", [4]), bias: constant("shift", [4]) };
        check_gradient(&random("x", [3, 4]), |x| weighed(Step::layer_norm(x, &norm())));
        let x = || constant("x", [3, 4]);
        check_gradient(&random("scale", [4]), |weight| {
            weighed(Step::layer_norm(x(), &Norm { weight, bias: constant("shift", [4]) }))
        });
        check_gradient(&random("shift", [4]), |bias| {
            weighed(Step::layer_norm(x(), &Norm { weight: constant("scale", [4]), bias }))
        });
    }

    #[test]
    fn attention_with_and_without_a_mask() {
        let sizes = Attention { items: 2, tokens: 3, heads: 2 };
        let mask = Tensor::<B, 2>::full([3, 3], f32::NEG_INFINITY, &crate::testing::DEVICE).triu(1);
        for mask in [None, Some(Tensor::from_inner(mask))] {
            check_gradient(&(random("qkv", [6, 12]) * 2.0), |qkv| weighed(Step::attention(qkv, sizes, mask.as_ref())));
        }
    }

    #[test]
    fn trained_layers_hand_gradients_to_weight_and_bias() {
        let x = || constant("x", [6, 4]);
        check_gradient(&random("weight", [5, 4]), |weight| weighed(Step::linear_leaky(x(), weight, None)));
        check_gradient(&random("weight", [5, 4]), |weight| {
            weighed(Step::linear_leaky(x(), weight, Some(constant("bias", [5]))))
        });
        check_gradient(&random("bias", [5]), |bias| {
            weighed(Step::linear_leaky(x(), constant("weight", [5, 4]), Some(bias)))
        });
        // Where the input is trained too, it gets its gradient as well.
        check_gradient(&random("x", [6, 4]), |x| weighed(Step::linear_leaky(x, constant("weight", [5, 4]), None)));
    }

    #[test]
    fn cosines_hand_gradients_to_tokens_heads_and_directions() {
        let heads = |weight| Heads { weight, count: 2 };
        let (x, weight, along) =
            (|| constant("x", [6, 4]), || constant("heads", [10, 4]), || constant("along", [2, 5]));
        check_gradient(&random("x", [6, 4]), |x| weighed(Step::cosines(x, &heads(weight()), &along())));
        check_gradient(&random("heads", [10, 4]), |weight| weighed(Step::cosines(x(), &heads(weight), &along())));
        check_gradient(&random("along", [2, 5]), |along| weighed(Step::cosines(x(), &heads(weight()), &along)));
    }

    #[test]
    fn results_are_those_of_the_kernels_under_them() {
        let x = random("x", [3, 4]);
        let found = Step::linear(Tensor::from_inner(x.clone()), &layer()).inner();
        assert_eq!(host(found), host(Plain::linear(x, &layer())));
    }
}
