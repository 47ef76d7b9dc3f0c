//! Why a file could not be read, written or locked.

use std::io;
use std::path::{Path, PathBuf};

/// The system refused.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Reading or writing failed.
    #[error("{}: cannot {action}: {source}", path.display())]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file can't be locked, so nothing would keep two processes apart.
    #[error(
        "{}: this file system can't lock files ({source}), so two runs could write to one folder and damage it; use a folder \
         on a local disk, or have it mounted with locks (NFS 4, or Lustre with `-o flock`)",
        path.display()
    )]
    NoLocks {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl DiskError {
    /// Wraps the system's answer to `action` on `path`.
    pub fn when(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, path: path.to_owned(), source }
    }

    /// The system's reason alone, for callers with messages of their own.
    pub fn into_io(self) -> io::Error {
        let (Self::System { source, .. } | Self::NoLocks { source, .. }) = self;
        source
    }
}
