//! NaN and infinities in each input of each kernel: the result has them where plain Burn has them, and a training stops
//! in the step that meets one.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use harness_backend_abi::host::{NamedTensor, SessionOptions, Status, TrainerOptions};
use harness_backend_flex::FlexKernels;
use harness_method::options::{Activation, Adapter, AdapterAttention, Aggregation, Loss, Prompts};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options, streams};
use madclip::adam::Moments;
use madclip::kernels::{Attention, Embedding, Heads, Linear, Norm};
use madclip::segmentation::{Term, upsampling};
use madclip::trainer::{Settings, Trainer};
use madclip::{HostTensor, Kernels, ModelError, Plain};

const BAD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Flat inputs of a kernel, one after another.
type Inputs = [Tensor<Flex, 1>];
/// Flat results.
type Results = Vec<Vec<f32>>;

/// An expression with the built-in kernels and with plain Burn.
macro_rules! both {
    (|$kernels:ident| $body:expr) => {
        [
            {
                type $kernels = FlexKernels;
                $body
            },
            {
                type $kernels = Plain;
                $body
            },
        ]
    };
}

/// A flat tensor on the device.
fn flat(values: &[f32]) -> Tensor<Flex, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &FlexDevice)
}

fn host<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
    tensor.into_data().to_vec().unwrap()
}

/// Runs a kernel with each bad value at the start, in the middle and at the end of each input, and compares what comes
/// out. `inputs` are the inputs' lengths.
#[track_caller]
fn check(what: &str, inputs: &[usize], run: impl Fn(&Inputs) -> [Results; 2]) {
    let values = |i: usize, n: usize| streams::uniform(&format!("{what}.{i}"), 0, n, 1.0);
    let values: Vec<Vec<f32>> = inputs.iter().enumerate().map(|(i, &n)| values(i, n)).collect();
    for (input, &n) in inputs.iter().enumerate() {
        for (bad, at) in BAD.into_iter().flat_map(|bad| [0, n / 2, n - 1].map(|at| (bad, at))) {
            let mut spoilt = values.clone();
            spoilt[input][at] = bad;
            let spoilt: Vec<Tensor<Flex, 1>> = spoilt.iter().map(|values| flat(values)).collect();
            let [found, expected] = run(&spoilt);
            assert_eq!(found.len(), expected.len());
            for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(found.len(), expected.len());
                for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
                    let same = if expected.is_finite() {
                        (found - expected).abs() <= 1e-4 * (1.0 + expected.abs())
                    } else {
                        found == expected || (found.is_nan() && expected.is_nan())
                    };
                    assert!(
                        same,
                        "{what}: with {bad} at {at} of input {input}, result {number} has {found} at {i}, plain Burn {expected}"
                    );
                }
            }
        }
    }
}

const ROWS: usize = 31;
const DEPTH: usize = 21;
const COLUMNS: usize = 37;

fn matrix(x: &Tensor<Flex, 1>, rows: usize, columns: usize) -> Tensor<Flex, 2> {
    x.clone().reshape([rows, columns])
}

#[test]
fn linear_layers_and_what_follows_them() {
    let layer = |x: &Inputs| Linear { weight: matrix(&x[1], COLUMNS, DEPTH), bias: x[2].clone() };
    let sizes = [ROWS * DEPTH, COLUMNS * DEPTH, COLUMNS];
    check("linear", &sizes, |x| {
        both!(|K| vec![host(K::linear(matrix(&x[0], ROWS, DEPTH), &<K as Kernels<Flex>>::layer(layer(x))))])
    });
    for kind in [Activation::Gelu, Activation::QuickGelu] {
        check("linear_activation", &sizes, |x| {
            both!(|K| {
                let layer = <K as Kernels<Flex>>::layer(layer(x));
                vec![host(K::linear_activation(matrix(&x[0], ROWS, DEPTH), &layer, kind))]
            })
        });
    }
    check("linear_residual", &[sizes[0], sizes[1], sizes[2], ROWS * COLUMNS], |x| {
        both!(|K| {
            let (layer, residual) = (<K as Kernels<Flex>>::layer(layer(x)), matrix(&x[3], ROWS, COLUMNS));
            vec![host(K::linear_residual(matrix(&x[0], ROWS, DEPTH), &layer, residual))]
        })
    });
    check("linear_gradient", &[ROWS * COLUMNS, COLUMNS * DEPTH, COLUMNS], |x| {
        both!(|K| {
            let layer = <K as Kernels<Flex>>::layer(layer(x));
            vec![host(K::linear_gradient(matrix(&x[0], ROWS, COLUMNS), &layer))]
        })
    });
}

