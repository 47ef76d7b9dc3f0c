//! Each operation in few passes is what the chain of Burn's calls gives, on an adapter in software where there is one.
#![allow(clippy::print_stdout, missing_docs, reason = "tests")]

use burn::tensor::{DType, Distribution, Tensor};
use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};
use cubecl::Runtime;
use harness_backend_cube::Passes;
use harness_method::options::Activation;
use madclip::kernels::{Attention, Linear, Norm};
use madclip::{Kernels, Plain};

type B = Wgpu;

/// The device, or none with a word about it.
fn device() -> Option<WgpuDevice> {
    if WgpuRuntime::enumerate_all_devices(&AutoGraphicsApi::backend()).is_empty() {
        println!("no adapter: nothing is tested");
        return None;
    }
    Some(WgpuDevice::DefaultDevice)
}

fn random<const D: usize>(shape: [usize; D], device: &WgpuDevice) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

fn assert_close<const D: usize>(what: &str, found: Tensor<B, D>, wanted: Tensor<B, D>) {
    assert_eq!((found.dims(), found.dtype()), (wanted.dims(), wanted.dtype()), "{what}");
    let error = (found.cast(DType::F32) - wanted.cast(DType::F32)).abs().max().into_scalar();
    assert!(error < 1e-5, "{what}: {error}");
}

#[test]
fn rows_of_any_width_are_what_a_chain_of_calls_gives() {
    let Some(device) = device() else { return };
    for (rows, width) in [(1, 1), (3, 30), (5, 64), (17, 130), (9, 768)] {
        let x = random([rows, width], &device) * 3.0;
        let norm = Norm { weight: random([width], &device), bias: random([width], &device) };
        let what = format!("{rows} x {width}");
        assert_close(
            &format!("norm of {what}"),
            Passes::layer_norm(x.clone(), &norm),
            Plain::layer_norm(x.clone(), &norm),
        );
        let layer = Linear { weight: random([width, 64], &device) * 0.1, bias: random([width], &device) };
        let narrow = random([rows, 64], &device);
        let plain = <Plain as Kernels<B>>::layer(layer.clone());
        assert_close(
            &format!("layer to {what}"),
            Passes::linear(narrow.clone(), &layer),
            Plain::linear(narrow.clone(), &plain),
        );
        for kind in [Activation::Gelu, Activation::QuickGelu] {
            assert_close(
                &format!("{kind:?} of {what}"),
                Passes::linear_activation(narrow.clone(), &layer, kind),
                Plain::linear_activation(narrow.clone(), &plain, kind),
            );
        }
        assert_close(
            &format!("residual of {what}"),
            Passes::linear_residual(narrow.clone(), &layer, x.clone()),
            Plain::linear_residual(narrow, &plain, x),
        );
    }
}

#[test]
fn attention_of_any_number_of_tokens_is_what_a_chain_of_calls_gives() {
    let Some(device) = device() else { return };
    for (items, tokens, heads, d) in [(1, 1, 1, 8), (2, 5, 3, 8), (1, 50, 2, 64), (3, 17, 1, 16)] {
        let qkv = random([items * tokens, 3 * heads * d], &device) * 2.0;
        let sizes = Attention { items, tokens, heads };
        assert_close(
            &format!("{sizes:?}"),
            Passes::attention(qkv.clone(), sizes, None),
            Plain::attention(qkv, sizes, None),
        );
    }
}

#[test]
fn products_are_right_where_a_side_is_short() {
    // A kernel of CubeCL's that its tuner may take is wrong where the inner side is 8.
    let Some(device) = device() else { return };
    for (rows, inner, columns) in [(5, 8, 5), (290, 1, 3), (1, 64, 1), (7, 3, 290), (33, 20, 17), (2, 768, 2)] {
        let (x, y): (Tensor<B, 2>, Tensor<B, 2>) = (random([rows, inner], &device), random([inner, columns], &device));
        let by_element = x.clone().unsqueeze_dim::<3>(2) * y.clone().unsqueeze::<3>();
        let wanted = by_element.sum_dim(1).reshape([rows, columns]);
        assert_close(&format!("{rows} x {inner} x {columns}"), x.matmul(y), wanted);
    }
}
