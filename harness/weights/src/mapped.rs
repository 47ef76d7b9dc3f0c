//! A file mapped into memory, and a check that it is still the one that was opened.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memmap2::Mmap;

use crate::WeightsError;

/// A read-only file. Its pages are loaded when they are read and can be dropped by the system at any time.
#[derive(Debug)]
pub(crate) struct Mapped {
    path: PathBuf,
    file: File,
    map: Mmap,
    modified: Option<SystemTime>,
}

impl Mapped {
    pub(crate) fn open(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(WeightsError::Unrecognised { path: path.to_owned(), found: "not a plain file".to_owned() });
        }
        if metadata.len() == 0 {
            return Err(WeightsError::Unrecognised { path: path.to_owned(), found: "it is empty".to_owned() });
        }
        #[expect(unsafe_code, reason = "memory-mapping a file")]
        // SAFETY: the map is read-only and only ever seen as bytes, for which every content is valid. A file that
        // another process writes to or cuts meanwhile is outside what Rust can promise: `check_unchanged` runs before
        // each tensor is read and turns the likely cases into an error.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        Ok(Self { path: path.to_owned(), file, map, modified: modified(&metadata) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Refuses a file that has another length or time of change than when it was opened.
    pub(crate) fn check_unchanged(&self) -> Result<(), WeightsError> {
        let metadata = self.file.metadata().map_err(|source| WeightsError::Io { path: self.path.clone(), source })?;
        if metadata.len() == self.map.len() as u64 && modified(&metadata) == self.modified {
            return Ok(());
        }
        Err(WeightsError::Changed { path: self.path.clone() })
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> WeightsError {
        WeightsError::Damaged { path: self.path.clone(), what: what.into() }
    }

    pub(crate) fn unsupported(&self, what: impl Into<String>) -> WeightsError {
        WeightsError::Unsupported { path: self.path.clone(), what: what.into() }
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}
