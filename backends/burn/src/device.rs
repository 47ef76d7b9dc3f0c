//! What a concrete backend supplies: its name, its devices, and a value that stands for an open one.

use burn::tensor::backend::{Backend, BackendTypes};
use harness_backend_abi::plugin::{Failure, Precision, SessionOptions};
use madclip::Kernels;

/// A backend on Burn; a value of it is an open device, shared by all that a session loads.
pub trait BurnBackend: Sized + Send + Sync + 'static {
    /// Burn's backend, without autodiff.
    type Backend: Backend;
    /// The model's operations on it; [`madclip::Plain`] is Burn's own calls.
    type Kernels: Kernels<Self::Backend>;
    /// Name, as in experiment files.
    const NAME: &'static str;
    /// Version of the backend.
    const VERSION: &'static str;

    /// Whether kernels run on a thread of the device's own and are compiled, and some of them chosen, when they first
    /// run. Then the backend has the capability `compiles`, and a panic on another thread fails the call that it
    /// happens in.
    const COMPILES: bool = false;

    /// Devices that can be opened now, the default first. Must be cheap and must not fail: leave out a device that
    /// can't be had.
    fn devices() -> Vec<String>;

    /// One line for people: why there is no device, or what would give one more.
    fn note() -> Option<String> {
        None
    }

    /// Precisions of an image tower. With `tf32` among them, a session has the option that products of f32 matrices may
    /// round their factors to TF32, and never rounds them without it.
    fn precisions() -> &'static [Precision] {
        &[Precision::F32]
    }

    /// Opens one of [`BurnBackend::devices`]; another has been refused before.
    ///
    /// # Errors
    /// Any: the device is gone, or it can't do what an option asks for.
    fn open(options: &SessionOptions) -> Result<Self, Failure>;

    /// Where tensors live.
    fn device(&self) -> &<Self::Backend as BackendTypes>::Device;

    /// Runs everything that computes. A backend with its own threads enters them here.
    fn run<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        call()
    }

    /// Whether a panic with this message means that memory is exhausted. Burn reports that in no other way.
    fn is_exhaustion(panic: &str) -> bool {
        let panic = panic.to_lowercase();
        ["out of memory", "out_of_memory", "outofmemory", "not enough memory", "can't allocate", "buffertoobig"]
            .iter()
            .any(|text| panic.contains(text))
    }

    /// Bytes of tensors that the device has room for now: `None` where it can't tell, 0 where its memory is the host's,
    /// so that keeping a tensor there saves nothing.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Peak memory of the device, in bytes, where it has its own; 0 is unknown.
    fn device_peak_bytes(&self) -> u64 {
        0
    }
}
