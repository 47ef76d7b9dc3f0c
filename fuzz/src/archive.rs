//! Stored zip archives as PyTorch writes them, as small as can be.

/// An archive of these entries; checksums are zero.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut table) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let offset = (out.len() as u32).to_le_bytes();
        let (length, name_length) = ((data.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
        out.extend([b"PK\x03\x04".as_slice(), &[0; 14], &length, &length, &name_length, &[0; 2]].concat());
        out.extend([name.as_bytes(), data].concat());
        table.extend([b"PK\x01\x02".as_slice(), &[0; 16], &length, &length, &name_length, &[0; 12], &offset].concat());
        table.extend(name.as_bytes());
    }
    let (count, start) = ((entries.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let length = (table.len() as u32).to_le_bytes();
    out.extend([&table, b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &length, &start, &[0; 2]].concat());
    out
}
