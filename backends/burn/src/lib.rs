//! What every backend on Burn shares: the plugin traits of the interface over any Burn backend and its kernels. A
//! concrete backend names its devices and opens one, in [`BurnBackend`]; the model itself is in `madclip`.

mod device;
mod failure;
mod gemm;
mod memory;
mod session;
mod tensors;
mod towers;
mod trainer;

pub use device::{BurnBackend, BurnPlugin};
pub use memory::host_peak_bytes;
pub use session::BurnSession;
pub use towers::{BurnImageTower, BurnTextTower};
pub use trainer::BurnTrainer;
