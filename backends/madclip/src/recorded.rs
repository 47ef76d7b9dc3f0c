//! A backend's operations in Burn's graph: each is one step whose gradient the backend supplies itself.

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

use crate::kernels::{Attention, Cosines, Heads, Kernels, Linear, Norm};
use crate::plain;

/// `K` under Burn's autodiff. Gradients reach inputs, and the weights of trained operations; frozen layers get none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<K>(PhantomData<fn() -> K>);

impl<B: Backend, K: Kernels<B>> Kernels<Autodiff<B>> for Recorded<K> {
    type Layer = K::Layer;

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
            None => step([primitive(weight)], output, move |gradient| {
                [raw(K::linear_leaky_gradient(gradient, x, kept, false).0)]
            }),
            Some(bias) => step([primitive(weight), primitive(bias)], output, move |gradient| {
                match K::linear_leaky_gradient(gradient, x, kept, true) {
                    (weight, Some(bias)) => [raw(weight), raw(bias)],
                    (_, None) => unreachable!("the bias's gradient was asked for"),
                }
            }),
        }
    }

    fn cosines(
        x: Tensor<Autodiff<B>, 2>,
        heads: &Heads<Autodiff<B>>,
        directions: &Tensor<Autodiff<B>, 2>,
        keep: bool,
    ) -> Cosines<Autodiff<B>> {
        let (tokens, along) = (x.clone().inner(), directions.clone().inner());
        let frozen = Heads { weight: heads.weight.clone().inner(), count: heads.count };
        let Cosines { values, features } = K::cosines(tokens.clone(), &frozen, &along, true);
        let Some(features) = features else { unreachable!("they were to be kept") };
        let (kept, known) = (features.clone(), values.clone());
        let inputs = [primitive(x), primitive(heads.weight.clone()), primitive(directions.clone())];
        let values = step(inputs, values, move |gradient| {
            let found = K::cosines_gradient(gradient, known, kept, tokens, &frozen, &along);
            [raw(found.tokens), raw(found.weight), raw(found.directions)]
        });
        Cosines { values, features: keep.then(|| Tensor::from_inner(features)) }
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
