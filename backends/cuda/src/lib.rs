//! The model on NVIDIA's CUDA, with kernels that CubeCL fuses, compiles and tunes at run time. What a device needs to be had
//! is probed beside this, before anything starts.

mod device;
mod probe;
mod products;

pub use device::Card;

harness_backend_abi::export_backend!(harness_backend_burn::BurnPlugin<Card>, symbol);
