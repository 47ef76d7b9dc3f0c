//! Which support set of a size: the one of a number, or the one that a published list names.

use std::fmt;
use std::str::FromStr;

use harness_config::schema::{self, Schema};
use harness_config::{DeValue, Describe, Findings, FromValue, Kind, Spanned, wrong_kind};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A support set among those of one dataset and size.
///
/// As text, in files and in JSON it is its number or its name. Numbers are ordered before names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draw {
    /// The draw of a list file, or the seed of a drawn set.
    Number(u64),
    /// The list of this name.
    Named(DrawName),
}

/// The name of a draw: a letter, then letters, digits, `-`, `_` and `.`, at most [`DrawName::LONGEST`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DrawName([u8; DrawName::LONGEST]);

impl DrawName {
    /// Bytes of the longest name. A name is held in place, so that draws are copied as numbers are.
    pub const LONGEST: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::LONGEST);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for DrawName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for DrawName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that is no draw, or no name of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't name a draw: a name is a letter, then letters, digits, `-`, `_` and `.`, at most {longest} in all",
    longest = DrawName::LONGEST
)]
pub struct ParseDrawError(String);

impl FromStr for DrawName {
    type Err = ParseDrawError;

    fn from_str(text: &str) -> Result<Self, ParseDrawError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let starts = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
        if !starts || !text.bytes().all(allowed) || text.len() > Self::LONGEST {
            return Err(ParseDrawError(text.to_owned()));
        }
        let mut name = [0; Self::LONGEST];
        name[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(name))
    }
}

impl Draw {
    /// Its number; `None` where it has a name.
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Named(_) => None,
        }
    }

    /// Its name; `None` where it has a number.
    pub const fn name(&self) -> Option<&DrawName> {
        match self {
            Self::Number(_) => None,
            Self::Named(name) => Some(name),
        }
    }

    /// As an experiment file has it: `0` or `"mvfa"`.
    pub fn typed(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Named(name) => format!("\"{name}\""),
        }
    }
}

impl Default for Draw {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl From<u64> for Draw {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Named(name) => fmt::Display::fmt(name, f),
        }
    }
}

impl FromStr for Draw {
    type Err = ParseDrawError;

    fn from_str(text: &str) -> Result<Self, ParseDrawError> {
        match text.parse() {
            Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Number(number)),
            _ => text.parse().map(Self::Named),
        }
    }
}

impl Serialize for Draw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Named(name) => serializer.serialize_str(name.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Draw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrName;

        impl Visitor<'_> for NumberOrName {
            type Value = Draw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0, or the name of a support list")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Draw, E> {
                Ok(Draw::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Draw, E> {
                u64::try_from(number).map(Draw::Number).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Draw, E> {
                name.parse().map(Draw::Named).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrName)
    }
}

impl FromValue for Draw {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let name = match value.get_ref() {
            DeValue::Integer(_) => return u64::from_value(key, value, findings).map(Self::Number),
            DeValue::String(name) => name,
            _ => {
                wrong_kind(key, value, Kind::Integer, findings);
                return None;
            }
        };
        match name.parse() {
            Ok(name) => Some(Self::Named(name)),
            Err(error) => {
                findings.add(value.span().start, format!("`{key}`: {error}"));
                None
            }
        }
    }
}

impl Describe for Draw {
    fn values() -> String {
        "whole number from 0, or the name of a support list".to_owned()
    }

    fn many() -> String {
        "whole numbers from 0, and of names of support lists".to_owned()
    }

    fn shown(&self) -> String {
        self.typed()
    }

    fn schema() -> Schema {
        schema::either([u64::schema(), String::schema()])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_number_is_stored_as_it_was_before_there_were_names() {
        let named: Draw = "mvfa".parse().unwrap();
        let stored = |draw: Draw| serde_json::to_string(&draw).unwrap();
        assert_eq!((stored(3.into()), stored(u64::MAX.into())), ("3".to_owned(), u64::MAX.to_string()));
        assert_eq!((stored(named), named.typed()), ("\"mvfa\"".to_owned(), "\"mvfa\"".to_owned()));
        for draw in [3.into(), named, Draw::default()] {
            assert_eq!(serde_json::from_str::<Draw>(&stored(draw)).unwrap(), draw);
            assert_eq!(draw.to_string().parse(), Ok(draw));
        }
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Axis {
            draws: Vec<Draw>,
        }
        let axis = Axis { draws: vec![named, 0.into()] };
        let text = toml::to_string(&axis).unwrap();
        assert_eq!(text, "draws = [\"mvfa\", 0]\n");
        assert_eq!(toml::from_str::<Axis>(&text).unwrap(), axis);
        assert_eq!(format!("{:>5}|{named:<6}|", Draw::Number(7)), "    7|mvfa  |");
    }

    #[test]
    fn a_name_can_be_taken_for_no_number_and_fits_where_names_stand() {
        for text in ["", "1st", "-1", "+1", "a b", "a,b", "ä", "a/b", &"a".repeat(33)] {
            assert!(text.parse::<Draw>().is_err(), "{text}");
            assert!(serde_json::from_str::<Draw>(&format!("{text:?}")).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Draw>("\"4\"").is_err(), "a number is no name");
        let longest = "a".repeat(32);
        assert_eq!(longest.parse::<Draw>().unwrap().to_string(), longest);
        let mut all: Vec<Draw> = ["my-list", "10", "b", "2", "my"].map(|text| text.parse().unwrap()).to_vec();
        all.sort_unstable();
        assert_eq!(all.iter().map(Draw::to_string).collect::<Vec<_>>(), ["2", "10", "b", "my", "my-list"]);
    }
}
