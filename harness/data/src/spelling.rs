//! What a person probably meant, and where in a file the mistake is. Knows nothing about datasets.

use std::path::Path;

use crate::error::DataError;

/// The candidate nearest to `word`, if one is near enough to be a slip of the hand.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Jaro-Winkler similarity below which a suggestion would be a guess.
    const NEAR: f64 = 0.8;
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// Line and column, both from 1, of a byte offset; columns count characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// A TOML error as `file:line:column: message`, with the key or value that was probably meant.
pub(crate) fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> DataError {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    let mut message = error.message().trim().to_owned();
    // serde writes "unknown field `x`, expected one of `a`, `b`", and the same for variants.
    if message.starts_with("unknown ") {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if let Some((unknown, known)) = quoted.split_first()
            && let Some(meant) = nearest(unknown, known.iter().copied())
        {
            message = format!("{message} (did you mean `{meant}`?)");
        }
    }
    DataError::Syntax { path: path.to_owned(), line, column, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        assert_eq!(nearest("brian", ["Brain", "Liver"]), Some("Brain".to_owned()));
        assert_eq!(nearest("zebra", ["Brain", "Liver"]), None);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("a = 1\nü = 2\n", 9), (2, 3));
    }
}
