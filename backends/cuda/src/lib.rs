//! The model on NVIDIA's CUDA, with kernels that CubeCL compiles at run time. The
//! requirements of a device are checked before anything starts.

mod device;
mod probe;
mod products;

pub use device::Card;

harness_backend_abi::export_backend!(harness_backend_burn::BurnPlugin<Card>, symbol);
