//! CubeCL's kernels for the products and the attention of a ViT-L/14 at 240 px, each by name: what it does, how fast,
//! how far from the plain one. A kernel that is wrong or that has not the shape says so.
//!
//! `cargo run --release -p harness-backend-cuda --example kernels -- list`, then with a name of that list. Each
//! compiles for seconds, so several may run at once; each is timed while it alone holds the lock
//! `harness-kernels.lock`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::fs::File;
use std::time::Instant;

use burn::tensor::{DType, Distribution, Tensor, TensorPrimitive, activation, backend::Backend};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::attention::{AttentionStrategy, attention};
use burn_cubecl::tensor::CubeTensor;
use cubecl::cuda::{CudaDevice, CudaRuntime};
use cubek::attention::routines::blackbox_accelerated::BlackboxAcceleratedStrategy;
use cubek::matmul::components::tile::TileMatmulKind::{Cmma, Mma};
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems};
use cubek::matmul::launch::{Strategy, launch_ref};
use cubek::matmul::routines::BlueprintStrategy::Inferred;
use cubek::matmul::routines::TileSizeSelection::MaxTileSize;
use cubek::matmul::routines::double_buffering::DoubleBufferingArgs;
use cubek::matmul::routines::double_unit::DoubleUnitSelectionArgs;
use cubek::matmul::routines::ordered_double_buffering::OrderedSelectionArgs;
use cubek::matmul::routines::simple::SimpleArgs;
use cubek::matmul::routines::simple_unit::SimpleUnitSelectionArgs;
use cubek::std::InputBinding;
use harness_backend_cube::Passes;
use madclip::Kernels;
use madclip::kernels::Attention;

type B = CubeBackend<CudaRuntime, f32, i32, u8>;

// Images, heads, tokens of an image, and the width of a head.
const IMAGES: usize = 64;
const HEADS: usize = 16;
const TOKENS: usize = 290;
const HEAD: usize = 64;

fn products() -> Vec<(&'static str, Strategy)> {
    let simple = |multi_rows, tile_matmul| SimpleArgs { multi_rows, tile_matmul };
    let double = |specialized, tile_matmul| DoubleBufferingArgs { specialized, tile_matmul };
    let ordered =
        OrderedSelectionArgs { partition_k: Some(2), row_count: Some(8), rows_per_plane: Some(2), tile_matmul: Mma };
    vec![
        ("naive", Strategy::Naive),
        ("auto", Strategy::Auto),
        ("unit", Strategy::SimpleUnit(Inferred(SimpleUnitSelectionArgs { tile_size: MaxTileSize }))),
        ("double-unit", Strategy::DoubleUnit(Inferred(DoubleUnitSelectionArgs { tile_size: MaxTileSize }))),
        ("simple", Strategy::SimpleCyclicMma(Inferred(simple(false, Mma)))),
        ("simple-rows", Strategy::SimpleCyclicMma(Inferred(simple(true, Mma)))),
        ("ordered", Strategy::OrderedDoubleMma(Inferred(ordered))),
        ("double", Strategy::DoubleCyclicMma(Inferred(double(false, Mma)))),
        ("specialized", Strategy::SpecializedCyclicMma(Inferred(().into()))),
        ("tma", Strategy::SimpleTmaMma(Inferred(simple(false, Mma)))),
        ("tma-rows", Strategy::SimpleTmaCmma(Inferred(simple(true, Cmma)))),
        ("double-tma", Strategy::DoubleTmaMma(Inferred(double(true, Mma)))),
        ("specialized-tma", Strategy::SpecializedTmaMma(Inferred(().into()))),
    ]
}

type Attending = fn() -> AttentionStrategy;

fn attentions() -> Vec<(&'static str, Attending)> {
    fn flash(num_planes: u8) -> AttentionStrategy {
        let strategy = BlackboxAcceleratedStrategy { num_planes, seq_q: 1, seq_kv: 1 };
        AttentionStrategy::FlashBlackboxAccelerated(strategy)
    }
    vec![
        ("attention-chain", || AttentionStrategy::Fallback),
        ("attention-unit", || AttentionStrategy::FlashUnit),
        ("attention-flash-2", || flash(2)),
        ("attention-flash-4", || flash(4)),
        ("attention-flash-8", || flash(8)),
    ]
}

fn primitive<const D: usize>(tensor: Tensor<B, D>) -> CubeTensor<CudaRuntime> {
    tensor.into_primitive().tensor()
}

fn random<const D: usize>(shape: [usize; D], dtype: DType, device: &CudaDevice) -> Tensor<B, D> {
    Tensor::<B, D>::random(shape, Distribution::Uniform(-1.0, 1.0), device).cast(dtype)
}

