//! What makes files durable: written beside their target, synced, renamed, their folder synced. Every writer of the
//! program goes through this crate, so that a test can stop the process at each place where something becomes durable
//! ([`stop`]).

mod durable;
pub mod stop;

pub use durable::{Durable, TEMPORARY, sync_folder, write_durable};

/// The system refused to read or write.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot {action}: {source}", path.display())]
pub struct DiskError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// The file or folder.
    pub path: std::path::PathBuf,
    /// The system's reason.
    pub source: std::io::Error,
}

impl DiskError {
    /// Wraps what the system said when `action` was tried on `path`.
    pub fn when(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self { action, path: path.to_owned(), source }
    }
}
