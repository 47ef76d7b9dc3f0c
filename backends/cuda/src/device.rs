//! CUDA devices by number.

use std::sync::Once;

use burn_cuda::{Cuda, CudaDevice};
use cubecl::Runtime;
use cubecl::config::cache::CacheConfig;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use cubecl::cuda::CudaRuntime;
use cudarc::driver::CudaContext;
use harness_backend_abi::plugin::{Failure, Precision, SessionOptions};
use harness_backend_burn::BurnBackend;

use crate::{probe, products};

/// One CUDA device.
#[derive(Debug)]
pub struct Card(CudaDevice);

fn name(index: usize) -> String {
    format!("cuda:{index}")
}

/// Before the first device: results of tuning and compiling go where CubeCL keeps a user's, not to the folder the
/// program runs in. A kernel that was fastest with TF32 may not exist without: each choice has its own results of
/// tuning.
fn configure(tf32: bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let without_tf32 = CacheConfig::Global.root().join("cubecl-without-tf32");
        let mut config = CubeClRuntimeConfig::from_current_dir();
        config.autotune.cache = if tf32 { CacheConfig::Global } else { CacheConfig::File(without_tf32) };
        config.compilation.cache = Some(CacheConfig::Global);
        CubeClRuntimeConfig::set(config.override_from_env());
    });
}

impl BurnBackend for Card {
    type Backend = Cuda;
    #[cfg(not(feature = "tuned"))]
    type Kernels = harness_backend_cube::Passes;
    #[cfg(feature = "tuned")]
    type Kernels = madclip::Plain;
    const NAME: &'static str = if cfg!(feature = "tuned") { "cuda-tuned" } else { "cuda" };
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const COMPILES: bool = true;

    fn devices() -> Vec<String> {
        (0..*probe::devices().as_ref().unwrap_or(&0)).map(name).collect()
    }

    fn note() -> Option<String> {
        probe::devices().as_ref().err().cloned()
    }

    fn precisions() -> &'static [Precision] {
        &Precision::ALL
    }

    fn open(options: &SessionOptions) -> Result<Self, Failure> {
        let index = (0..*probe::devices().as_ref().unwrap_or(&0)).find(|&index| name(index) == options.device);
        let index = index.ok_or_else(|| Failure::internal(format!("`{}` is gone", options.device)))?;
        products::settle(options.tf32)?;
        configure(options.tf32);
        let device = CudaDevice::new(index);
        if !options.tf32 {
            products::keep_exact(&device)?;
            products::check_exact(&device)?;
        }
        Ok(Self(device))
    }

    fn device(&self) -> &CudaDevice {
        &self.0
    }

    fn room(&self) -> Option<u64> {
        // The same context as the runtime's: a device has one that all share.
        let (free, _) = CudaContext::new(self.0.index).ok()?.mem_get_info().ok()?;
        u64::try_from(free).ok()
    }

    fn device_peak_bytes(&self) -> u64 {
        // What the pool has taken from the device: it grows to the peak and stays there.
        CudaRuntime::client(&self.0).memory_usage().map_or(0, |usage| usage.bytes_reserved)
    }
}
