//! Keys of experiment files, declared once for each table, for the reader and for the documents.

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
}

macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

/// Declares the plain keys of a table. A key is required (with an example of what to write), has a `default` value, or
/// holds `otherwise`, in words, where it is absent.
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
            $($(#[doc = $doc])+ pub(crate) $key: Option<harness_config::Spanned<$type>>,)+
        }

        impl $section {
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($key)),+];

            fn read(table: &mut harness_config::Table<'_, '_>) -> Self {
                Self {
                    $($key: $crate::keys::first!(
                        $(table.required(stringify!($key), $example),)?
                        table.optional(stringify!($key))
                    ),)+
                }
            }

            pub(crate) fn keys() -> Vec<$crate::keys::Key> {
                vec![$($crate::keys::Key {
                    name: stringify!($key),
                    values: $crate::keys::first!(
                        $($values.to_owned(),)?
                        <$type as harness_config::Describe>::values()
                    ),
                    default: $crate::keys::first!(
                        $({ let _ = $example; "required".to_owned() },)?
                        $({ let default: $type = $default; format!("`{}`", harness_config::Describe::shown(&default)) },)?
                        $($otherwise.to_owned(),)?
                        String::new()
                    ),
                    meaning: concat!($($doc),+).trim(),
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

pub(crate) use {first, section};
