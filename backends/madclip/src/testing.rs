//! Help for the tests of this crate: tensors of known values, and gradients by finite differences.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use harness_method::options::{AdapterAttention, PromptPosition, Prompts};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options, streams, synthetic};

use crate::HostTensor;
use crate::parameters::Parameters;

/// The backend of the tests.
pub(crate) type B = Flex;
/// The same with gradients.
pub(crate) type A = Autodiff<Flex>;

pub(crate) const DEVICE: FlexDevice = FlexDevice;

/// A tensor of these values.
pub(crate) fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &DEVICE)
}

/// Values in (-1, 1), others for each name.
pub(crate) fn random<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<B, D> {
    tensor(&streams::uniform(name, 0, shape.iter().product(), 1.0), shape)
}

/// A tensor's values.
pub(crate) fn host<const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().to_vec().unwrap()
}

#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{found} at {i}, expected {expected}");
    }
}

/// Compares the gradient of `f` by autodiff with differences of `f` along each of a few directions. `f` gets the input
/// as a constant or as a leaf of a graph.
#[track_caller]
pub(crate) fn check_gradient<const D: usize>(input: &Tensor<B, D>, f: impl Fn(Tensor<A, D>) -> Tensor<A, 1>) {
    // Short, because LeakyReLU has a kink that a step may cross.
    const STEP: f32 = 5e-4;
    let leaf = Tensor::<A, D>::from_inner(input.clone()).require_grad();
    let gradient = leaf.grad(&f(leaf.clone()).backward()).unwrap();
    let value = |input: Tensor<B, D>| f64::from(host(f(Tensor::from_inner(input)).inner())[0]);
    for number in 0..4 {
        let direction: Tensor<B, D> = random(&format!("direction {number}"), input.dims());
        let ahead = value(input.clone() + direction.clone() * STEP);
        let behind = value(input.clone() - direction.clone() * STEP);
        let difference = (ahead - behind) / f64::from(2.0 * STEP);
        let expected = f64::from(host((gradient.clone() * direction).sum())[0]);
        assert!(
            (difference - expected).abs() <= 1e-2 * (1.0 + expected.abs()),
            "direction {number}: differences give {difference}, the gradient {expected}"
        );
    }
}

/// A small CLIP: 3 x 3 patches of 4 pixels, 10 tokens.
pub(crate) fn arch() -> Arch {
    Arch {
        image_size: 12,
        patch: 4,
        width: 16,
        layers: 3,
        heads: 2,
        embed: 12,
        vocab: 8,
        context: 14,
        text_width: 8,
        text_layers: 2,
        text_heads: 2,
    }
}

/// A small model with free text.
pub(crate) fn options() -> Options {
    Options {
        image_size: 12,
        taps: vec![1, 3],
        adapter_attention: AdapterAttention::Tokens,
        prompts: Prompts::Free,
        prompt_positions: vec![PromptPosition::End],
        context_tokens: 2,
        ..Options::default()
    }
}

/// Weights of the small CLIP.
pub(crate) fn weights() -> HashMap<String, HostTensor<'static>> {
    let tensors = synthetic::clip_state(&arch()).into_iter();
    tensors.map(|t| (t.name.clone(), HostTensor { data: t.values(1).into(), shape: t.shape })).collect()
}

/// Initial values of the parameters of a model on the small CLIP.
pub(crate) fn state(options: &Options) -> HashMap<String, HostTensor<'static>> {
    let parameters = parameters(options, &arch()).into_iter();
    parameters.map(|p| (p.name.clone(), HostTensor { data: p.values(1).into(), shape: p.shape })).collect()
}

/// The same on the device.
pub(crate) fn initial(options: &Options) -> Parameters<B> {
    Parameters::read(&parameters(options, &arch()), &state(options), &DEVICE).unwrap()
}
