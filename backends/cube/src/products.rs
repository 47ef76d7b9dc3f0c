//! Products of a tower, by kernels that are chosen by rule.

use burn::tensor::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeRuntime};
use cubek::matmul::components::tile::TileMatmulKind;
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::matmul::routines::BlueprintStrategy::Inferred;
use cubek::matmul::routines::simple::SimpleArgs;
use cubek::std::InputBinding;
use madclip::kernels::{Attention, Linear};
use madclip::{Kernels, Plain};

use crate::Cube;
use crate::rows::{empty, primitive, softmax, tensor};

/// Below so many rows a product is small, and any kernel does.
const MANY: usize = 256;

/// `x W^T` `[rows, outputs]`, in the layer's type.
pub(crate) fn of_layer<R: CubeRuntime, T: BoolElement>(
    x: Tensor<Cube<R, T>, 2>,
    layer: &Linear<Cube<R, T>>,
) -> Tensor<Cube<R, T>, 2> {
    let dtype = layer.weight.dtype();
    let x = if x.dtype() == dtype { x } else { x.cast(dtype) };
    let ([rows, inputs], [outputs, _]) = (x.dims(), layer.weight.dims());
    let weight = layer.weight.clone().transpose();
    // Copies by the tensor memory engine want 16 bytes; tiles want whole blocks.
    if dtype == DType::F32 || rows < MANY || !inputs.is_multiple_of(64) || !outputs.is_multiple_of(64) {
        return x.matmul(weight);
    }
    let (lhs, rhs) = (primitive(x.clone()), primitive(weight.clone()));
    let out = empty(&lhs, [rows, outputs], dtype);
    match by(&[Strategy::SpecializedTmaMma(Inferred(().into())), simple()], &lhs, &rhs, &out) {
        true => tensor(out),
        false => x.matmul(weight),
    }
}

fn simple() -> Strategy {
    Strategy::SimpleCyclicMma(Inferred(SimpleArgs { multi_rows: false, tile_matmul: TileMatmulKind::Mma }))
}

/// The product by the first of some kernels that the device has.
fn by<R: CubeRuntime>(strategies: &[Strategy], lhs: &CubeTensor<R>, rhs: &CubeTensor<R>, out: &CubeTensor<R>) -> bool {
    let elements = MatmulGlobalElems { lhs: lhs.dtype.into(), rhs: rhs.dtype.into(), out: out.dtype.into() };
    strategies.iter().any(|strategy| {
        let input = |of: &CubeTensor<R>| InputBinding::new(of.clone().binding(), of.dtype.into());
        let mut elements = MatmulElems::from_globals(&elements);
        launch_ref(strategy, &out.client, input(lhs), input(rhs), out.clone().binding(), &mut elements).is_ok()
    })
}

/// Attention without a mask, as [`Kernels::attention`] has it.
pub(crate) fn attention<R: CubeRuntime, T: BoolElement>(
    qkv: Tensor<Cube<R, T>, 2>,
    sizes: Attention,
) -> Tensor<Cube<R, T>, 2> {
    let Attention { items, tokens, heads } = sizes;
    let ([rows, width], dtype) = (qkv.dims(), qkv.dtype());
    let d = width / (3 * heads);
    let parts = qkv.clone().reshape([items, tokens, 3 * heads, d]).swap_dims(1, 2);
    let [q, k, v] = [0, 1, 2].map(|i| parts.clone().narrow(1, i * heads, heads));
    let like = primitive(q.clone());
    let logits = empty(&like, [items, heads, tokens, tokens], dtype);
    let strategies: &[Strategy] = if dtype == DType::F32 { &[Strategy::Auto] } else { &[simple(), Strategy::Auto] };
    if !by(strategies, &like, &primitive(k.transpose()), &logits) {
        return Plain::attention(qkv, sizes, None);
    }
    let Some(shares) = softmax(&logits, (d as f32).powf(-0.5)) else {
        return Plain::attention(qkv, sizes, None);
    };
    let out = empty(&like, [items, heads, tokens, d], dtype);
    if !by(strategies, &shares, &primitive(v), &out) {
        return Plain::attention(qkv, sizes, None);
    }
    tensor::<R, T, 4>(out).swap_dims(1, 2).reshape([rows, width / 3])
}
