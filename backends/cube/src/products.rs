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
    let strategies = [Strategy::SpecializedTmaMma(Inferred(().into())), simple()];
    if by(&strategies, &lhs, &rhs, &out) { tensor(out) } else { x.matmul(weight) }
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

/// Attention without a mask, as [`madclip::Kernels::attention`] has it; none of a single token, whose products would
/// have one column, and where the device lacks a kernel.
pub(crate) fn attention<R: CubeRuntime, T: BoolElement>(
    qkv: &Tensor<Cube<R, T>, 2>,
    sizes: Attention,
) -> Option<Tensor<Cube<R, T>, 2>> {
    let Attention { items, tokens, heads } = sizes;
    if tokens == 1 {
        return None;
    }
    let ([rows, width], dtype) = (qkv.dims(), qkv.dtype());
    let d = width / (3 * heads);
    let parts = qkv.clone().reshape([items, tokens, 3 * heads, d]).swap_dims(1, 2);
    let [q, k, v] = [0, 1, 2].map(|i| parts.clone().narrow(1, i * heads, heads));
    let (q, k, v) = (primitive(q), primitive(k.transpose()), primitive(v));
    let strategies: &[Strategy] = if dtype == DType::F32 { &[Strategy::Auto] } else { &[simple(), Strategy::Auto] };
    let product = |lhs: &CubeTensor<R>, rhs: &CubeTensor<R>, columns: usize| {
        let out = empty(lhs, [items, heads, tokens, columns], dtype);
        by(strategies, lhs, rhs, &out).then_some(out)
    };
    let shares = softmax(&product(&q, &k, tokens)?, (d as f32).powf(-0.5))?;
    let mixed: Tensor<Cube<R, T>, 4> = tensor(product(&shares, &v, d)?);
    Some(mixed.swap_dims(1, 2).reshape([rows, width / 3]))
}
