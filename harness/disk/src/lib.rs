//! Files that are complete or absent: written beside their target, synced, renamed, their folder synced. Every writer
//! of the program goes through this crate, so that a test can stop the process wherever something becomes durable
//! ([`stop`]).

mod durable;
mod error;
mod lock;
pub mod stop;

pub use durable::{Durable, TEMPORARY, sweep, sync_folder, write_durable};
pub use error::DiskError;
pub use lock::Lock;