/// Runs a kernel once, then 20 times, and prints its rate; the result of the last run where all went well.
fn timed<const D: usize>(
    what: &str,
    operations: usize,
    device: &CudaDevice,
    run: impl Fn() -> Result<Tensor<B, D>, String>,
) -> Option<Tensor<B, D>> {
    let synced = |out| B::sync(device).map(|()| out).map_err(|cause| format!("{cause:?}"));
    let start = Instant::now();
    if let Err(cause) = run().and_then(synced) {
        println!("{what}: {}", cause.replace('\n', " ").chars().take(160).collect::<String>());
        return None;
    }
    let first = start.elapsed().as_secs_f64();
    let lock = File::create(std::env::temp_dir().join("harness-kernels.lock")).unwrap();
    lock.lock().unwrap();
    let start = Instant::now();
    let out = (0..20).map(|_| run().unwrap()).last().and_then(|out| synced(out).ok());
    let each = start.elapsed().as_secs_f64() / 20.0;
    drop(lock);
    println!("{what}: {:.1} TFLOP/s, {:.3} ms; first {first:.1} s", operations as f64 / each / 1e12, each * 1e3);
    out
}

/// The largest difference by the largest value.
fn error<const D: usize>(found: Tensor<B, D>, wanted: Tensor<B, D>) -> f32 {
    let wanted = wanted.cast(DType::F32);
    let difference = (found.cast(DType::F32) - wanted.clone()).abs().max().into_scalar();
    difference / wanted.abs().max().into_scalar()
}

fn product(strategy: &Strategy, name: &str, device: &CudaDevice) {
    let rows = IMAGES * TOKENS;
    for (dtype, rows) in [(DType::BF16, rows), (DType::F32, rows / 4)] {
        for (outputs, inputs) in [(3072, 1024), (1024, 1024), (4096, 1024), (1024, 4096)] {
            let (x, w) = (random([rows, inputs], dtype, device), random([outputs, inputs], dtype, device));
            let (lhs, rhs) = (primitive(x.clone()), primitive(w.clone().transpose()));
            let run = || {
                let out = primitive(Tensor::<B, 2>::empty([rows, outputs], (device, dtype)));
                let types = [lhs.dtype, rhs.dtype, out.dtype].map(Into::into);
                let [l, r, o] = types;
                let mut elements = MatmulElems::from_globals(&MatmulGlobalElems { lhs: l, rhs: r, out: o });
                let [lhs, rhs] = [&lhs, &rhs].map(|of| InputBinding::new(of.clone().binding(), of.dtype.into()));
                launch_ref(strategy, &out.client, lhs, rhs, out.clone().binding(), &mut elements)
                    .map_err(|cause| format!("{cause:?}"))?;
                Ok(Tensor::from_primitive(TensorPrimitive::Float(out)))
            };
            let what = format!("{name}, {dtype:?}, [{rows}, {inputs}] x [{inputs}, {outputs}]");
            if let Some(out) = timed(&what, 2 * rows * inputs * outputs, device, run) {
                // Three rows, element by element.
                let some = |of: Tensor<B, 2>| of.narrow(0, rows - 3, 3).cast(DType::F32);
                let wanted = (some(x).unsqueeze_dim::<3>(1) * w.cast(DType::F32).unsqueeze::<3>()).sum_dim(2);
                println!("  error {:.2e}", error(some(out), wanted.squeeze_dims(&[2])));
            }
        }
    }
}

fn attend(strategy: Attending, name: &str, device: &CudaDevice) {
    for dtype in [DType::BF16, DType::F16] {
        let qkv = random([IMAGES * TOKENS, 3 * HEADS * HEAD], dtype, device);
        let qkv = qkv.reshape([IMAGES, TOKENS, 3 * HEADS, HEAD]).swap_dims(1, 2);
        let [q, k, v] = [0, 1, 2].map(|i| qkv.clone().narrow(1, i * HEADS, HEADS));
        let run = || {
            let [q, k, v] = [&q, &k, &v].map(|of| primitive(of.clone()));
            attention::<CudaRuntime>(q, k, v, None, None, Default::default(), strategy())
                .map(|out| Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(out)))
                .map_err(|cause| format!("{cause:?}"))
        };
        let operations = 4 * IMAGES * HEADS * TOKENS * TOKENS * HEAD;
        if let Some(out) = timed(&format!("{name}, {dtype:?}"), operations, device, run) {
            let logits = (q.clone() * (HEAD as f64).powf(-0.5)).matmul(k.clone().transpose());
            let shares = activation::softmax(logits.cast(DType::F32), 3).cast(dtype);
            println!("  error {:.2e}", error(out, shares.matmul(v.clone())));
        }
    }
}

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_else(|| "list".into());
    let device = CudaDevice::new(0);
    if let Some((name, strategy)) = products().iter().find(|(name, _)| *name == asked) {
        product(strategy, name, &device);
    } else if let Some((name, strategy)) = attentions().iter().find(|(name, _)| *name == asked) {
        attend(*strategy, name, &device);
    } else if asked == "attention-passes" {
        for dtype in [DType::BF16, DType::F16] {
            let qkv = random([IMAGES * TOKENS, 3 * HEADS * HEAD], dtype, &device);
            let sizes = Attention { items: IMAGES, tokens: TOKENS, heads: HEADS };
            let operations = 4 * IMAGES * HEADS * TOKENS * TOKENS * HEAD;
            timed(&format!("{asked}, {dtype:?}"), operations, &device, || {
                Ok(Passes::attention(qkv.clone(), sizes, None))
            });
        }
    } else {
        let names = products().into_iter().map(|(name, _)| name).chain(attentions().into_iter().map(|(name, _)| name));
        names.chain(["attention-passes"]).for_each(|name| println!("{name}"));
    }
}
