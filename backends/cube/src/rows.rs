//! Passes over rows: norms, biases with what follows them, softmax.
#![expect(unsafe_code, reason = "kernels are launched without checks of bounds")]
#![expect(clippy::cast_possible_truncation, reason = "sizes of a kernel are u32 on every device")]

use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeRuntime};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use harness_method::options::Activation;
use madclip::kernels::{EPSILON, Norm};
use madclip::{Kernels, Plain};

use crate::{Cube, kernels};

/// Planes in a cube; each has a row.
const PLANES: u32 = 8;

pub(crate) fn primitive<R: CubeRuntime, T: BoolElement, const D: usize>(
    tensor: Tensor<Cube<R, T>, D>,
) -> CubeTensor<R> {
    tensor.into_primitive().tensor()
}

pub(crate) fn tensor<R: CubeRuntime, T: BoolElement, const D: usize>(
    primitive: CubeTensor<R>,
) -> Tensor<Cube<R, T>, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// Rows one behind the other, as the kernels count.
fn contiguous<R: CubeRuntime, T: BoolElement, const D: usize>(tensor: Tensor<Cube<R, T>, D>) -> CubeTensor<R> {
    into_contiguous(primitive(tensor))
}

pub(crate) fn empty<R: CubeRuntime, const D: usize>(
    like: &CubeTensor<R>,
    shape: [usize; D],
    dtype: DType,
) -> CubeTensor<R> {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// Values that a unit reads at once: what a row consists of, up to 16 bytes of the larger type.
fn lanes(width: usize, types: &[DType]) -> usize {
    let most = 16 / types.iter().map(|dtype| dtype.size()).max().unwrap_or(4);
    [8, 4, 2].into_iter().find(|&lanes| lanes <= most && width.is_multiple_of(lanes)).unwrap_or(1)
}

/// A cube of planes and how many of them there are for some rows, where all planes of the device have one size.
fn planes<R: CubeRuntime>(like: &CubeTensor<R>, rows: usize) -> Option<(CubeCount, CubeDim)> {
    let hardware = &like.client.properties().hardware;
    let dim = CubeDim::new_2d(hardware.plane_size_max, PLANES);
    let count = u32::try_from(rows).ok()?.div_ceil(PLANES);
    let fits = hardware.plane_size_min == hardware.plane_size_max
        && hardware.plane_size_max > 1
        && count <= hardware.max_cube_count.0
        && dim.num_elems() <= hardware.max_units_per_cube;
    fits.then_some((CubeCount::Static(count, 1, 1), dim))
}

/// Units for some vectors, a unit each.
fn units<R: CubeRuntime>(like: &CubeTensor<R>, count: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(&like.client, count);
    (calculate_cube_count_elemwise(&like.client, count, dim), dim)
}

/// Layer norm of `x` `[rows, width]`, f32, in the type that is asked for.
pub(crate) fn normed<R: CubeRuntime, T: BoolElement>(
    x: Tensor<Cube<R, T>, 2>,
    norm: &Norm<Cube<R, T>>,
    dtype: DType,
) -> Tensor<Cube<R, T>, 2> {
    let [rows, width] = x.dims();
    let x = contiguous(x);
    let Some((count, dim)) = planes(&x, rows) else {
        return Plain::layer_norm(tensor(x), norm).cast(dtype);
    };
    let lanes = lanes(width, &[x.dtype, dtype]);
    let out = empty(&x, [rows, width], dtype);
    let (from, client) = (x.dtype.into(), x.client.clone());
    // SAFETY: the rows behind the last end at once, and each tensor is contiguous and of the size that is passed.
    unsafe {
        kernels::layer_norm::launch_unchecked::<R>(
            &client,
            count,
            dim,
            lanes,
            x.into_tensor_arg(),
            contiguous(norm.weight.clone()).into_tensor_arg(),
            contiguous(norm.bias.clone()).into_tensor_arg(),
            out.clone().into_tensor_arg(),
            rows as u32,
            width as f32,
            EPSILON as f32,
            (width / lanes) as u32,
            [from, dtype.into()],
        );
    }
    tensor(out)
}

/// `activation(x + bias)` of `x` `[rows, width]`, in its type.
pub(crate) fn with_bias<R: CubeRuntime, T: BoolElement>(
    x: Tensor<Cube<R, T>, 2>,
    bias: &Tensor<Cube<R, T>, 1>,
    kind: Option<Activation>,
) -> Tensor<Cube<R, T>, 2> {
    let [rows, width] = x.dims();
    let x = contiguous(x);
    let lanes = lanes(width, &[x.dtype]);
    let vectors = rows * width / lanes;
    let (count, dim) = units(&x, vectors);
    let out = empty(&x, [rows, width], x.dtype);
    let kind = match kind {
        None => 0,
        Some(Activation::Gelu) => 1,
        Some(Activation::QuickGelu) => 2,
    };
    let (dtype, client) = (x.dtype.into(), x.client.clone());
    // SAFETY: units behind the last vector end at once, and each tensor is contiguous and of the size that is passed.
    unsafe {
        kernels::bias_activation::launch_unchecked::<R>(
            &client,
            count,
            dim,
            lanes,
            x.into_tensor_arg(),
            contiguous(bias.clone()).into_tensor_arg(),
            out.clone().into_tensor_arg(),
            vectors as u32,
            (width / lanes) as u32,
            kind,
            dtype,
        );
    }
    tensor(out)
}

/// `residual + x + bias`, in the residual's type.
pub(crate) fn on_residual<R: CubeRuntime, T: BoolElement>(
    x: Tensor<Cube<R, T>, 2>,
    bias: &Tensor<Cube<R, T>, 1>,
    residual: Tensor<Cube<R, T>, 2>,
) -> Tensor<Cube<R, T>, 2> {
    let [rows, width] = x.dims();
    let (x, residual) = (contiguous(x), contiguous(residual));
    let lanes = lanes(width, &[x.dtype, residual.dtype]);
    let vectors = rows * width / lanes;
    let (count, dim) = units(&x, vectors);
    let out = empty(&x, [rows, width], residual.dtype);
    let (types, client) = ([x.dtype.into(), residual.dtype.into()], x.client.clone());
    // SAFETY: as in `with_bias`.
    unsafe {
        kernels::bias_residual::launch_unchecked::<R>(
            &client,
            count,
            dim,
            lanes,
            x.into_tensor_arg(),
            contiguous(bias.clone()).into_tensor_arg(),
            residual.into_tensor_arg(),
            out.clone().into_tensor_arg(),
            vectors as u32,
            (width / lanes) as u32,
            types,
        );
    }
    tensor(out)
}

/// Softmax of `scale * x` along the last dimension, in the type of `x`, which is contiguous. None where the device's
/// planes differ in size.
pub(crate) fn softmax<R: CubeRuntime>(x: &CubeTensor<R>, scale: f32) -> Option<CubeTensor<R>> {
    let shape = x.meta.shape().dims::<4>();
    let columns = shape[3];
    let rows = shape[..3].iter().product();
    let (count, dim) = planes(x, rows)?;
    let lanes = lanes(columns, &[x.dtype]);
    let out = empty(x, shape, x.dtype);
    // SAFETY: the rows behind the last end at once, and both tensors have the size that is passed.
    unsafe {
        kernels::softmax::launch_unchecked::<R>(
            &x.client,
            count,
            dim,
            lanes,
            x.clone().into_tensor_arg(),
            out.clone().into_tensor_arg(),
            rows as u32,
            scale,
            (columns / lanes) as u32,
            lanes as u32,
            x.dtype.into(),
        );
    }
    Some(out)
}
