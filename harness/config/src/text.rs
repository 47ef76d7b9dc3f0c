//! Text files as people's programs save them: in UTF-8 with a byte order mark or without, or refused with what to do.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// The text of a file, without a byte order mark.
///
/// # Errors
/// The system's; `InvalidData` for another encoding than UTF-8, with where it shows and what to do.
pub fn read_text(path: &Path) -> Result<String> {
    text(std::fs::read(path)?).map_err(|what| Error::new(ErrorKind::InvalidData, what))
}

fn text(bytes: Vec<u8>) -> std::result::Result<String, String> {
    const ADVICE: &str = "save it as UTF-8";
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(format!("it is UTF-16; {ADVICE}"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8, but perhaps Latin-1 or Windows-1252; {ADVICE}")
    })?;
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        return Err(format!("line {line} holds a zero byte: it is UTF-16, or no text; {ADVICE}"));
    }
    Ok(without_mark(&text).to_owned())
}

/// A text without the byte order mark that some programs put before it.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What to do about a path with characters that TOML's escapes made, such as the `\t` in "C:\tmp" a tab.
pub fn escaped(path: &str) -> Option<String> {
    let found = path.chars().find(|c| c.is_control())?;
    Some(format!(
        "the path {path:?} holds the character {}, which `\\` in double quotes makes; write paths with `/`, or in single \
         quotes",
        found.escape_default()
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn utf16(text: &str, mark: bool) -> Vec<u8> {
        mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        assert_eq!(text("\u{feff}a = 1\n".into()).as_deref(), Ok("a = 1\n"));
        assert_eq!(text("größe".into()).as_deref(), Ok("größe"));
    }

    #[test]
    fn another_encoding_is_refused_with_its_name_and_line() {
        let message = |bytes: Vec<u8>| text(bytes).unwrap_err();
        assert_eq!(message(utf16("a = 1", true)), "it is UTF-16; save it as UTF-8");
        assert_eq!(
            message(utf16("a = 1", false)),
            "line 1 holds a zero byte: it is UTF-16, or no text; save it as UTF-8"
        );
        assert_eq!(
            message(b"a\nb\ngr\xF6\xDFe".to_vec()),
            "line 3 is not UTF-8, but perhaps Latin-1 or Windows-1252; save it as UTF-8"
        );
    }
}
