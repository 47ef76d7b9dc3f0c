//! Enums that are declared together with the name of each variant: the one that files, ids and tables use.

use std::fmt;

use crate::suggest;

/// A text that names no variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The text.
    pub text: String,
    /// The names there are.
    pub known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not one of {}", self.text, suggest::list(self.known.iter().copied()))?;
        match suggest::nearest(&self.text, self.known.iter().copied()) {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownName {}

/// Declares an enum with a name for each variant. From the names follow `ALL`, `name()`, `Display`, `FromStr`, serde's
/// form, the form in configuration files and the words in tables of keys.
///
/// The crate that uses it needs `serde` with its derive macros.
#[macro_export]
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $type:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        $vis enum $type {
            $($(#[$variant_meta])* #[serde(rename = $name)] $variant,)+
        }

        impl $type {
            /// All of them, in the order of declaration.
            $vis const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in files, ids and tables.
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl ::std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownName> {
                Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or_else(|| $crate::UnknownName {
                    text: text.to_owned(),
                    known: Self::ALL.map(Self::name).to_vec(),
                })
            }
        }

        impl $crate::Describe for $type {
            fn values() -> String {
                $crate::suggest::list(Self::ALL.map(Self::name))
            }

            fn many() -> String {
                Self::values()
            }

            fn shown(&self) -> String {
                self.name().to_owned()
            }

            fn schema() -> $crate::schema::Schema {
                $crate::schema::names(&Self::ALL.map(Self::name))
            }
        }

        $crate::choices!($type);
    };
}

#[cfg(test)]
mod tests {
    use crate::Describe;

    named_enum! {
        /// How fast.
        #[derive(Default)]
        pub(crate) enum Pace {
            /// Not fast.
            #[default]
            Slow = "slow",
            /// As fast as can be.
            VeryFast = "very-fast",
        }
    }

    #[test]
    fn a_name_is_declared_once_and_read_and_written_everywhere() {
        assert_eq!(Pace::ALL, [Pace::Slow, Pace::VeryFast]);
        assert_eq!(Pace::default().to_string(), "slow");
        for pace in Pace::ALL {
            assert_eq!(pace.name().parse(), Ok(pace));
            let written = toml::Value::try_from(pace).ok();
            assert_eq!(written.as_ref().and_then(toml::Value::as_str), Some(pace.name()));
            assert_eq!(written.and_then(|value| value.try_into().ok()), Some(pace));
        }
        assert_eq!(
            (Pace::values(), Pace::VeryFast.shown()),
            ("`slow`, `very-fast`".to_owned(), "very-fast".to_owned())
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = "very_fst".parse::<Pace>().map_err(|error| error.to_string());
        assert_eq!(message, Err("`very_fst` is not one of `slow`, `very-fast`; did you mean `very-fast`?".to_owned()));
    }
}
