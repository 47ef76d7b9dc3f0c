//! What values a key takes and how one is shown, in the words of the documents' tables of keys, and as a JSON schema.

use serde_json::json;

use crate::schema::{self, Schema};

/// A type of values that a table of keys describes.
pub trait Describe {
    /// The values a key of this type takes: "whole number", or names in back quotes.
    fn values() -> String;

    /// The same of a list's elements: "whole numbers".
    fn many() -> String;

    /// One value as a reader sees it, names without quotes.
    fn shown(&self) -> String;

    /// The values as a JSON schema, for editors: it takes every value that the reader takes.
    fn schema() -> Schema;
}

macro_rules! plain {
    ($($type:ty: $one:literal, $many:literal, $schema:tt;)*) => {$(
        impl Describe for $type {
            fn values() -> String {
                $one.to_owned()
            }

            fn many() -> String {
                $many.to_owned()
            }

            fn shown(&self) -> String {
                self.to_string()
            }

            fn schema() -> Schema {
                json!($schema)
            }
        }
    )*};
}

plain! {
    bool: "`true`, `false`", "`true`, `false`", {"type": "boolean"};
    f64: "number", "numbers", {"type": "number"};
    String: "string", "strings", {"type": "string"};
    u32: "whole number", "whole numbers", {"type": "integer", "minimum": 0};
    u64: "whole number", "whole numbers", {"type": "integer", "minimum": 0};
    usize: "whole number", "whole numbers", {"type": "integer", "minimum": 0};
}

impl<T: Describe> Describe for Vec<T> {
    fn values() -> String {
        format!("list of {}", T::many())
    }

    fn many() -> String {
        format!("lists of {}", T::many())
    }

    fn shown(&self) -> String {
        self.iter().map(T::shown).collect::<Vec<_>>().join(", ")
    }

    fn schema() -> Schema {
        schema::list(T::schema())
    }
}

impl<T: Describe> Describe for toml::Spanned<T> {
    fn values() -> String {
        T::values()
    }

    fn many() -> String {
        T::many()
    }

    fn shown(&self) -> String {
        self.get_ref().shown()
    }

    fn schema() -> Schema {
        T::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_described_by_their_elements() {
        assert_eq!(Vec::<usize>::values(), "list of whole numbers");
        assert_eq!(vec![6, 12usize].shown(), "6, 12");
        assert_eq!((bool::values(), true.shown()), ("`true`, `false`".to_owned(), "true".to_owned()));
    }
}
