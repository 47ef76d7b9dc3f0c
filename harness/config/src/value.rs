//! Reads a TOML value as a Rust value, or notes what was expected.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::DeValue;

use crate::problems::Findings;
use crate::suggest;

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A number, whole or decimal.
    Number,
    /// True or false.
    Boolean,
    /// A string.
    Text,
    /// A list.
    List,
    /// A table.
    Table,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Table => "a table",
        })
    }
}

/// A type that a value of a configuration file can have. `None` means that a finding was added.
pub trait FromValue: Sized {
    /// Reads the value of `key`.
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self>;
}

impl<T: FromValue> FromValue for Spanned<T> {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        T::from_value(key, value, findings).map(|inner| Spanned::new(value.span(), inner))
    }
}

/// One bad element spoils the list, and every bad one is noted: a shortened list would be another experiment.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            wrong_kind(key, value, Kind::List, findings);
            return None;
        };
        let all: Vec<Option<T>> = array.iter().map(|item| T::from_value(key, item, findings)).collect();
        all.into_iter().collect()
    }
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
                let Some(integer) = value.get_ref().as_integer() else {
                    wrong_kind(key, value, Kind::Integer, findings);
                    return None;
                };
                let parsed = <$type>::from_str_radix(integer.as_str(), integer.radix()).ok();
                // TOML's integers are 64 bits with a sign; a larger one could not be written back.
                let parsed = parsed.filter(|parsed| i64::try_from(*parsed).is_ok());
                if parsed.is_none() {
                    let largest = i64::try_from(<$type>::MAX).unwrap_or(i64::MAX);
                    let message = format!("`{key}` is {integer}; write a whole number from 0 to {largest}");
                    findings.add(value.span().start, message);
                }
                parsed
            }
        }
    )*};
}
integer!(u32, u64, usize);

impl FromValue for f64 {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let parsed = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok(),
            _ => None,
        };
        if parsed.is_none() {
            wrong_kind(key, value, Kind::Number, findings);
        }
        parsed
    }
}

impl FromValue for bool {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let parsed = value.get_ref().as_bool();
        if parsed.is_none() {
            wrong_kind(key, value, Kind::Boolean, findings);
        }
        parsed
    }
}

impl FromValue for String {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let parsed = value.get_ref().as_str().map(str::to_owned);
        if parsed.is_none() {
            wrong_kind(key, value, Kind::Text, findings);
        }
        parsed
    }
}

/// Implements [`FromValue`] for enums, under the names that serde gives their variants.
#[macro_export]
macro_rules! choices {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::FromValue for $type {
            fn from_value(
                key: &str,
                value: &$crate::Spanned<$crate::DeValue<'_>>,
                findings: &mut $crate::Findings,
            ) -> Option<Self> {
                $crate::choose(key, value, findings)
            }
        }
    )*};
}

/// Reads an enum by the names that serde gives its variants.
pub fn choose<T: DeserializeOwned>(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        wrong_kind(key, value, Kind::Text, findings);
        return None;
    };
    let deserializer: StrDeserializer<'_, de::value::Error> = text.into_deserializer();
    let parsed = T::deserialize(deserializer).ok();
    if parsed.is_none() {
        let values = names::<T>();
        let near = suggest::nearest(text, values.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let message = format!("`{key}` can't be `{text}`; {near}values: {}", suggest::list(values.iter().copied()));
        findings.add(value.span().start, message);
    }
    parsed
}

/// Notes that a value has the wrong type, and what to write.
pub fn wrong_kind(key: &str, value: &Spanned<DeValue<'_>>, expected: Kind, findings: &mut Findings) {
    let (found, source) = match value.get_ref() {
        DeValue::String(_) => ("a string", Kind::Text),
        DeValue::Integer(_) => ("a whole number", Kind::Integer),
        DeValue::Float(_) => ("a decimal number", Kind::Number),
        DeValue::Boolean(_) => ("true or false", Kind::Boolean),
        DeValue::Datetime(_) => ("a date", Kind::Text),
        DeValue::Array(_) => ("a list", Kind::List),
        DeValue::Table(_) => ("a table", Kind::Table),
    };
    let advice = match (source, expected) {
        (Kind::Table, Kind::List) => format!("; write {key} = [...]"),
        (_, Kind::List) => "; put it in brackets".to_owned(),
        (_, Kind::Table) => format!("; write [{key}] and its keys below"),
        (Kind::List, _) => "; give one value, without brackets".to_owned(),
        (Kind::Text, _) => "; write it without quotes".to_owned(),
        (_, Kind::Text) => "; put it in quotes".to_owned(),
        _ => "; change it".to_owned(),
    };
    findings.add(value.span().start, format!("`{key}` must be {expected}, not {found}{advice}"));
}

/// The names serde knows for an enum, in order.
pub fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(Ask) {
        Err(Names(names)) => names,
        Ok(_) => &[],
    }
}

/// A deserializer that gives nothing and notes which variants it is asked for.
struct Ask;

#[derive(Debug)]
struct Names(&'static [&'static str]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Names {}

impl de::Error for Names {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> de::Deserializer<'de> for Ask {
    type Error = Names;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Names> {
        Err(Names(variants))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
