//! Each kernel against the same operation in plain Burn, at sizes that fill no tile, no panel and no block.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use harness_backend_flex::FlexKernels;
use harness_method::options::Activation;
use harness_method::streams;
use madclip::adam::Moments;
use madclip::kernels::{Attention, Embedding, Heads, Linear, Norm};
use madclip::segmentation::Term;
use madclip::{Kernels, Plain};

/// Rows beyond one block of any kernel, and sides that no vector divides.
const ROWS: usize = 555;
const DEPTH: usize = 45;
const COLUMNS: usize = 38;

/// Values in (-1, 1), others for each name.
fn random<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<Flex, D> {
    let values = streams::uniform(name, 0, shape.iter().product(), 1.0);
    Tensor::<Flex, 1>::from_floats(values.as_slice(), &FlexDevice).reshape(shape)
}

/// The norm of the difference is within 2e-6 of the expected norm.
#[track_caller]
fn assert_close<const D: usize>(found: Tensor<Flex, D>, expected: Tensor<Flex, D>) {
    assert_eq!(found.dims(), expected.dims());
    let values = |tensor: Tensor<Flex, D>| tensor.into_data().to_vec::<f32>().unwrap();
    let (found, expected) = (values(found), values(expected));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(&expected).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    let size = norm(&mut expected.iter().map(|&x| f64::from(x)));
    assert!(difference <= 2e-6 * size, "off by {difference:e} of {size:e}");
}

fn linear() -> Linear<Flex> {
    Linear { weight: random("weight", [COLUMNS, DEPTH]), bias: random("bias", [COLUMNS]) }
}

fn norm() -> Norm<Flex> {
    Norm { weight: random("scale", [DEPTH]), bias: random("shift", [DEPTH]) }
}

#[test]
fn linear_layers_with_all_that_follows_them() {
    let (x, residual) = (random("x", [ROWS, DEPTH]), random("residual", [ROWS, COLUMNS]));
    let (fast, plain) = (FlexKernels::layer(linear()), <Plain as Kernels<Flex>>::layer(linear()));
    assert_close(FlexKernels::linear(x.clone(), &fast), Plain::linear(x.clone(), &plain));
    for kind in [Activation::Gelu, Activation::QuickGelu] {
        let expected = Plain::linear_activation(x.clone(), &plain, kind);
        assert_close(FlexKernels::linear_activation(x.clone(), &fast, kind), expected);
    }
    let expected = Plain::linear_residual(x.clone(), &plain, residual.clone());
    assert_close(FlexKernels::linear_residual(x.clone(), &fast, residual.clone()), expected.clone());
    // In place, where nobody else holds the residual.
    let residual = residual.add_scalar(0.0);
    assert_close(FlexKernels::linear_residual(x, &fast, residual), expected);
    let gradient = random("gradient", [ROWS, COLUMNS]);
    assert_close(FlexKernels::linear_gradient(gradient.clone(), &fast), Plain::linear_gradient(gradient, &plain));
}

#[test]
fn activations_and_their_gradients() {
    let (x, gradient) = (random("x", [ROWS, DEPTH]) * 6.0, random("gradient", [ROWS, DEPTH]));
    for kind in [Activation::Gelu, Activation::QuickGelu] {
        assert_close(FlexKernels::activation(x.clone(), kind), Plain::activation(x.clone(), kind));
        let expected = Plain::activation_gradient(gradient.clone(), x.clone(), kind);
        assert_close(FlexKernels::activation_gradient(gradient.clone(), x.clone(), kind), expected);
    }
}

#[test]
fn layer_norm_and_its_gradient() {
    let (x, gradient) = (random("x", [ROWS, DEPTH]), random("gradient", [ROWS, DEPTH]));
    assert_close(FlexKernels::layer_norm(x.clone(), &norm()), Plain::layer_norm(x.clone(), &norm()));
    let expected = Plain::layer_norm_gradient(gradient.clone(), x.clone(), &norm());
    assert_close(FlexKernels::layer_norm_gradient(gradient, x, &norm()), expected);
}

#[test]
fn attention_and_its_gradient_with_and_without_a_mask() {
    for (items, tokens, heads, width) in [(3, 37, 5, 45), (1, 70, 2, 12), (9, 1, 1, 3)] {
        let sizes = Attention { items, tokens, heads };
        let qkv = random("qkv", [items * tokens, 3 * width]) * 3.0;
        let gradient = random("gradient", [items * tokens, width]);
        let mask = Tensor::<Flex, 2>::full([tokens, tokens], f32::NEG_INFINITY, &FlexDevice).triu(1);
        for mask in [None, Some(&mask)] {
            assert_close(FlexKernels::attention(qkv.clone(), sizes, mask), Plain::attention(qkv.clone(), sizes, mask));
            let expected = Plain::attention_gradient(gradient.clone(), qkv.clone(), sizes, mask);
            assert_close(FlexKernels::attention_gradient(gradient.clone(), qkv.clone(), sizes, mask), expected);
        }
    }
}

