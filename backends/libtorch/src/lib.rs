//! The model on LibTorch: on the CPU, and on CUDA and MPS where the LibTorch it is linked with has them.

mod device;
mod kernels;

pub use device::Torch;

harness_backend_abi::export_backend!(
    harness_backend_burn::BurnPlugin<Torch>,
    symbol,
    help = "get LibTorch 2.9.0 with scripts/install-libtorch.sh, and put its folder beside this file as `libtorch`"
);
