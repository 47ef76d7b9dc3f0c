//! What values a key takes and how one is shown, in the words of the documents' tables of keys.

/// A type of values that a table of keys describes.
pub trait Describe {
    /// The values a key of this type takes: "whole number", or names in back quotes.
    fn values() -> String;

    /// The same of a list's elements: "whole numbers".
    fn many() -> String;

    /// One value as a reader sees it, names without quotes.
    fn shown(&self) -> String;
}

macro_rules! plain {
    ($($type:ty: $one:literal, $many:literal;)*) => {$(
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
        }
    )*};
}

plain! {
    bool: "`true`, `false`", "`true`, `false`";
    f64: "number", "numbers";
    String: "string", "strings";
    u32: "whole number", "whole numbers";
    u64: "whole number", "whole numbers";
    usize: "whole number", "whole numbers";
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
