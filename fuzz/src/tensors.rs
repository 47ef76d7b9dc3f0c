//! Safetensors files.

use crate::tokens;

/// A file with the header that the bytes stand for, filled up with data; the first byte says how much.
pub fn file(bytes: &[u8]) -> Vec<u8> {
    let Some((length, header)) = bytes.split_first() else { return Vec::new() };
    let header = tokens::text(header, tokens::SAFETENSORS);
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + usize::from(*length), 0x3f);
    file
}
