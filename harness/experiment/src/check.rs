//! Rules that names and axes must keep on their own, without knowledge of the world.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;

use harness_config::{Findings, Spanned, start};

/// What keeps a name from being a folder on every system, or `None` if it is fine.
pub(crate) fn name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("is empty; give it a name")
    } else if name.len() > 100 {
        Some("is longer than 100 characters; shorten it")
    } else if !name.chars().all(plain) {
        Some("can't be a folder's name; use only letters, digits, `-`, `_` and `.`")
    } else if name.starts_with(['.', '-']) || name.ends_with('.') {
        Some("can't be a folder's name; begin with a letter, digit or `_`, and don't end with `.`")
    } else {
        None
    }
}

/// What keeps a text from being printed in place of a name, or `None` if it is fine.
pub(crate) fn label(label: &str) -> Option<&'static str> {
    if label.trim().is_empty() {
        Some("is empty; remove it, or write what tables and figures should say")
    } else if label.chars().count() > 100 {
        Some("is longer than 100 characters; shorten it")
    } else if label.chars().any(char::is_control) {
        Some("has a line break or another control character; write it on one line")
    } else {
        None
    }
}

/// An axis of the matrix: at least one element, none twice.
pub(crate) fn axis<T: Eq + Hash + Display>(
    key: &str,
    list: Option<&Spanned<Vec<Spanned<T>>>>,
    findings: &mut Findings,
) {
    let Some(list) = list else { return };
    if list.get_ref().is_empty() {
        findings.add(start(list), format!("`{key}` is empty; give at least one value"));
    }
    let mut seen = HashMap::with_capacity(list.get_ref().len());
    for (i, item) in list.get_ref().iter().enumerate() {
        if let Some(first) = seen.insert(item.get_ref(), i + 1) {
            let message = format!("`{key}` has `{}` twice, first as element {first}; remove one", item.get_ref());
            findings.add(start(item), message);
        }
    }
}
