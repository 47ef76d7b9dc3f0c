//! The built-in CPU backend: the model on Burn's Flex, through the same table as a loaded one.

mod device;

pub use device::FlexCpu;

harness_backend_abi::export_backend!(harness_backend_burn::BurnPlugin<FlexCpu>);
