//! The built-in CPU backend: the model on Burn's Flex with kernels of its own, through the same table as a loaded one.
//!
//! Burn's Flex holds the tensors and runs whatever is small. The expensive operations are kernels on slices, on all
//! threads, compiled for every instruction set and chosen at run time (`pulp`). An element's value never depends on how
//! rows are divided among threads, and NaN and infinities pass through every kernel as IEEE 754 says.

mod activation;
mod adam;
mod adapters;
mod attention;
mod attention_gradient;
mod buffers;
mod device;
mod gemm;
mod kernels;
mod largest;
mod linear;
mod matrix;
mod norm;
mod panels;
mod patches;
mod segmentation;
mod threads;
mod tile;
mod transposed;
mod vector;

pub use device::FlexCpu;
pub use gemm::gemm_gflops;
pub use kernels::FlexKernels;
pub use linear::Layer;

harness_backend_abi::export_backend!(harness_backend_burn::BurnPlugin<FlexCpu>);