#[test]
fn activations() {
    for kind in [Activation::Gelu, Activation::QuickGelu] {
        check("activation", &[ROWS * DEPTH], |x| {
            both!(|K| vec![host(<K as Kernels<Flex>>::activation(matrix(&x[0], ROWS, DEPTH), kind))])
        });
        check("activation_gradient", &[ROWS * DEPTH; 2], |x| {
            let [gradient, x] = [0, 1].map(|i| matrix(&x[i], ROWS, DEPTH));
            both!(|K| vec![host(<K as Kernels<Flex>>::activation_gradient(gradient.clone(), x.clone(), kind))])
        });
    }
}

#[test]
fn layer_norm() {
    check("layer_norm", &[ROWS * DEPTH, DEPTH, DEPTH], |x| {
        let norm = Norm { weight: x[1].clone(), bias: x[2].clone() };
        both!(|K| vec![host(<K as Kernels<Flex>>::layer_norm(matrix(&x[0], ROWS, DEPTH), &norm))])
    });
    check("layer_norm_gradient", &[ROWS * DEPTH, ROWS * DEPTH, DEPTH], |x| {
        let norm = Norm { weight: x[2].clone(), bias: x[2].clone() };
        let [gradient, x] = [0, 1].map(|i| matrix(&x[i], ROWS, DEPTH));
        both!(|K| vec![host(<K as Kernels<Flex>>::layer_norm_gradient(gradient.clone(), x.clone(), &norm))])
    });
}

#[test]
fn attention() {
    let (items, tokens, heads, width) = (2, 9, 2, 10);
    let sizes = Attention { items, tokens, heads };
    let (rows, mask) = (items * tokens, tokens * tokens);
    check("attention", &[rows * 3 * width], |x| {
        both!(|K| vec![host(<K as Kernels<Flex>>::attention(matrix(&x[0], rows, 3 * width), sizes, None))])
    });
    check("attention with a mask", &[rows * 3 * width, mask], |x| {
        let mask = matrix(&x[1], tokens, tokens);
        both!(|K| vec![host(<K as Kernels<Flex>>::attention(matrix(&x[0], rows, 3 * width), sizes, Some(&mask)))])
    });
    check("attention_gradient", &[rows * width, rows * 3 * width, mask], |x| {
        let (gradient, qkv, mask) = (matrix(&x[0], rows, width), matrix(&x[1], rows, 3 * width), &x[2]);
        let mask = matrix(mask, tokens, tokens);
        both!(|K| {
            let (gradient, qkv) = (gradient.clone(), qkv.clone());
            vec![host(<K as Kernels<Flex>>::attention_gradient(gradient, qkv, sizes, Some(&mask)))]
        })
    });
    // A row that may attend to nothing.
    let hidden = vec![f32::NEG_INFINITY; mask];
    let qkv = streams::uniform("hidden", 0, rows * 3 * width, 1.0);
    let found = FlexKernels::attention(
        matrix(&flat(&qkv), rows, 3 * width),
        sizes,
        Some(&matrix(&flat(&hidden), tokens, tokens)),
    );
    assert!(host(found).iter().all(|value| value.is_nan()));
}

#[test]
fn patches_taps_and_batches() {
    let (patch, grid, size, items) = (3, 2, 7, 2);
    let inputs = [items * 3 * size * size, COLUMNS * 3 * patch * patch, COLUMNS, COLUMNS, grid * grid * COLUMNS];
    check("embed", &inputs, |x| {
        let images = x[0].clone().reshape([items, 3, size, size]);
        both!(|K| {
            let weight = matrix(&x[1], COLUMNS, 3 * patch * patch);
            let layer = <K as Kernels<Flex>>::layer(Linear { weight, bias: x[2].clone() });
            let (class_row, positions) = (matrix(&x[3], 1, COLUMNS), matrix(&x[4], grid * grid, COLUMNS));
            vec![host(K::embed(images.clone(), &Embedding { layer, class_row, positions, patch, grid }))]
        })
    });
    check("taps", &[2 * 5 * 3], |x| {
        let values = host(x[0].clone());
        both!(|K| {
            let taps = <K as Kernels<Flex>>::taps(&values, [2, 5, 3], 1, &FlexDevice);
            vec![host(taps.clone()), host(<K as Kernels<Flex>>::batch(&taps, &[1, 0, 1]))]
        })
    });
}

