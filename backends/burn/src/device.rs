//! What a concrete backend supplies: its name, its devices, and a value that stands for an open one.

use std::marker::PhantomData;

use burn::tensor::backend::{Backend, BackendTypes};
use harness_backend_abi::plugin::{Description, Failure, Plugin, Precision, SessionOptions};
use madclip::Kernels;

use crate::BurnSession;

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

    /// Devices that can be opened now, the default first. Cheap, and never a failure: what can't be had is left out.
    fn devices() -> Vec<String>;

    /// One line for people: why there is no device, or what would give one more.
    fn note() -> Option<String> {
        None
    }

    /// Precisions of an image tower.
    fn precisions() -> &'static [Precision] {
        &[Precision::F32]
    }

    /// Whether a session can be told that products of f32 matrices may round their factors to TF32, and keeps from it
    /// where it is not.
    const TF32: bool = false;

    /// Opens one of [`BurnBackend::devices`]; another has been refused before.
    ///
    /// # Errors
    /// Any: the device is gone, or an option is beyond it.
    fn open(options: &SessionOptions) -> Result<Self, Failure>;

    /// Where tensors live.
    fn device(&self) -> &<Self::Backend as BackendTypes>::Device;

    /// Runs everything that computes: for a backend with its own threads, the place to enter them.
    fn run<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        call()
    }

    /// Whether a panic with this message means that memory is exhausted. Burn reports that in no other way.
    fn is_exhaustion(panic: &str) -> bool {
        let panic = panic.to_lowercase();
        ["out of memory", "outofmemory", "not enough memory", "can't allocate"].iter().any(|text| panic.contains(text))
    }

    /// Peak memory of the device, in bytes, where it has its own; 0 is unknown.
    fn device_peak_bytes(&self) -> u64 {
        0
    }
}

/// A [`BurnBackend`] as the interface sees it: `export_backend!(BurnPlugin<MyBackend>)`.
#[derive(Clone, Copy, Debug)]
pub struct BurnPlugin<D>(PhantomData<fn() -> D>);

impl<D: BurnBackend> Plugin for BurnPlugin<D> {
    type Session = BurnSession<D>;

    fn describe() -> Description {
        Description {
            name: D::NAME.to_owned(),
            version: D::VERSION.to_owned(),
            devices: D::devices(),
            precisions: D::precisions()
                .iter()
                .map(|p| p.name())
                .chain(D::TF32.then_some("tf32"))
                .map(str::to_owned)
                .collect(),
            note: D::note(),
        }
    }

    fn open(options: SessionOptions) -> Result<BurnSession<D>, Failure> {
        let devices = D::devices();
        if !devices.contains(&options.device) {
            let (name, device) = (D::NAME, &options.device);
            return Err(Failure::invalid(format!("`{name}` has no device `{device}` here; it has {devices:?}")));
        }
        if options.threads == Some(0) {
            return Err(Failure::invalid("`threads` is 0, expected at least 1"));
        }
        if options.tf32 && !D::TF32 {
            return Err(Failure::unsupported(format!("`{}` has no option `tf32`", D::NAME)));
        }
        D::open(&options).map(BurnSession::new)
    }
}
