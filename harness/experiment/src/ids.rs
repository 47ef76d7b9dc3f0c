//! Ids: a hash of everything that decides a result and of nothing else. No path, name of a dataset or variant, date or
//! thread count enters, nor the order of a file. What has a default enters only where it differs from it, so that what is
//! added later, at its default, changes no id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::Error;

/// Version of the encoding below, part of every id.
const ENCODING: &str = "harness id 1";

/// Text that isn't an id or a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}, which has {digits} characters 0-9 and a-f")]
pub struct ParseIdError {
    text: String,
    kind: &'static str,
    digits: usize,
}

macro_rules! hex_type {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $bytes];
                if read_hex(text, &mut bytes) {
                    return Ok(Self(bytes));
                }
                Err(ParseIdError { text: text.to_owned(), kind: $kind, digits: 2 * $bytes })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_type!(
    /// Identifies a training: the states of its epochs.
    TrainingId, 8, "training id"
);
hex_type!(
    /// Identifies an evaluation: predictions of a training's epochs on a test set.
    EvaluationId, 8, "evaluation id"
);
hex_type!(
    /// Identifies what a cell reports: an evaluation under a selection rule. Cells of two variants that resolve to the
    /// same options have the same id.
    CellId, 8, "cell id"
);
hex_type!(
    /// BLAKE3 of some content.
    ContentHash, 32, "content hash"
);

/// Only lower case: an id has one spelling.
fn read_hex(text: &str, bytes: &mut [u8]) -> bool {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * bytes.len() {
        return false;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return false,
        }
    }
    true
}

/// The first eight bytes of a BLAKE3 over version, kind and the canonical encoding of a record.
pub(crate) fn identify(kind: &'static str, record: &impl Serialize) -> Result<[u8; 8], Error> {
    let value = serde_json::to_value(record).map_err(|error| Error::Encode { what: kind, why: error.to_string() })?;
    let mut hasher = blake3::Hasher::new();
    text(&mut hasher, ENCODING);
    text(&mut hasher, kind);
    encode(&mut hasher, &value);
    let mut id = [0; 8];
    hasher.finalize_xof().fill(&mut id);
    Ok(id)
}

/// A tag, then a length, then content; keys sorted. So no two values share an encoding, and neither the order of a
/// struct's fields nor of a map's keys shows.
fn encode(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => tag(hasher, b'n', 0),
        Value::Bool(truth) => tag(hasher, b'b', u64::from(*truth)),
        Value::Number(number) => {
            tag(hasher, b'i', 1);
            text(hasher, &number.to_string());
        }
        Value::String(string) => {
            tag(hasher, b's', 1);
            text(hasher, string);
        }
        Value::Array(items) => {
            tag(hasher, b'a', items.len() as u64);
            items.iter().for_each(|item| encode(hasher, item));
        }
        Value::Object(map) => {
            tag(hasher, b'o', map.len() as u64);
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, item) in entries {
                text(hasher, key);
                encode(hasher, item);
            }
        }
    }
}

fn tag(hasher: &mut blake3::Hasher, tag: u8, count: u64) {
    hasher.update(&[tag]);
    hasher.update(&count.to_le_bytes());
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
