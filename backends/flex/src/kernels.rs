//! The model's operations on Flex, each a call of a kernel on slices.

use burn::tensor::Tensor;
use burn_flex::{Flex, FlexDevice};
use harness_method::options::Activation;
use madclip::Kernels;
use madclip::adam::Moments;
use madclip::kernels::{Attention, CosineGradients, Cosines, Embedding, Heads, Linear, Norm};
use madclip::segmentation::{Segmentation, Term};
use rayon::prelude::*;

use crate::attention::{self, Sizes};
use crate::linear::{Layer, Then, product};
use crate::matrix::{self, Values, tensor};
use crate::panels::Panels;
use crate::patches::{self, Patches};
use crate::transposed::transposed_product;
use crate::{activation, adam, adapters, attention_gradient, buffers, largest, norm, segmentation};

/// Kernels of the built-in backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlexKernels;

impl Kernels<Flex> for FlexKernels {
    type Layer = Layer;

    const MULTIPLIES_NARROW: bool = true;

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
        tensor(out, [rows, layer.outputs()])
    }

    fn embed(images: Tensor<Flex, 4>, embedding: &Embedding<Flex, Layer>) -> Tensor<Flex, 2> {
        let Embedding { layer, class_row, positions, patch, grid } = embedding;
        let [items, _, _, size] = images.dims();
        let tokens = 1 + grid * grid;
        let (class_row, positions) = (Values::of(class_row.clone()), Values::of(positions.clone()));
        let (class_row, positions) = (class_row.as_slice(), positions.as_slice());
        let mut out = buffers::take(items * tokens * layer.outputs());
        let patches = Patches { layer, class_row, positions, patch: *patch, grid: *grid, size };
        patches::embed(Values::of(images).as_slice(), patches, &mut out);
        tensor(out, [items * tokens, layer.outputs()])
    }

    fn activation(x: Tensor<Flex, 2>, kind: Activation) -> Tensor<Flex, 2> {
        let (shape, mut values) = (x.dims(), Values::of(x).into_vec());
        activation::activation(&mut values, kind);
        tensor(values, shape)
    }

    fn activation_gradient(gradient: Tensor<Flex, 2>, x: Tensor<Flex, 2>, kind: Activation) -> Tensor<Flex, 2> {
        let (shape, gradient, mut x) = (x.dims(), Values::of(gradient), Values::of(x).into_vec());
        activation::activation_gradient(gradient.as_slice(), &mut x, kind);
        tensor(x, shape)
    }

    fn layer_norm(x: Tensor<Flex, 2>, norm: &Norm<Flex>) -> Tensor<Flex, 2> {
        let shape = x.dims();
        let (x, weight, bias) = (Values::of(x), Values::of(norm.weight.clone()), Values::of(norm.bias.clone()));
        let mut out = buffers::take(x.as_slice().len());
        norm::layer_norm(x.as_slice(), weight.as_slice(), bias.as_slice(), &mut out);
        tensor(out, shape)
    }

    fn layer_norm_gradient(gradient: Tensor<Flex, 2>, x: Tensor<Flex, 2>, norm: &Norm<Flex>) -> Tensor<Flex, 2> {
        let shape = x.dims();
        let (x, weight) = (Values::of(x), Values::of(norm.weight.clone()));
        let mut out = Values::of(gradient).into_vec();
        norm::layer_norm_gradient(&mut out, x.as_slice(), weight.as_slice());
        tensor(out, shape)
    }

    fn attention(qkv: Tensor<Flex, 2>, attention: Attention, mask: Option<&Tensor<Flex, 2>>) -> Tensor<Flex, 2> {
        let (rows, sizes) = (qkv.dims()[0], sizes(&qkv, attention));
        let (qkv, mask) = (Values::of(qkv), mask.cloned().map(Values::of));
        let mut out = buffers::take(rows * sizes.width);
        attention::attention(qkv.as_slice(), sizes, mask.as_ref().map(Values::as_slice), &mut out);
        tensor(out, [rows, sizes.width])
    }

    fn attention_gradient(
        gradient: Tensor<Flex, 2>,
        qkv: Tensor<Flex, 2>,
        attention: Attention,
        mask: Option<&Tensor<Flex, 2>>,
    ) -> Tensor<Flex, 2> {
        let (shape, sizes) = (qkv.dims(), sizes(&qkv, attention));
        let (gradient, qkv, mask) = (Values::of(gradient), Values::of(qkv), mask.cloned().map(Values::of));
        let mask = mask.as_ref().map(Values::as_slice);
        let mut out = buffers::take(shape[0] * shape[1]);
        attention_gradient::attention_gradient(gradient.as_slice(), qkv.as_slice(), sizes, mask, &mut out);
        tensor(out, shape)
    }

    fn largest_product(x: &Tensor<Flex, 2>, bank: &Tensor<Flex, 2>) -> Tensor<Flex, 2> {
        let [rows, depth] = x.dims();
        let (x, bank) = (Values::of(x.clone()), Values::of(bank.clone()));
        tensor(largest::largest_product(x.as_slice(), bank.as_slice(), depth), [rows, 1])
    }

    fn taps(values: &[f32], [items, tokens, width]: [usize; 3], skipped: usize, _: &FlexDevice) -> Tensor<Flex, 3> {
        let kept = tokens - skipped;
        let mut out = buffers::take(items * kept * width);
        let items_of = values.par_chunks_exact(tokens * width);
        out.par_chunks_exact_mut(kept * width).zip(items_of).for_each(|(out, item)| {
            out.copy_from_slice(&item[skipped * width..]);
        });
        tensor(out, [items, kept, width])
    }

    fn batch(taps: &Tensor<Flex, 3>, items: &[usize]) -> Tensor<Flex, 3> {
        let [_, tokens, width] = taps.dims();
        let (values, size) = (Values::of(taps.clone()), tokens * width);
        let mut out = buffers::take(items.len() * size);
        out.par_chunks_exact_mut(size).zip(items).for_each(|(out, &item)| {
            out.copy_from_slice(&values.as_slice()[item * size..][..size]);
        });
        tensor(out, [items.len(), tokens, width])
    }

    fn linear_leaky(x: Tensor<Flex, 2>, weight: Tensor<Flex, 2>, bias: Option<Tensor<Flex, 1>>) -> Tensor<Flex, 2> {
        let [rows, depth] = x.dims();
        let outputs = weight.dims()[0];
        let (x, bias) = (Values::of(x), bias.map(Values::of));
        let weight = Panels::of_transposed(Values::of(weight).as_slice(), depth);
        let mut out = buffers::take(rows * outputs);
        product(x.as_slice(), &weight, bias.as_ref().map(Values::as_slice), Then::Leaky, &mut out);
        tensor(out, [rows, outputs])
    }

    fn linear_leaky_gradient(
        gradient: Tensor<Flex, 2>,
        x: Tensor<Flex, 2>,
        output: Tensor<Flex, 2>,
    ) -> Tensor<Flex, 2> {
        let [outputs, width] = [gradient.dims()[1], x.dims()[1]];
        let (x, gradient, output) = (Values::of(x), Values::of(gradient), Values::of(output));
        let signs = Some(output.as_slice());
        tensor(transposed_product(gradient.as_slice(), signs, outputs, x.as_slice(), width), [outputs, width])
    }

    fn linear_leaky_bias_gradient(gradient: Tensor<Flex, 2>, output: Tensor<Flex, 2>) -> Tensor<Flex, 1> {
        let outputs = gradient.dims()[1];
        let (gradient, output) = (Values::of(gradient), Values::of(output));
        tensor(adapters::leaky_sums(gradient.as_slice(), output.as_slice(), outputs), [outputs])
    }

    fn cosines(x: Tensor<Flex, 2>, heads: &Heads<Flex>, directions: &Tensor<Flex, 2>) -> Tensor<Flex, 2> {
        let Cosines { values, features } = Self::cosines_with_features(x, heads, directions);
        // Its memory serves again.
        drop(Values::of(features));
        values
    }

    fn cosines_with_features(x: Tensor<Flex, 2>, heads: &Heads<Flex>, directions: &Tensor<Flex, 2>) -> Cosines<Flex> {
        let [rows, depth] = x.dims();
        let (count, embed) = (rows * heads.count, directions.dims()[1]);
        let sizes = adapters::Sizes { embed, directions: directions.dims()[0] };
        let (x, directions) = (Values::of(x), Values::of(directions.clone()));
        let weight = Panels::of_transposed(Values::of(heads.weight.clone()).as_slice(), depth);
        let features = adapters::features(x.as_slice(), &weight);
        let values = adapters::cosines(&features, directions.as_slice(), sizes);
        Cosines { values: tensor(values, [count, sizes.directions]), features: tensor(features, [count, embed]) }
    }

    fn cosines_gradient(
        gradient: Tensor<Flex, 2>,
        values: Tensor<Flex, 2>,
        features: Tensor<Flex, 2>,
        x: Tensor<Flex, 2>,
        heads: &Heads<Flex>,
        directions: &Tensor<Flex, 2>,
    ) -> CosineGradients<Flex> {
        let [rows, width] = x.dims();
        let outputs = heads.weight.dims()[0];
        let [count, embed] = directions.dims();
        let sizes = adapters::Sizes { embed, directions: count };
        let (gradient, values, along) = (Values::of(gradient), Values::of(values), Values::of(directions.clone()));
        let mut of_products = Values::of(features).into_vec();
        let of_directions = adapters::cosines_gradient(
            &mut of_products,
            gradient.as_slice(),
            values.as_slice(),
            along.as_slice(),
            sizes,
        );
        let weight = Panels::of(Values::of(heads.weight.clone()).as_slice(), width);
        let mut of_tokens = buffers::take(rows * width);
        product(&of_products, &weight, None, Then::Keep, &mut of_tokens);
        let x = Values::of(x);
        let of_weight = transposed_product(&of_products, None, outputs, x.as_slice(), width);
        buffers::give(of_products);
        CosineGradients {
            tokens: tensor(of_tokens, [rows, width]),
            weight: tensor(of_weight, [outputs, width]),
            directions: tensor(of_directions, [count, embed]),
        }
    }

    fn segmentation(
        terms: &[Term],
        upsampling: &Tensor<Flex, 2>,
        grids: Tensor<Flex, 3>,
        masks: Tensor<Flex, 3>,
    ) -> Segmentation<Flex> {
        if terms != [Term::Focal, Term::Dice] {
            return madclip::segmentation::losses(terms, upsampling, grids, masks);
        }
        let (shape, [size, grid]) = (grids.dims(), upsampling.dims());
        let (matrix, grids, masks) = (Values::of(upsampling.clone()), Values::of(grids), Values::of(masks));
        let losses = segmentation::losses(matrix.as_slice(), grids.as_slice(), masks.as_slice(), grid, size);
        Segmentation {
            values: vec![tensor(vec![losses.focal], [1]), tensor(vec![losses.dice], [1])],
            gradient: tensor(losses.gradient, shape),
        }
    }

    fn adam(
        value: &mut Tensor<Flex, 1>,
        gradient: Tensor<Flex, 1>,
        moments: &mut Moments<Flex>,
        step: u32,
        learning_rate: f64,
    ) {
        let (shape, gradient) = (value.dims(), Values::of(gradient));
        let (mut values, mut first, mut second) = (take(value), take(&mut moments.first), take(&mut moments.second));
        adam::update(&mut values, gradient.as_slice(), &mut first, &mut second, step, learning_rate);
        *value = tensor(values, shape);
        *moments = Moments { first: tensor(first, shape), second: tensor(second, shape) };
    }
}

/// The values of a tensor that will be set again.
fn take(tensor: &mut Tensor<Flex, 1>) -> Vec<f32> {
    Values::of(std::mem::replace(tensor, matrix::tensor(Vec::new(), [0]))).into_vec()
}

fn sizes(qkv: &Tensor<Flex, 2>, Attention { items, tokens, heads }: Attention) -> Sizes {
    Sizes { items, tokens, heads, width: qkv.dims()[1] / 3 }
}

fn apply(x: Tensor<Flex, 2>, layer: &Layer, then: Then<'_>) -> Tensor<Flex, 2> {
    let (rows, x) = (x.dims()[0], Values::of(x));
    let mut out = buffers::take(rows * layer.outputs());
    layer.apply(x.as_slice(), then, &mut out);
    tensor(out, [rows, layer.outputs()])
}
