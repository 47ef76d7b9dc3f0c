//! Keys of a table, declared once: for the reader, the documents and the schema.

use serde_json::{Map, json};

use crate::schema::{Schema, described};

/// A key as the documents list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The values it takes, in words.
    pub values: String,
    /// What holds without it: a value, words, or `required`.
    pub default: String,
    /// What it says: one sentence.
    pub meaning: &'static str,
    /// It must be there.
    pub required: bool,
    /// The values it takes.
    pub schema: Schema,
}

impl Key {
    /// A key that the documents describe elsewhere, and that may be absent.
    pub fn new(name: &'static str, meaning: &'static str, schema: Schema) -> Self {
        Self { name, values: String::new(), default: String::new(), meaning, required: false, schema }
    }

    /// A key that is a table with keys of its own; `default` is in words.
    pub fn table(name: &'static str, keys: &[Self], default: String, meaning: &'static str) -> Self {
        let names = keys.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ");
        Self {
            name,
            values: format!("table: {names}"),
            default,
            meaning,
            required: false,
            schema: Self::schema_of(keys),
        }
    }

    /// A table with these keys and no others.
    pub fn schema_of(keys: &[Self]) -> Schema {
        let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut properties = Map::new();
        for key in keys {
            properties.insert(key.name.to_owned(), described(key.schema.clone(), &key.description()));
        }
        let mut table = json!({"type": "object", "properties": properties, "additionalProperties": false});
        if !required.is_empty() {
            table["required"] = json!(required);
        }
        table
    }

    /// The meaning as a sentence, and what holds without the key.
    fn description(&self) -> String {
        let default = if self.required || self.default.is_empty() {
            String::new()
        } else {
            format!(" Default: {}.", self.default)
        };
        format!("{}.{default}", self.meaning.trim_end_matches('.'))
    }
}

/// The first of some expressions, for macros with optional parts.
#[doc(hidden)]
#[macro_export]
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

/// Declares the plain keys of a table as a struct of what was typed. A key is required (with an example of what to
/// write), has a `default` value, or holds `otherwise`, in words, where it is absent.
#[macro_export]
macro_rules! section {
    (
        $(#[$meta:meta])*
        struct $section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty {
                    $(values: $values:literal,)?
                    $(required: $example:literal,)?
                    $(default: $default:expr,)?
                    $(otherwise: $otherwise:literal,)?
                }
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub(crate) struct $section {
            $($(#[doc = $doc])+ pub(crate) $key: Option<$crate::Spanned<$type>>,)+
        }

        #[allow(dead_code, reason = "not every table needs all of it")]
        impl $section {
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($key)),+];

            pub(crate) fn read(table: &mut $crate::Table<'_, '_>) -> Self {
                Self {
                    $($key: $crate::first!(
                        $(table.required(stringify!($key), $example),)?
                        table.optional(stringify!($key))
                    ),)+
                }
            }

            pub(crate) fn keys() -> Vec<$crate::Key> {
                vec![$($crate::Key {
                    name: stringify!($key),
                    values: $crate::first!(
                        $($values.to_owned(),)?
                        <$type as $crate::Describe>::values()
                    ),
                    default: $crate::first!(
                        $({ let _ = $example; "required".to_owned() },)?
                        $({ let default: $type = $default; format!("`{}`", $crate::Describe::shown(&default)) },)?
                        $($otherwise.to_owned(),)?
                        String::new()
                    ),
                    meaning: concat!($($doc),+).trim(),
                    required: $crate::first!($({ let _ = $example; true },)? false),
                    schema: <$type as $crate::Describe>::schema(),
                }),+]
            }

            $($(
                /// The value, or its default.
                pub(crate) fn $key(&self) -> $type {
                    self.$key.as_ref().map_or($default, |value| value.get_ref().clone())
                }
            )?)+
        }
    };
}
