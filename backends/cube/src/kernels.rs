//! The kernels, in CubeCL's Rust: one source for CUDA and for what `wgpu` drives.
//!
//! Rows are reduced by one plane each. Sums and exponentials are f32 whatever is read and written.
#![expect(clippy::cast_possible_truncation, reason = "sizes of a kernel are u32 on every device")]

use cubecl::num_traits::Zero;
use cubecl::prelude::*;

/// Sum over a plane of what each of its units holds.
#[cube]
fn sum_of<N: Size>(of_unit: Vector<f32, N>) -> f32 {
    let sum = of_unit.vector_sum();
    f32::cast_from(plane_sum(sum))
}

/// Rows of zero mean and unit variance, scaled and shifted: `x` `[rows, vectors]`.
#[cube(launch_unchecked)]
pub(crate) fn layer_norm<F: Float, O: Float, N: Size>(
    x: &Tensor<Vector<F, N>>,
    weight: &Tensor<Vector<F, N>>,
    bias: &Tensor<Vector<F, N>>,
    out: &mut Tensor<Vector<O, N>>,
    rows: u32,
    width: f32,
    epsilon: f32,
    #[comptime] vectors: u32,
    #[define(F, O)] _types: [StorageType; 2],
) {
    let row = CUBE_POS_X * CUBE_DIM_Y + UNIT_POS_Y;
    if row >= rows {
        terminate!();
    }
    let from = row * vectors;
    let mut sum = Vector::<f32, N>::zero();
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        sum += Vector::cast_from(x[(from + i) as usize]);
    }
    let mean = Vector::<f32, N>::new(sum_of::<N>(sum) / width);
    let mut squares = Vector::<f32, N>::zero();
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        let centred = Vector::<f32, N>::cast_from(x[(from + i) as usize]) - mean;
        squares += centred * centred;
    }
    let deviation = (sum_of::<N>(squares) / width + epsilon).sqrt();
    let deviation = Vector::<f32, N>::new(deviation);
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        let normal = (Vector::<f32, N>::cast_from(x[(from + i) as usize]) - mean) / deviation;
        let value = normal * Vector::cast_from(weight[i as usize]) + Vector::cast_from(bias[i as usize]);
        out[(from + i) as usize] = Vector::cast_from(value);
    }
}

/// Softmax of `scale * x` along rows: `x` `[rows, vectors]`.
#[cube(launch_unchecked)]
pub(crate) fn softmax<F: Float, N: Size>(
    x: &Tensor<Vector<F, N>>,
    out: &mut Tensor<Vector<F, N>>,
    rows: u32,
    scale: f32,
    #[comptime] vectors: u32,
    #[comptime] lanes: u32,
    #[define(F)] _type: StorageType,
) {
    let row = CUBE_POS_X * CUBE_DIM_Y + UNIT_POS_Y;
    if row >= rows {
        terminate!();
    }
    let from = row * vectors;
    let mut largest = f32::min_value();
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        let value = Vector::<f32, N>::cast_from(x[(from + i) as usize]);
        #[unroll]
        for lane in 0..lanes {
            largest = max(largest, value[lane as usize]);
        }
    }
    let largest = Vector::<f32, N>::new(plane_max(largest));
    let scale = Vector::<f32, N>::new(scale);
    let mut sum = Vector::<f32, N>::zero();
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        sum += ((Vector::<f32, N>::cast_from(x[(from + i) as usize]) - largest) * scale).exp();
    }
    let sum = Vector::<f32, N>::new(sum_of::<N>(sum));
    for i in range_stepped(UNIT_POS_X, vectors, CUBE_DIM_X) {
        let share = ((Vector::<f32, N>::cast_from(x[(from + i) as usize]) - largest) * scale).exp() / sum;
        out[(from + i) as usize] = Vector::cast_from(share);
    }
}

/// `x + bias`, then the activation: 0 is none, 1 is GELU, 2 is QuickGELU. `x` `[rows, vectors]`.
#[cube(launch_unchecked)]
pub(crate) fn bias_activation<F: Float, N: Size>(
    x: &Tensor<Vector<F, N>>,
    bias: &Tensor<Vector<F, N>>,
    out: &mut Tensor<Vector<F, N>>,
    count: u32,
    #[comptime] vectors: u32,
    #[comptime] kind: u32,
    #[define(F)] _type: StorageType,
) {
    let i = ABSOLUTE_POS as u32;
    if i >= count {
        terminate!();
    }
    let value = Vector::<f32, N>::cast_from(x[i as usize]) + Vector::cast_from(bias[(i % vectors) as usize]);
    if comptime!(kind == 0) {
        out[i as usize] = Vector::cast_from(value);
    } else if comptime!(kind == 1) {
        let half = Vector::<f32, N>::new(0.5);
        let along = value * Vector::new(std::f32::consts::FRAC_1_SQRT_2);
        out[i as usize] = Vector::cast_from(value * half * (along.erf() + Vector::new(1.0)));
    } else {
        let gate = Vector::<f32, N>::new(1.0) + (value * Vector::new(-1.702)).exp();
        out[i as usize] = Vector::cast_from(value / gate);
    }
}

/// `residual + x + bias`, in the residual's type.
#[cube(launch_unchecked)]
pub(crate) fn bias_residual<F: Float, O: Float, N: Size>(
    x: &Tensor<Vector<F, N>>,
    bias: &Tensor<Vector<F, N>>,
    residual: &Tensor<Vector<O, N>>,
    out: &mut Tensor<Vector<O, N>>,
    count: u32,
    #[comptime] vectors: u32,
    #[define(F, O)] _types: [StorageType; 2],
) {
    let i = ABSOLUTE_POS as u32;
    if i >= count {
        terminate!();
    }
    let value = Vector::<f32, N>::cast_from(x[i as usize]) + Vector::cast_from(bias[(i % vectors) as usize]);
    out[i as usize] = Vector::cast_from(Vector::<f32, N>::cast_from(residual[i as usize]) + value);
}
