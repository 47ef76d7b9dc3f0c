//! A decimal number that can be compared and hashed, as options are: by its bits.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use crate::describe::Describe;
use crate::problems::Findings;
use crate::value::FromValue;

/// A decimal number as an option's value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Real {}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromValue for Real {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        f64::from_value(key, value, findings).map(Self)
    }
}

impl Describe for Real {
    fn values() -> String {
        f64::values()
    }

    fn many() -> String {
        f64::many()
    }

    fn shown(&self) -> String {
        self.to_string()
    }

    fn schema() -> crate::schema::Schema {
        f64::schema()
    }
}
