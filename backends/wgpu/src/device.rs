//! The adapters that the system's graphics interface shows, by kind and number.

use std::sync::{Once, OnceLock};

use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};
use cubecl::Runtime;
use cubecl::config::autotune::AutotuneLevel;
use cubecl::config::cache::CacheConfig;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use harness_backend_abi::plugin::{Failure, SessionOptions};
use harness_backend_burn::BurnBackend;

/// One adapter.
#[derive(Debug)]
pub struct Adapter(WgpuDevice);

/// A kind of adapter: its name, and the device of an index.
type Kind = (&'static str, fn(usize) -> WgpuDevice);

/// Kinds in the order of wgpu's runtime, the fastest first.
const KINDS: [Kind; 4] = [
    ("discrete", WgpuDevice::DiscreteGpu),
    ("integrated", WgpuDevice::IntegratedGpu),
    ("virtual", WgpuDevice::VirtualGpu),
    (SOFTWARE, |_| WgpuDevice::Cpu),
];

const SOFTWARE: &str = "software";

/// Every adapter with its name. Asked once: it starts the graphics interface.
fn all() -> &'static [(String, WgpuDevice)] {
    static ALL: OnceLock<Vec<(String, WgpuDevice)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let found = WgpuRuntime::enumerate_all_devices(&AutoGraphicsApi::backend());
        let of_kind = |(kind, (name, device)): (usize, Kind)| {
            let number = found.iter().filter(|id| usize::from(id.type_id) == kind).count();
            // The runtime has one device in software, however many there are.
            let number = if name == SOFTWARE { number.min(1) } else { number };
            (0..number).map(|index| (format!("{name}:{index}"), device(index))).collect::<Vec<_>>()
        };
        KINDS.into_iter().enumerate().flat_map(of_kind).collect()
    })
}

/// Before the first device: results of tuning go where CubeCL keeps a user's, not to the folder the program runs in.
/// Where every adapter is software, tuning would take longer than it saves.
fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut config = CubeClRuntimeConfig::from_current_dir();
        config.autotune.cache = CacheConfig::Global;
        if all().iter().all(|(_, device)| matches!(device, WgpuDevice::Cpu)) {
            config.autotune.level = AutotuneLevel::Minimal;
        }
        CubeClRuntimeConfig::set(config.override_from_env());
    });
}

impl BurnBackend for Adapter {
    type Backend = Wgpu;
    #[cfg(not(feature = "tuned"))]
    type Kernels = harness_backend_cube::Passes;
    #[cfg(feature = "tuned")]
    type Kernels = madclip::Plain;
    const NAME: &'static str = if cfg!(feature = "tuned") { "wgpu-tuned" } else { "wgpu" };
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const COMPILES: bool = true;

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
        configure();
        Ok(Self(device.clone()))
    }

    fn device(&self) -> &WgpuDevice {
        &self.0
    }

    fn room(&self) -> Option<u64> {
        // The graphics interface doesn't tell how much memory a card has left.
        matches!(self.0, WgpuDevice::IntegratedGpu(_) | WgpuDevice::Cpu).then_some(0)
    }

    fn device_peak_bytes(&self) -> u64 {
        // What the pool has taken from the device: it grows to the peak and stays there.
        WgpuRuntime::client(&self.0).memory_usage().map_or(0, |usage| usage.bytes_reserved)
    }
}