#[test]
fn trained_layers() {
    check("linear_leaky", &[ROWS * DEPTH, COLUMNS * DEPTH, COLUMNS], |x| {
        let (weight, bias) = (matrix(&x[1], COLUMNS, DEPTH), x[2].clone());
        let x = matrix(&x[0], ROWS, DEPTH);
        both!(|K| {
            let with = <K as Kernels<Flex>>::linear_leaky(x.clone(), weight.clone(), Some(bias.clone()));
            vec![host(with), host(<K as Kernels<Flex>>::linear_leaky(x.clone(), weight.clone(), None))]
        })
    });
    check("linear_leaky_gradient", &[ROWS * COLUMNS, ROWS * DEPTH, ROWS * COLUMNS], |x| {
        let [gradient, output] = [0, 2].map(|i| matrix(&x[i], ROWS, COLUMNS));
        let x = matrix(&x[1], ROWS, DEPTH);
        both!(|K| {
            let (g, o) = (gradient.clone(), output.clone());
            let weight = <K as Kernels<Flex>>::linear_leaky_gradient(g.clone(), x.clone(), o.clone());
            vec![host(weight), host(<K as Kernels<Flex>>::linear_leaky_bias_gradient(g, o))]
        })
    });
}

#[test]
fn cosines_and_their_gradients() {
    for (count, directions) in [(1, 1), (2, 1), (2, 2)] {
        let (features, along) = (ROWS * count * COLUMNS, directions * COLUMNS);
        let heads = |weight: &Tensor<Flex, 1>| Heads { weight: matrix(weight, count * COLUMNS, DEPTH), count };
        check("cosines", &[ROWS * DEPTH, count * COLUMNS * DEPTH, along], |x| {
            let (heads, along) = (heads(&x[1]), matrix(&x[2], directions, COLUMNS));
            both!(|K| {
                let found = <K as Kernels<Flex>>::cosines_with_features(matrix(&x[0], ROWS, DEPTH), &heads, &along);
                let values = <K as Kernels<Flex>>::cosines(matrix(&x[0], ROWS, DEPTH), &heads, &along);
                vec![host(found.values), host(found.features), host(values)]
            })
        });
        let values = ROWS * count * directions;
        let inputs = [values, values, features, ROWS * DEPTH, count * COLUMNS * DEPTH, along];
        check("cosines_gradient", &inputs, |x| {
            let [gradient, values] = [0, 1].map(|i| matrix(&x[i], ROWS * count, directions));
            let (features, tokens) = (matrix(&x[2], ROWS * count, COLUMNS), matrix(&x[3], ROWS, DEPTH));
            let (heads, along) = (heads(&x[4]), matrix(&x[5], directions, COLUMNS));
            both!(|K| {
                let (gradient, values, features) = (gradient.clone(), values.clone(), features.clone());
                let found =
                    <K as Kernels<Flex>>::cosines_gradient(gradient, values, features, tokens.clone(), &heads, &along);
                vec![host(found.tokens), host(found.weight), host(found.directions)]
            })
        });
    }
}

#[test]
fn segmentation_losses() {
    for (items, grid, size) in [(2, 4, 29), (2, 3, 5), (1, 1, 3)] {
        let upsampling = upsampling::<Flex>(grid, size, &FlexDevice);
        check("segmentation", &[items * grid * grid, items * size * size], |x| {
            let (grids, masks) = (x[0].clone().reshape([items, grid, grid]), x[1].clone().reshape([items, size, size]));
            // A mask's values are 0 and 1 but for the one that is not finite.
            let masks = masks.clone() * 0.0 + masks.greater_elem(0.5).float();
            both!(|K| {
                let terms = [Term::Focal, Term::Dice];
                let found = <K as Kernels<Flex>>::segmentation(&terms, &upsampling, grids.clone(), masks.clone());
                found.values.into_iter().map(host).chain([host(found.gradient)]).collect()
            })
        });
    }
}

#[test]
fn adam() {
    check("adam", &[ROWS; 4], |x| {
        both!(|K| {
            let (mut value, mut moments) =
                (x[0].clone(), Moments { first: x[2].clone(), second: x[3].clone() * x[3].clone() });
            <K as Kernels<Flex>>::adam(&mut value, x[1].clone(), &mut moments, 3, 1e-3);
            vec![host(value), host(moments.first), host(moments.second)]
        })
    });
}

