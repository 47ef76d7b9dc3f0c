//! The model on wgpu: Vulkan, Metal or DirectX 12, for graphics cards of any maker.

mod device;

pub use device::Adapter;

harness_backend_abi::export_backend!(harness_backend_burn::BurnPlugin<Adapter>, symbol);
