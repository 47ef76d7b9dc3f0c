//! The adapters that the system's graphics interface shows, by kind and number.

use std::sync::OnceLock;

use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};
use cubecl::Runtime;
use harness_backend_abi::plugin::{Failure, SessionOptions};
use harness_backend_burn::BurnBackend;
use madclip::Plain;

/// One adapter.
#[derive(Debug)]
pub struct Adapter(WgpuDevice);

/// Kinds of adapter, the fastest first: name, number in wgpu's runtime, and the device of an index.
const KINDS: [(&str, u16, fn(usize) -> WgpuDevice); 4] = [
    ("discrete", 0, WgpuDevice::DiscreteGpu),
    ("integrated", 1, WgpuDevice::IntegratedGpu),
    ("virtual", 2, WgpuDevice::VirtualGpu),
    ("software", 3, |_| WgpuDevice::Cpu),
];

/// Every adapter with its name. Asked once: it starts the graphics interface.
fn all() -> &'static [(String, WgpuDevice)] {
    static ALL: OnceLock<Vec<(String, WgpuDevice)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let of_kind = |(name, number, device): (&str, u16, fn(usize) -> WgpuDevice)| {
            let found = WgpuRuntime::enumerate_devices(number, &AutoGraphicsApi::backend()).len();
            let named = (0..found).map(|index| (format!("{name}:{index}"), device(index)));
            // Several indices of one device: the runtime has one in software, however many there are.
            let mut distinct = named.collect::<Vec<_>>();
            distinct.dedup_by(|a, b| a.1 == b.1);
            distinct
        };
        KINDS.into_iter().flat_map(of_kind).collect()
    })
}

impl BurnBackend for Adapter {
    type Backend = Wgpu;
    type Kernels = Plain;
    const NAME: &'static str = "wgpu";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn devices() -> Vec<String> {
        all().iter().map(|(name, _)| name.clone()).collect()
    }

    fn note() -> Option<String> {
        all().is_empty().then(|| {
            format!(
                "no {:?} adapter: install the graphics card's driver, or one in software such as Mesa's",
                AutoGraphicsApi::backend()
            )
        })
    }

    fn open(options: &SessionOptions) -> Result<Self, Failure> {
        let found = all().iter().find(|(name, _)| *name == options.device);
        let (_, device) = found.ok_or_else(|| Failure::internal(format!("`{}` is gone", options.device)))?;
        Ok(Self(device.clone()))
    }

    fn device(&self) -> &WgpuDevice {
        &self.0
    }

    fn device_peak_bytes(&self) -> u64 {
        // What the pool has taken from the device: it grows to the peak and stays there.
        WgpuRuntime::client(&self.0).memory_usage().map_or(0, |usage| usage.bytes_reserved)
    }
}