fn options(adapter: Adapter, loss: Loss, aggregation: Aggregation) -> Options {
    Options {
        image_size: 12,
        taps: vec![1, 2],
        adapter_attention: AdapterAttention::Tokens,
        prompts: Prompts::Free,
        adapter,
        loss,
        aggregation,
        ..Options::default()
    }
}

fn arch() -> Arch {
    Arch {
        image_size: 12,
        patch: 4,
        width: 16,
        layers: 2,
        heads: 2,
        embed: 12,
        vocab: 8,
        context: 8,
        text_width: 8,
        text_layers: 1,
        text_heads: 1,
    }
}

/// A training on `n` images whose taps are ordinary but for one value of one image.
fn trainer(options: &Options, has_masks: bool, bad: f32) -> Trainer<Flex, FlexKernels> {
    let (arch, n) = (arch(), 4);
    let state: HashMap<String, HostTensor<'static>> = parameters(options, &arch)
        .into_iter()
        .map(|p| (p.name.clone(), HostTensor { data: p.values(7).into(), shape: p.shape }))
        .collect();
    let settings = Settings { options, arch: &arch, has_masks, learning_rate: 1e-3 };
    let mut trainer = Trainer::new(&settings, None, &Default::default(), &state, &FlexDevice).unwrap();
    let size = arch.tokens(options.image_size) * arch.width;
    let mut taps = [1, 2].map(|tap| streams::uniform(&format!("tap.{tap}"), 0, n * size, 1.0));
    // The last channel of the last token of image 2.
    taps[1][3 * size - 1] = bad;
    let masks: Vec<u8> = (0..n * options.image_size.pow(2)).map(|i| u8::from(i % 5 == 0)).collect();
    let taps = [&taps[0][..], &taps[1][..]];
    trainer.append_support(&taps, &[0, 1, 0, 1], has_masks.then_some(&masks[..])).unwrap();
    trainer
}

#[test]
fn a_training_whose_input_is_not_finite_stops_in_that_step_and_keeps_its_state() {
    for adapter in [Adapter::Linear, Adapter::Conv, Adapter::Transformer] {
        for loss in [Loss::Siglip, Loss::Contrastive] {
            for aggregation in [Aggregation::Mean, Aggregation::Max, Aggregation::Both] {
                for (has_masks, bad) in [true, false].into_iter().flat_map(|masks| BAD.map(|bad| (masks, bad))) {
                    let options = options(adapter, loss, aggregation);
                    let mut trainer = trainer(&options, has_masks, bad);
                    trainer.step(&[0, 1]).unwrap();
                    let before = trainer.read_state();
                    let error = trainer.step(&[0, 2]).unwrap_err();
                    assert!(
                        matches!(&error, ModelError::NotFinite { losses } if losses[0].0 == "detection"),
                        "{error}"
                    );
                    let after = trainer.read_state();
                    assert!(before.iter().zip(&after).all(|(a, b)| a.1.data == b.1.data), "{adapter:?} {loss:?}");
                    trainer.step(&[3, 1]).unwrap();
                }
            }
        }
    }
}

#[test]
fn through_the_table_the_step_is_numeric() {
    let (options, arch) = (options(Adapter::Linear, Loss::Siglip, Aggregation::Mean), arch());
    let session = harness_backend_flex::backend().unwrap().open(&SessionOptions::on("cpu")).unwrap();
    let given = TrainerOptions::of_model(&options, &arch, false, 1e-3).unwrap();
    let state: Vec<(String, Vec<usize>, Vec<f32>)> =
        parameters(&options, &arch).into_iter().map(|p| (p.name.clone(), p.shape.clone(), p.values(7))).collect();
    let state: Vec<NamedTensor<'_>> = state.iter().map(|(name, shape, x)| NamedTensor::f32(name, shape, x)).collect();
    let mut trainer = session.create_trainer(&given, None, &[], &state).unwrap();
    let size = arch.tokens(options.image_size) * arch.width;
    let mut taps = streams::uniform("tap", 0, 2 * size, 1.0);
    // Of image 1's last token: class tokens are dropped.
    taps[2 * size - 1] = f32::NAN;
    trainer.append_support(&[&taps, &taps], &[0, 1], None).unwrap();
    trainer.step(&[0]).unwrap();
    let error = trainer.step(&[0, 1]).unwrap_err();
    assert!(error.status == Status::Numeric && error.message.contains("detection NaN"), "{error}");
    trainer.step(&[0]).unwrap();
}
