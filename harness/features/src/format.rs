//! The bytes of a chunk file: header, records, index, footer.
//!
//! ```text
//! header  64 B          magic, version, dtype, taps, T, W, creation time
//! record  stride B each [taps, T, W] little-endian, zero-padded to 64 B so that maps are aligned
//! index   per record    key (32 B), a blake3 hash of each tap's bytes (32 B each)
//! label   UTF-8         for people
//! footer  64 B          number of records, length of the label, blake3 of header + index + label + both, magic
//! ```

use crate::key::Key;
use crate::shape::{Shape, StoreDtype};

/// Version of the chunks that are written. [`Frame::parse`] has a reader for each older one.
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER: usize = 64;
pub(crate) const FOOTER: usize = 64;
/// A longer label is cut.
pub(crate) const MAX_LABEL: usize = 1024;
const ALIGN: u64 = 64;
const HASH: usize = 32;
const BEGIN: [u8; 8] = *b"HTAPCHNK";
const END: [u8; 8] = *b"HTAPDONE";

/// Bytes from one record to the next.
pub(crate) fn stride(shape: Shape) -> u64 {
    shape.image_bytes().next_multiple_of(ALIGN)
}

/// Bytes of an index entry.
fn entry_bytes(shape: Shape) -> u64 {
    (HASH + HASH * shape.taps()) as u64
}

/// Bytes of a whole chunk.
pub(crate) fn file_bytes(shape: Shape, records: u64, label: u64) -> Option<u64> {
    (stride(shape) + entry_bytes(shape)).checked_mul(records)?.checked_add(label)?.checked_add((HEADER + FOOTER) as u64)
}

/// What a chunk says about itself, apart from the records.
pub(crate) struct Contents {
    pub(crate) shape: Shape,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) label: String,
    pub(crate) keys: Vec<Key>,
    /// [records, taps].
    pub(crate) checksums: Vec<[u8; HASH]>,
}

pub(crate) fn header(shape: Shape, created: u64) -> [u8; HEADER] {
    let dtype: u32 = match shape.dtype() {
        StoreDtype::F32 => 0,
        StoreDtype::F16 => 1,
    };
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&BEGIN);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&dtype.to_le_bytes());
    for (i, size) in [shape.taps(), shape.tokens(), shape.width()].into_iter().enumerate() {
        bytes[16 + 8 * i..24 + 8 * i].copy_from_slice(&(size as u64).to_le_bytes());
    }
    bytes[40..48].copy_from_slice(&created.to_le_bytes());
    bytes
}

/// Index, label and footer: everything behind the records.
pub(crate) fn tail(contents: &Contents) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, checksums) in contents.keys.iter().zip(contents.checksums.chunks(contents.shape.taps())) {
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(checksums.as_flattened());
    }
    bytes.extend_from_slice(contents.label.as_bytes());
    let lengths = [contents.keys.len() as u64, contents.label.len() as u64].map(u64::to_le_bytes);
    let digest = digest(&header(contents.shape, contents.created), &bytes, &lengths);
    bytes.extend_from_slice(lengths.as_flattened());
    bytes.extend_from_slice(&digest);
    bytes.extend_from_slice(&END);
    bytes.resize(bytes.len() + FOOTER - 16 - HASH - 8, 0);
    bytes
}

fn digest(header: &[u8; HEADER], body: &[u8], lengths: &[[u8; 8]; 2]) -> [u8; HASH] {
    *blake3::Hasher::new().update(header).update(body).update(lengths.as_flattened()).finalize().as_bytes()
}

/// A chunk's header and footer, parsed but not yet compared with the digest.
pub(crate) struct Frame {
    header: [u8; HEADER],
    shape: Shape,
    created: u64,
    records: u64,
    label: u64,
    digest: [u8; HASH],
    file: u64,
}

impl Frame {
    /// Reads header and footer of a file of `file` bytes. The error says why it can't be read as a chunk.
    pub(crate) fn parse(header: [u8; HEADER], footer: [u8; FOOTER], file: u64) -> Result<Self, String> {
        if header[..8] != BEGIN {
            return Err("it does not begin like one".into());
        }
        match u32::from_le_bytes(field(&header, 8)) {
            1 => Self::parse_1(header, footer, file),
            version if version > VERSION => {
                Err(format!("its format version is {version}, of a newer program; this one reads up to {VERSION}"))
            }
            version => Err(format!("there is no format version {version}")),
        }
    }

