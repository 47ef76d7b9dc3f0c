//! What can go wrong with a tap store.

use std::io;
use std::path::{Path, PathBuf};

use crate::shape::StoreDtype;

/// An error of the tap store. `OverBudget` and `DiskFull` are worth matching: images can be streamed instead of stored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a cache folder nor a home folder is known.
    #[error("no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path; name a folder with --cache")]
    NoCacheFolder,

    /// The store's folder can't be used.
    #[error("can't {action} in the tap store {}: {source}; choose a folder you can write to with --cache", dir.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The store's folder.
        dir: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// No room on the disk, in the quota or under the process's file size limit. The chunk in progress is gone.
    #[error(
        "no room in {} for {needed} more bytes{}: {source}; free some space, clear the store with \
         `harness cache clear`, set a smaller cache budget or choose another folder with --cache",
        dir.display(),
        free.map(|free| format!(" ({free} are free)")).unwrap_or_default()
    )]
    DiskFull {
        /// The store's folder.
        dir: PathBuf,
        /// Bytes that were to be written.
        needed: u64,
        /// Bytes free on that disk, where the system says so.
        free: Option<u64>,
        /// The system's answer.
        source: io::Error,
    },

    /// The chunk does not fit the budget, even after everything unused was evicted. The chunk in progress is gone.
    #[error(
        "a chunk of {needed} bytes does not fit the budget of the tap store {}: {budget} bytes, {in_use} of them in \
         use; raise the cache budget or let the images be streamed",
        dir.display()
    )]
    OverBudget {
        /// The store's folder.
        dir: PathBuf,
        /// Bytes of the chunk.
        needed: u64,
        /// The budget in bytes.
        budget: u64,
        /// Bytes of chunks that live readers hold.
        in_use: u64,
    },

    /// Reading or writing a file of the store failed.
    #[error("can't {action} {}: {source}", file.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// Stored bytes differ from their checksum.
    #[error(
        "{} is corrupt: tap {tap} of image {record} differs from its checksum; remove the file, its images are then \
         encoded again",
        file.display()
    )]
    Corrupt {
        /// The chunk's file.
        file: PathBuf,
        /// The image's index in the chunk, from 0.
        record: usize,
        /// Index of the tap in the shape, from 0.
        tap: usize,
    },

    /// A chunk file is not what its name says. Lookups pass such a file over; [`crate::list`] shows it.
    #[error("{} is not a readable chunk: {reason}", file.display())]
    Damaged {
        /// The chunk's file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A file to be forgotten is not a chunk of this store.
    #[error("{} is not a chunk of the tap store {}", file.display(), dir.display())]
    NotAChunk {
        /// The file.
        file: PathBuf,
        /// The store's folder.
        dir: PathBuf,
    },

    /// Taps of one shape were asked for, another is stored under the key.
    #[error("{} holds taps of shape {found}, {expected} was expected", file.display())]
    ShapeMismatch {
        /// The chunk's file.
        file: PathBuf,
        /// Its shape, as `[taps, T, W] dtype`.
        found: String,
        /// The shape asked for.
        expected: String,
    },

    /// A shape without elements, or beyond any encoder.
    #[error(
        "taps of shape [{taps}, {tokens}, {width}] can't be stored: each size must be in 1..=1048576, taps in 1..=1024"
    )]
    BadShape {
        /// Number of taps.
        taps: usize,
        /// Tokens, T.
        tokens: usize,
        /// Width, W.
        width: usize,
    },

    /// A buffer of the wrong length.
    #[error("{what} has {found} elements, {expected} are needed")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Its elements.
        found: usize,
        /// Elements needed.
        expected: usize,
    },

    /// An index past the end.
    #[error("{what} {index} does not exist: there are {count}")]
    OutOfRange {
        /// What was indexed.
        what: &'static str,
        /// The index.
        index: usize,
        /// How many there are.
        count: usize,
    },

    /// A tap value that is not finite, or not in the stored type. Nothing of the image was stored.
    #[error(
        "tap {tap}, token {token} of an image is {value}, which can't be stored as {dtype}{}",
        if value.is_finite() { "; store f32 instead" } else { ": the encoder overflowed, use a wider precision" }
    )]
    NotStorable {
        /// Index of the tap in the shape, from 0.
        tap: usize,
        /// Token, from 0.
        token: usize,
        /// The value.
        value: f32,
        /// The stored type.
        dtype: StoreDtype,
    },
}

impl Error {
    /// A failed write. Lack of space has an error of its own, because a caller can continue without the store.
    pub(crate) fn write(file: &Path, dir: &Path, needed: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { dir: dir.into(), needed, free: crate::folder::free_bytes(dir), source }
            }
            _ => Self::File { action: "write", file: file.into(), source },
        }
    }
}
