//! LibTorch's devices, and the threads of one session on the CPU.

use std::sync::OnceLock;

use burn_tch::{LibTorch, LibTorchDevice};
use harness_backend_abi::plugin::{Failure, Precision, SessionOptions};
use harness_backend_burn::BurnBackend;

use crate::kernels::Fused;

/// A device of LibTorch. With `threads` a session computes on as many; without, on as many as LibTorch chose.
#[derive(Debug)]
pub struct Torch {
    device: LibTorchDevice,
    threads: i32,
}

/// What LibTorch chose before any session changed it: the number of threads belongs to the process.
fn default_threads() -> i32 {
    static THREADS: OnceLock<i32> = OnceLock::new();
    *THREADS.get_or_init(tch::get_num_threads)
}

/// Every device with its name, the fastest first.
fn all() -> Vec<(String, LibTorchDevice)> {
    let cuda = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    let cuda = (0..cuda).map(|index| (format!("cuda:{index}"), LibTorchDevice::Cuda(index)));
    let mps = tch::utils::has_mps().then(|| ("mps".to_owned(), LibTorchDevice::Mps));
    cuda.chain(mps).chain([("cpu".to_owned(), LibTorchDevice::Cpu)]).collect()
}

impl BurnBackend for Torch {
    type Backend = LibTorch;
    type Kernels = Fused;
    const NAME: &'static str = "libtorch";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn devices() -> Vec<String> {
        all().into_iter().map(|(name, _)| name).collect()
    }

    fn precisions() -> &'static [Precision] {
        &[Precision::F32, Precision::F16, Precision::Bf16]
    }

    fn open(options: &SessionOptions) -> Result<Self, Failure> {
        let device = all().into_iter().find(|(name, _)| *name == options.device);
        let (_, device) = device.ok_or_else(|| Failure::internal(format!("`{}` is gone", options.device)))?;
        let chosen = default_threads();
        let threads = options.threads.map_or(Ok(chosen), i32::try_from);
        Ok(Self { device, threads: threads.map_err(|_| Failure::invalid("`threads` is beyond any machine"))? })
    }

    fn device(&self) -> &LibTorchDevice {
        &self.device
    }

    fn room(&self) -> Option<u64> {
        matches!(self.device, LibTorchDevice::Cpu | LibTorchDevice::Mps).then_some(0)
    }

    fn run<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        // Set at each call: part of it belongs to the thread, and another session may have set it meanwhile.
        tch::set_num_threads(self.threads);
        tch::no_grad(call)
    }
}
