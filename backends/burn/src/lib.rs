//! What every backend on Burn shares: the plugin traits of the interface over any Burn backend and its kernels. A
//! concrete backend implements [`BurnBackend`]; the model itself is the crate `madclip`.

mod device;
mod failure;
mod gemm;
mod memory;
mod panics;
mod plugin;
mod session;
mod tensors;
mod towers;
mod trainer;

pub use device::BurnBackend;
pub use memory::host_peak_bytes;
pub use plugin::BurnPlugin;
pub use session::BurnSession;
pub use towers::{BurnImageTower, BurnTextTower};
pub use trainer::BurnTrainer;
