//! The table of a zip archive as PyTorch writes it: entries stored without compression, so that they can be mapped and
//! used in place.
//!
//! The `zip` crate opens entries as readers and hides the offset of a stored one's data behind `&mut` access to the
//! archive's file; tensors are slices of a map that threads share, so this table is read here.

use std::collections::BTreeMap;

use crate::bytes::Bytes;

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// The end record, without its comment.
const END_LENGTH: usize = 22;

/// An entry of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Compression method; 0 is stored.
    pub(crate) method: u16,
    /// Bytes in the archive.
    pub(crate) length: usize,
    header: usize,
}

/// Entries by name.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// Reads the table at an archive's end. `Err` says what is wrong.
pub(crate) fn entries(data: &[u8]) -> Result<Entries, String> {
    let (count, start, end) = table(data).ok_or("the table at the archive's end is missing")?;
    let mut at = Bytes::new(data, start);
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        let (name, entry) = central_entry(&mut at).ok_or("the table of entries breaks off")?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("entry `{name}` occurs twice"));
        }
    }
    if at.position() != end {
        return Err("the table of entries has another length than stated".to_owned());
    }
    Ok(entries)
}

/// Where an entry's bytes lie in the archive. `Err` says what is wrong.
pub(crate) fn locate(data: &[u8], name: &str, entry: &Entry) -> Result<usize, String> {
    let start = || {
        let mut at = Bytes::new(data, entry.header);
        if at.array()? != LOCAL {
            return None;
        }
        at.take(22)?;
        let (name_length, extra) = (at.u16()?, at.u16()?);
        if at.take(name_length.into())? != name.as_bytes() {
            return None;
        }
        at.take(extra.into())?;
        let start = at.position();
        at.take(entry.length)?;
        Some(start)
    };
    start().ok_or_else(|| format!("entry `{name}` does not lie where the table says"))
}

/// (entries, first byte, byte after the last) of the table.
fn table(data: &[u8]) -> Option<(usize, usize, usize)> {
    let last = data.len().checked_sub(END_LENGTH)?;
    // The record ends the file, except for a comment of a length that it states.
    let found = (last.saturating_sub(usize::from(u16::MAX))..=last).rev().find(|at| {
        data[*at..].starts_with(&END) && usize::from(u16::from_le_bytes([data[at + 20], data[at + 21]])) == last - at
    })?;
    let mut at = Bytes::new(data, found + 10);
    let (count, length, start) = (at.u16()?, at.u32()?, at.u32()?);
    let (count, length, start, limit) = match zip64(data, found) {
        Some(wide) => wide,
        None => (usize::from(count), length as usize, start as usize, found),
    };
    let end = start.checked_add(length)?;
    (end <= limit).then_some((count, start, end))
}

/// The same from the 64-bit records before the end record, where there are some.
fn zip64(data: &[u8], end: usize) -> Option<(usize, usize, usize, usize)> {
    let mut at = Bytes::new(data, end.checked_sub(20)?);
    if at.array()? != LOCATOR_64 {
        return None;
    }
    at.u32()?;
    let record = at.size()?;
    let mut at = Bytes::new(data, record);
    if at.array()? != END_64 {
        return None;
    }
    at.take(28)?;
    let (count, length, start) = (at.size()?, at.size()?, at.size()?);
    Some((count, length, start, record))
}

fn central_entry(at: &mut Bytes<'_>) -> Option<(String, Entry)> {
    if at.array()? != CENTRAL {
        return None;
    }
    at.take(6)?;
    let method = at.u16()?;
    at.take(8)?;
    let (packed, plain) = (at.u32()?, at.u32()?);
    let (name, extra, comment) = (at.u16()?, at.u16()?, at.u16()?);
    at.take(8)?;
    let header = at.u32()?;
    let name = String::from_utf8(at.take(name.into())?.to_vec()).ok()?;
    let extra = at.take(extra.into())?;
    at.take(comment.into())?;

    // A field that is full is found in the 64-bit extra instead, in this order.
    let mut wide = extra_64(extra);
    let mut resolve = |narrow: u32| match (narrow, &mut wide) {
        (u32::MAX, Some(wide)) => wide.size(),
        (narrow, _) => usize::try_from(narrow).ok(),
    };
    let plain = resolve(plain)?;
    let packed = resolve(packed)?;
    let header = resolve(header)?;
    if method == 0 && packed != plain {
        return None;
    }
    Some((name, Entry { method, length: packed, header }))
}

fn extra_64(extra: &[u8]) -> Option<Bytes<'_>> {
    let mut at = Bytes::new(extra, 0);
    loop {
        let (tag, length) = (at.u16()?, at.u16()?);
        let body = at.take(length.into())?;
        if tag == 1 {
            return Some(Bytes::new(body, 0));
        }
    }
}
