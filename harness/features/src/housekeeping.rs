//! Summaries and removal, for `harness cache list` and `harness cache clear`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::chunk::Chunk;
use crate::error::Error;
use crate::folder;
use crate::shape::Shape;

/// One chunk, for people.
#[derive(Clone, Debug)]
pub struct ChunkSummary {
    /// Its file.
    pub file: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last looked up or written.
    pub last_used: SystemTime,
    /// What it holds, or why it can't be read.
    pub contents: Result<ChunkContents, String>,
}

/// What a readable chunk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkContents {
    /// The label given to the writer.
    pub label: String,
    /// Shape of an image's taps.
    pub shape: Shape,
    /// Number of images.
    pub images: usize,
    /// When it was begun.
    pub created: SystemTime,
}

/// All chunks of one label and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingSummary {
    /// The label given to the writers; `unreadable chunks` for those.
    pub label: String,
    /// Shape of an image's taps, as `[taps, T, W] dtype`; empty for unreadable chunks.
    pub shape: String,
    /// Number of chunks.
    pub chunks: usize,
    /// Number of images; one that two processes encoded at the same time counts twice.
    pub images: usize,
    /// Bytes on disk.
    pub bytes: u64,
    /// When one of them was last used.
    pub last_used: SystemTime,
}

/// Which chunks to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All.
    All,
    /// Those not used for so long.
    OlderThan(Duration),
}

/// What was cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Chunks removed.
    pub chunks: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the bytes that come free only when the processes that read them end.
    pub bytes_in_use: u64,
}

/// The chunks in a folder, least recently used first; none if there is no folder.
///
/// # Errors
/// `Folder` if the folder can't be listed, `File` if a chunk can't be read.
pub fn list(dir: &Path) -> Result<Vec<ChunkSummary>, Error> {
    let mut summaries = Vec::new();
    for listed in folder::chunks(dir)? {
        let contents = match Chunk::read(&listed.path) {
            Ok(None) => continue,
            Ok(Some(Chunk { contents, .. })) => Ok(ChunkContents {
                images: contents.keys.len(),
                shape: contents.shape,
                created: UNIX_EPOCH.checked_add(Duration::from_secs(contents.created)).unwrap_or(UNIX_EPOCH),
                label: contents.label,
            }),
            Err(Error::Damaged { reason, .. }) => Err(reason),
            Err(error) => return Err(error),
        };
        summaries.push(ChunkSummary { file: listed.path, bytes: listed.bytes, last_used: listed.last_used, contents });
    }
    Ok(summaries)
}

/// Chunks added up by label and shape, in their order.
pub fn summarize(chunks: &[ChunkSummary]) -> Vec<EncodingSummary> {
    let mut encodings = BTreeMap::new();
    for chunk in chunks {
        let (label, shape, images) = match &chunk.contents {
            Ok(contents) => (contents.label.clone(), contents.shape.to_string(), contents.images),
            Err(_) => ("unreadable chunks".into(), String::new(), 0),
        };
        let encoding = encodings.entry((label.clone(), shape.clone())).or_insert_with(|| EncodingSummary {
            label,
            shape,
            chunks: 0,
            images: 0,
            bytes: 0,
            last_used: UNIX_EPOCH,
        });
        encoding.chunks += 1;
        encoding.images += images;
        encoding.bytes += chunk.bytes;
        encoding.last_used = encoding.last_used.max(chunk.last_used);
    }
    encodings.into_values().collect()
}

/// Removes chunks. Those in use are removed too: their readers keep what they have mapped. Chunks in progress stay.
/// A format file of another version goes with the last chunk.
///
/// # Errors
/// `Folder` if the folder can't be listed or locked, `File` if a chunk can't be removed; earlier ones are then gone.
pub fn clear(dir: &Path, filter: Filter) -> Result<Cleared, Error> {
    let mut cleared = Cleared::default();
    if !dir.exists() {
        return Ok(cleared);
    }
    let _lock = folder::lock(dir)?;
    let now = SystemTime::now();
    let mut kept = 0;
    for chunk in folder::chunks(dir)? {
        let keep = match filter {
            Filter::All => false,
            // A stamp from the future counts as used now.
            Filter::OlderThan(age) => now.duration_since(chunk.last_used).unwrap_or_default() < age,
        };
        if keep {
            kept += 1;
            continue;
        }
        let claimed = folder::claim(&chunk.path);
        folder::remove(&chunk.path)?;
        if claimed.is_none() {
            cleared.bytes_in_use += chunk.bytes;
        }
        cleared.chunks += 1;
        cleared.bytes += chunk.bytes;
    }
    if kept == 0 {
        folder::remove_foreign_format(dir)?;
    }
    Ok(cleared)
}
