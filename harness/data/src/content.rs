//! What stands for a file's content: the hash of its bytes, and of the orientation tag that turns an image.

use std::path::Path;

use crate::decode;
use crate::error::{DataError, Result};
use crate::head::Head;
use crate::limits::MAX_FILE_BYTES;

/// What an image's head said; width and height are zero where it said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) orientation: u8,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Seen {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Head::of(bytes).map_or(Self { orientation: 1, width: 0, height: 0 }, |head| Self {
            orientation: head.orientation,
            width: head.width,
            height: head.height,
        })
    }
}

/// The hash that stands for an image's content: that of its bytes, and where an orientation tag turns it, of the tag
/// too. Programs that ignored the tag saw other pixels.
pub(crate) fn as_shown(hash: [u8; 32], orientation: u8) -> [u8; 32] {
    if orientation == 1 {
        return hash;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness turned 1 ").update(&[orientation]).update(&hash);
    *hasher.finalize().as_bytes()
}

/// The hash that stands for an image file's content, without a memory.
pub(crate) fn image_hash(path: &Path) -> Result<[u8; 32]> {
    let (hash, seen, _) = look(path)?;
    Ok(as_shown(hash, seen.orientation))
}

/// Reads an image file: hash, head, and its bytes where they are few enough to be an image.
pub(crate) fn look(path: &Path) -> Result<([u8; 32], Seen, Option<Vec<u8>>)> {
    let length = std::fs::metadata(path).map_err(DataError::io("open", path))?.len();
    if length > MAX_FILE_BYTES {
        return Ok((hash_file(path)?, Seen { orientation: 1, width: 0, height: 0 }, None));
    }
    let bytes = decode::read(path)?;
    Ok((*blake3::hash(&bytes).as_bytes(), Seen::of(&bytes), Some(bytes)))
}

/// BLAKE3 of a file's bytes, read as a stream.
pub(crate) fn hash_file(path: &Path) -> Result<[u8; 32]> {
    let file = std::fs::File::open(path).map_err(DataError::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(DataError::io("read", path))?;
    Ok(*hasher.finalize().as_bytes())
}
