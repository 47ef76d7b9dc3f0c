//! What an open store and its writers share.

use std::path::PathBuf;
use std::time::Duration;

use crate::chunk::Verify;

/// How a store is kept.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dir: PathBuf,
    /// Most bytes that complete chunks may take.
    pub(crate) budget: Option<u64>,
    /// A chunk is closed at the first image that brings it to so many bytes.
    pub(crate) chunk_bytes: u64,
    /// And at the first image this long after the chunk was begun: what is stopped loses no more work than that.
    pub(crate) chunk_age: Duration,
    pub(crate) verify: Verify,
}
