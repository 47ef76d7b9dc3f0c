//! CLIP's tokenizer: cleaning as open_clip does it, then byte-pair encoding over 49,408 entries. The vocabulary and the
//! merges come from `instant-clip-tokenizer`.

use std::sync::LazyLock;

use instant_clip_tokenizer::{Token, Tokenizer};
use unicode_normalization::UnicodeNormalization;

/// Entries of CLIP's vocabulary; ids run below it.
pub const VOCABULARY: usize = 49_408;
/// Token that opens a sentence.
pub const START: u32 = 49_406;
/// Token that closes a sentence, the largest id there is.
pub const END: u32 = 49_407;

/// What Windows-1252 shows for bytes 0x80..=0x9F; 0 where it shows nothing.
const WINDOWS_1252: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0,
    0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
];

static BPE: LazyLock<Tokenizer> = LazyLock::new(Tokenizer::new);

/// Token ids of a text, without start and end.
pub fn encode(text: &str) -> Vec<u32> {
    let mut tokens = Vec::new();
    BPE.encode(&clean(text), &mut tokens);
    tokens.into_iter().map(Token::to_u16).map(u32::from).collect()
}

/// open_clip's cleaning: ftfy's `fix_text`, HTML entities resolved twice, white space collapsed, lower case. Of ftfy
/// all but its guess at wrongly decoded text is done here; `is_mojibake` finds texts where that would matter.
pub fn clean(text: &str) -> String {
    let fixed = fix_text(text);
    let plain = htmlize::unescape(htmlize::unescape(fixed.as_str()).as_ref()).into_owned();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a text holds UTF-8 that was read as Windows-1252 (`Ã¶` for `ö`). ftfy would guess the original; a guess is
/// no base for a benchmark, so callers refuse.
pub fn is_mojibake(text: &str) -> bool {
    let bytes: Vec<Option<u8>> = text.chars().map(windows_1252_byte).collect();
    (0..bytes.len()).any(|start| {
        let length = match bytes[start] {
            Some(0xC2..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(0xF0..=0xF4) => 4,
            _ => return false,
        };
        let window: Option<Vec<u8>> = bytes[start..].iter().take(length).copied().collect();
        window.is_some_and(|w| w.len() == length && std::str::from_utf8(&w).is_ok())
    })
}

fn windows_1252_byte(c: char) -> Option<u8> {
    match u32::from(c) {
        low @ 0..=0xFF => Some(low as u8),
        code => {
            let index = WINDOWS_1252.iter().position(|shown| u32::from(*shown) == code)?;
            Some(0x80 + index as u8)
        }
    }
}

/// ftfy's character fixes, repeated until nothing changes. A line with `<` keeps its entities: it may be HTML.
fn fix_text(text: &str) -> String {
    let resolve_entities = !text.contains('<');
    let mut text = text.to_owned();
    // Each round only shortens entities and canonicalises characters, so a fixed point comes soon; the bound is a
    // guard.
    for _ in 0..16 {
        let resolved = if resolve_entities { htmlize::unescape(text.as_str()).into_owned() } else { text.clone() };
        let characters: String = remove_terminal_escapes(&resolved.replace("\r\n", "\n")).chars().map(fix).collect();
        let next: String = characters.chars().filter(|c| !is_control(*c)).flat_map(expand).nfc().collect();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// One character for one: C1 controls as Windows-1252, straight quotes, plain line breaks.
fn fix(c: char) -> char {
    let c = match u32::from(c) {
        code @ 0x80..=0x9F => match WINDOWS_1252[(code - 0x80) as usize] {
            0 => c,
            shown => char::from_u32(u32::from(shown)).unwrap_or(c),
        },
        _ => c,
    };
    match c {
        '\u{02BC}' | '\u{2018}'..='\u{201B}' => '\'',
        '\u{201C}'..='\u{201F}' => '"',
        '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        other => other,
    }
}

/// Ligatures as letters, full and half width forms in their usual width.
fn expand(c: char) -> Vec<char> {
    match c {
        'ŉ' => vec!['\'', 'n'],
        '\u{FB05}' => vec!['ſ', 't'],
        'Ĳ' | 'ĳ' | 'Ǆ'..='ǌ' | 'Ǳ'..='ǳ' | '\u{FB00}'..='\u{FB06}' | '\u{3000}' | '\u{FF01}'..='\u{FFEF}' => {
            std::iter::once(c).nfkc().collect()
        }
        other => vec![other],
    }
}

fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{E}'..='\u{1F}' | '\u{7F}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFC}')
}

/// Takes out `ESC [ digits letter`, a terminal's colour codes.
fn remove_terminal_escapes(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, escape) = rest.split_at(at);
        kept.push_str(before);
        let body = &escape[2..];
        let end = body.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end.and_then(|end| body[end..].chars().next().map(|last| (end, last))) {
            Some((end, last)) if last.is_ascii_alphabetic() => rest = &body[end + 1..],
            _ => {
                kept.push_str("\u{1b}[");
                rest = body;
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_text_is_cleaned_as_open_clip_cleans_it() {
        assert_eq!(
            clean("  A\u{1b}[31mB\u{1b}[0m \u{2028} “C”&amp;&amp;amp; ﬁｕ\u{3000}\u{feff}x "),
            "ab \"c\"&& fiu x"
        );
        assert_eq!(clean("e\u{301}"), "é");
        assert_eq!(clean("\u{1b}["), "[");
    }

    #[test]
    fn text_decoded_with_the_wrong_encoding_is_noticed() {
        assert!(is_mojibake("schÃ¶n"));
        assert!(is_mojibake("itâ€™s"));
        for right in ["schön", "naïve Ünïcödé – “quotes” …", "mm² ±5%", "日本語", "Ã"] {
            assert!(!is_mojibake(right), "{right}");
        }
    }

    #[test]
    fn start_and_end_are_the_last_two_entries() {
        assert_eq!(u32::from(BPE.start_of_text().to_u16()), START);
        assert_eq!(u32::from(BPE.end_of_text().to_u16()), END);
        assert_eq!(usize::try_from(END).unwrap() + 1, VOCABULARY);
    }
}
