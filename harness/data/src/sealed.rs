//! A cache file's text: a first line with its version and a checksum, and the entries below it.

/// The whole file.
pub(crate) fn seal(format: &str, version: u32, body: &str) -> String {
    format!("{format}{version} {}\n{body}", blake3::hash(body.as_bytes()).to_hex())
}

/// Version and entries. `Err` says why there are none to be had.
pub(crate) fn unseal<'a>(format: &str, bytes: &'a [u8]) -> Result<(&'a str, &'a str), String> {
    let damaged = || "is damaged".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (head, body) = text.split_once('\n').ok_or_else(damaged)?;
    let (version, checksum) = head.strip_prefix(format).and_then(|rest| rest.split_once(' ')).ok_or_else(damaged)?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != checksum {
        return Err(damaged());
    }
    Ok((version, body))
}