#[test]
fn patches_of_an_image_they_do_not_cover() {
    let (patch, grid, size) = (3, 4, 14);
    let linear = || Linear { weight: random("patches", [COLUMNS, 27]), bias: random("bias", [COLUMNS]) };
    let images = random("images", [5, 3, size, size]);
    let (class_row, positions) = (random("class", [1, COLUMNS]), random("positions", [grid * grid, COLUMNS]));
    let fast = Embedding {
        layer: FlexKernels::layer(linear()),
        class_row: class_row.clone(),
        positions: positions.clone(),
        patch,
        grid,
    };
    let plain = Embedding { layer: linear(), class_row, positions, patch, grid };
    assert_close(FlexKernels::embed(images.clone(), &fast), Plain::embed(images, &plain));
}

#[test]
fn taps_from_the_host_and_batches_of_them() {
    let values = streams::uniform("taps", 0, 4 * 7 * 5, 1.0);
    for skipped in [0, 1] {
        let [fast, plain] = [<FlexKernels as Kernels<Flex>>::taps, <Plain as Kernels<Flex>>::taps]
            .map(|taps| taps(&values, [4, 7, 5], skipped, &FlexDevice));
        assert_close(fast.clone(), plain.clone());
        assert_close(FlexKernels::batch(&fast, &[3, 0, 3]), Plain::batch(&plain, &[3, 0, 3]));
    }
}

#[test]
fn trained_layers_and_their_gradients() {
    let (x, weight) = (random("x", [ROWS, DEPTH]), random("weight", [COLUMNS, DEPTH]));
    let gradient = random("gradient", [ROWS, COLUMNS]);
    for bias in [None, Some(random("bias", [COLUMNS]))] {
        let output = Plain::linear_leaky(x.clone(), weight.clone(), bias.clone());
        assert_close(FlexKernels::linear_leaky(x.clone(), weight.clone(), bias), output.clone());
        let found = FlexKernels::linear_leaky_gradient(gradient.clone(), x.clone(), output.clone());
        assert_close(found, Plain::linear_leaky_gradient(gradient.clone(), x.clone(), output.clone()));
        let found = FlexKernels::linear_leaky_bias_gradient(gradient.clone(), output.clone());
        assert_close(found, Plain::linear_leaky_bias_gradient(gradient.clone(), output));
    }
}

#[test]
fn cosines_with_one_and_two_directions_and_their_gradients() {
    let x = random("x", [ROWS, DEPTH]);
    for (count, directions) in [(1, 1), (2, 1), (2, 2)] {
        let heads = Heads { weight: random("heads", [count * COLUMNS, DEPTH]), count };
        let along = random("along", [directions, COLUMNS]);
        let fast = FlexKernels::cosines_with_features(x.clone(), &heads, &along);
        let plain = Plain::cosines_with_features(x.clone(), &heads, &along);
        assert_close(fast.values, plain.values.clone());
        assert_close(FlexKernels::cosines(x.clone(), &heads, &along), plain.values.clone());
        let features = plain.features;
        assert_close(fast.features, features.clone());
        let gradient = random("gradient", [ROWS * count, directions]);
        let values = plain.values;
        let given = (gradient.clone(), values.clone(), features.clone(), x.clone());
        let found = FlexKernels::cosines_gradient(given.0, given.1, given.2, given.3, &heads, &along);
        let expected = Plain::cosines_gradient(gradient, values, features, x.clone(), &heads, &along);
        assert_close(found.tokens, expected.tokens);
        assert_close(found.weight, expected.weight);
        assert_close(found.directions, expected.directions);
    }
}

#[test]
fn segmentation_losses_and_their_gradient() {
    for (grid, size) in [(4, 29), (1, 3), (3, 64)] {
        let upsampling = madclip::segmentation::upsampling::<Flex>(grid, size, &FlexDevice);
        let grids = random("grids", [3, grid, grid]) * 2.0;
        let masks = random("masks", [3, size, size]).greater_elem(0.5).float();
        for terms in [&[Term::Focal, Term::Dice][..], &[Term::Dice], &[Term::Dice, Term::Focal], &[]] {
            let found = FlexKernels::segmentation(terms, &upsampling, grids.clone(), masks.clone());
            let expected = Plain::segmentation(terms, &upsampling, grids.clone(), masks.clone());
            assert_eq!((found.values.len(), expected.values.len()), (terms.len(), terms.len()));
            found.values.into_iter().zip(expected.values).for_each(|(found, expected)| assert_close(found, expected));
            assert_close(found.gradient, expected.gradient);
        }
    }
}

#[test]
fn adam_from_the_first_step_on() {
    let start = random("value", [ROWS]);
    let moments = || Moments { first: Tensor::zeros([ROWS], &FlexDevice), second: Tensor::zeros([ROWS], &FlexDevice) };
    let (mut fast, mut plain) = ((start.clone(), moments()), (start, moments()));
    for step in 1..=3 {
        let gradient = random(&format!("gradient {step}"), [ROWS]);
        FlexKernels::adam(&mut fast.0, gradient.clone(), &mut fast.1, step, 1e-3);
        Plain::adam(&mut plain.0, gradient, &mut plain.1, step, 1e-3);
    }
    assert_close(fast.0, plain.0);
    assert_close(fast.1.first, plain.1.first);
    assert_close(fast.1.second, plain.1.second);
}