    fn parse_1(header: [u8; HEADER], footer: [u8; FOOTER], file: u64) -> Result<Self, String> {
        let (u64_at, u32_at) = (field::<8>, field::<4>);
        let dtype = match u32::from_le_bytes(u32_at(&header, 12)) {
            0 => StoreDtype::F32,
            1 => StoreDtype::F16,
            other => return Err(format!("its dtype has the unknown number {other}")),
        };
        let size = |at| usize::try_from(u64::from_le_bytes(u64_at(&header, at))).unwrap_or(usize::MAX);
        let shape = Shape::new(size(16), size(24), size(32), dtype).map_err(|error| error.to_string())?;
        if footer[48..56] != END {
            return Err("it does not end like one, so it is cut off".into());
        }
        let records = u64::from_le_bytes(u64_at(&footer, 0));
        let label = u64::from_le_bytes(u64_at(&footer, 8));
        if label > MAX_LABEL as u64 || file_bytes(shape, records, label) != Some(file) {
            return Err(format!("its length of {file} bytes does not fit {records} images of {shape}"));
        }
        let created = u64::from_le_bytes(u64_at(&header, 40));
        Ok(Self { header, shape, created, records, label, digest: field(&footer, 16), file })
    }

    /// Offset and length of index and label. They fit into the file, so a length is never absurd.
    pub(crate) fn body(&self) -> (u64, u64) {
        let length = self.records * entry_bytes(self.shape) + self.label;
        (self.file - FOOTER as u64 - length, length)
    }

    /// Checks index and label against the digest and reads them.
    pub(crate) fn contents(self, body: &[u8]) -> Result<Contents, String> {
        let lengths = [self.records, self.label].map(u64::to_le_bytes);
        if digest(&self.header, body, &lengths) != self.digest {
            return Err("its index differs from its checksum".into());
        }
        let (index, label) = body.split_at(body.len() - self.label as usize);
        let (mut keys, mut checksums) = (Vec::new(), Vec::new());
        for entry in index.chunks_exact(entry_bytes(self.shape) as usize) {
            keys.push(Key::from_bytes(field(entry, 0)));
            checksums.extend_from_slice(entry[HASH..].as_chunks().0);
        }
        let label = String::from_utf8_lossy(label).into_owned();
        Ok(Contents { shape: self.shape, created: self.created, label, keys, checksums })
    }
}

/// The `N` bytes at `at` of a slice that is known to hold them.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn chunk() -> (Shape, Vec<u8>) {
        let shape = Shape::new(2, 3, 5, StoreDtype::F16).unwrap();
        let contents = Contents {
            shape,
            created: 1,
            label: "Brain µ".into(),
            keys: vec![Key::from_bytes([1; 32]), Key::from_bytes([2; 32])],
            checksums: vec![[3; 32], [4; 32], [5; 32], [6; 32]],
        };
        let mut bytes = header(shape, 1).to_vec();
        bytes.resize(HEADER + 2 * stride(shape) as usize, 0);
        bytes.extend(tail(&contents));
        (shape, bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Contents, String> {
        let frame = Frame::parse(field(bytes, 0), field(bytes, bytes.len() - FOOTER), bytes.len() as u64)?;
        let (at, length) = frame.body();
        frame.contents(&bytes[at as usize..(at + length) as usize])
    }

    #[test]
    fn a_chunk_reads_back_what_was_written() {
        let (shape, bytes) = chunk();
        assert_eq!(Some(bytes.len() as u64), file_bytes(shape, 2, 8));
        let contents = parse(&bytes).unwrap();
        assert_eq!((contents.shape, contents.created, contents.label.as_str()), (shape, 1, "Brain µ"));
        assert_eq!(contents.keys[1], Key::from_bytes([2; 32]));
        assert_eq!(contents.checksums[2..], [[5; 32], [6; 32]]);
    }

    #[test]
    fn any_changed_byte_outside_the_records_is_noticed() {
        let (shape, bytes) = chunk();
        let records = HEADER..HEADER + 2 * stride(shape) as usize;
        for at in (0..bytes.len() - 8).filter(|at| !records.contains(at)) {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                assert!(parse(&changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn absurd_counts_are_refused_before_anything_is_allocated() {
        let (_, mut bytes) = chunk();
        let footer = bytes.len() - FOOTER;
        bytes[footer..footer + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(parse(&bytes).err().unwrap().contains("length"));
    }
}
