//! How many images of each class a support set has: K and K, or any other pair.

use std::fmt;
use std::str::FromStr;

use harness_config::schema::{self, Schema};
use harness_config::{DeValue, Describe, Findings, FromValue, Key, Kind, Spanned, suggest, wrong_kind};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::side::Side;

/// Images of each class in a support set.
///
/// As text, in files and in JSON it is the number K where both classes have K images, and else `16+0`: normal images,
/// then abnormal ones. It is ordered by normal images, then abnormal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shots {
    /// Normal images.
    pub normal: u32,
    /// Abnormal images.
    pub abnormal: u32,
}

impl Shots {
    /// K images of each class.
    pub const fn each(k: u32) -> Self {
        Self { normal: k, abnormal: k }
    }

    /// K, where both classes have K images.
    pub const fn k(self) -> Option<u32> {
        if self.normal == self.abnormal { Some(self.normal) } else { None }
    }

    /// Images of a class.
    pub const fn of(self, side: Side) -> u32 {
        match side {
            Side::Normal => self.normal,
            Side::Abnormal => self.abnormal,
        }
    }

    /// Images of both classes.
    pub const fn images(self) -> u64 {
        self.normal as u64 + self.abnormal as u64
    }

    /// Images of the class that has fewer.
    pub const fn fewest(self) -> u32 {
        if self.normal < self.abnormal { self.normal } else { self.abnormal }
    }

    /// As text that says what it counts: `4`, or `16+0 (normal+abnormal)`.
    pub fn explained(self) -> String {
        if self.k().is_some() { self.to_string() } else { format!("{self} (normal+abnormal)") }
    }

    /// As an experiment file has it: `4`, or `{ normal = 16, abnormal = 0 }`.
    pub fn typed(self) -> String {
        let Self { normal, abnormal } = self;
        self.k().map_or_else(|| format!("{{ normal = {normal}, abnormal = {abnormal} }}"), |k| k.to_string())
    }
}

impl fmt::Display for Shots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.k() {
            Some(k) => f.pad(&k.to_string()),
            None => f.pad(&format!("{}+{}", self.normal, self.abnormal)),
        }
    }
}

/// Text that isn't [`Shots`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a number of images of each class, as `4`, nor one of normal and one of abnormal images, as `16+0`"
)]
pub struct ParseShotsError(String);

impl FromStr for Shots {
    type Err = ParseShotsError;

    /// A pair of equal numbers, as `4+4`, is that number.
    fn from_str(text: &str) -> Result<Self, ParseShotsError> {
        let number = |text: &str| match text.parse() {
            Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
            _ => Err(()),
        };
        let parsed = match text.split_once('+') {
            Some((normal, abnormal)) => {
                number(normal).and_then(|normal| Ok(Self { normal, abnormal: number(abnormal)? }))
            }
            None => number(text).map(Self::each),
        };
        parsed.map_err(|()| ParseShotsError(text.to_owned()))
    }
}

impl Serialize for Shots {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.k() {
            Some(k) => serializer.serialize_u32(k),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Shots {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrPair;

        impl Visitor<'_> for NumberOrPair {
            type Value = Shots;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of images of each class, or text as \"16+0\"")
            }

            fn visit_u64<E: Error>(self, k: u64) -> Result<Shots, E> {
                u32::try_from(k).map(Shots::each).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, k: i64) -> Result<Shots, E> {
                u32::try_from(k).map(Shots::each).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Shots, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrPair)
    }
}

/// The keys of a pair in an experiment file.
const PAIR: [&str; 2] = ["normal", "abnormal"];

impl FromValue for Shots {
    fn from_value(key: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let table = match value.get_ref() {
            DeValue::Integer(_) => return u32::from_value(key, value, findings).map(Self::each),
            DeValue::Table(table) => table,
            _ => {
                wrong_kind(key, value, Kind::Integer, findings);
                return None;
            }
        };
        let mut complete = true;
        for (name, _) in table {
            if !PAIR.contains(&name.get_ref().as_ref()) {
                let near = suggest::nearest(name.get_ref(), PAIR);
                let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                let message = format!(
                    "unknown key `{}` in an element of `{key}`; {near}write {{ normal = 16, abnormal = 0 }}",
                    name.get_ref()
                );
                findings.add(name.span().start, message);
                complete = false;
            }
        }
        let [normal, abnormal] = PAIR.map(|name| match table.get(name) {
            Some(number) => u32::from_value(name, number, findings),
            None => {
                let message = format!(
                    "an element of `{key}` lacks `{name}`; write both numbers, as in {{ normal = 16, abnormal = 0 }}"
                );
                findings.add(value.span().start, message);
                None
            }
        });
        Some(Self { normal: normal?, abnormal: abnormal? }).filter(|_| complete)
    }
}

impl Describe for Shots {
    fn values() -> String {
        "whole number from 1, or a pair such as `{ normal = 16, abnormal = 0 }`".to_owned()
    }

    fn many() -> String {
        "whole numbers from 1, and of pairs such as `{ normal = 16, abnormal = 0 }`".to_owned()
    }

    fn shown(&self) -> String {
        self.typed()
    }

    fn schema() -> Schema {
        let number = |name| Key::new(name, "Support images of this class", u32::schema());
        let pair = PAIR.map(|name| Key { required: true, ..number(name) });
        schema::either([u32::schema(), Key::schema_of(&pair)])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const NORMALS: Shots = Shots { normal: 16, abnormal: 0 };

    #[test]
    fn equal_numbers_are_k_and_others_a_pair() {
        assert_eq!((Shots::each(4).to_string(), NORMALS.to_string()), ("4".to_owned(), "16+0".to_owned()));
        assert_eq!(format!("{:>5}|{:<5}|", Shots::each(4), NORMALS), "    4|16+0 |");
        assert_eq!((Shots::each(4).k(), NORMALS.k(), NORMALS.images(), NORMALS.fewest()), (Some(4), None, 16, 0));
        assert_eq!(NORMALS.explained(), "16+0 (normal+abnormal)");
        for shots in [Shots::each(4), NORMALS, Shots { normal: 8, abnormal: 2 }] {
            assert_eq!(shots.to_string().parse(), Ok(shots));
        }
        assert_eq!("4+4".parse(), Ok(Shots::each(4)));
        for text in ["", "four", "4+", "+4", "4+-1", "1+2+3", "4 + 4"] {
            assert!(text.parse::<Shots>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_balanced_number_is_stored_as_it_was_before_there_were_pairs() {
        let stored = |shots: Shots| serde_json::to_string(&shots).unwrap();
        assert_eq!((stored(Shots::each(4)), stored(NORMALS)), ("4".to_owned(), "\"16+0\"".to_owned()));
        for shots in [Shots::each(4), NORMALS] {
            assert_eq!(serde_json::from_str::<Shots>(&stored(shots)).unwrap(), shots);
        }
        assert!(serde_json::from_str::<Shots>("-1").is_err());
        assert!(serde_json::from_str::<Shots>("\"many\"").is_err());
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        struct Axis {
            shots: Vec<Shots>,
        }
        let axis = Axis { shots: vec![Shots::each(2), NORMALS] };
        let text = toml::to_string(&axis).unwrap();
        assert_eq!(text, "shots = [2, \"16+0\"]\n");
        assert_eq!(toml::from_str::<Axis>(&text).unwrap(), axis);
    }

    #[test]
    fn they_are_ordered_by_normal_images_first() {
        let mut all = [Shots::each(16), NORMALS, Shots { normal: 8, abnormal: 2 }, Shots::each(4)];
        all.sort_unstable();
        assert_eq!(all.iter().map(Shots::to_string).collect::<Vec<_>>(), ["4", "8+2", "16+0", "16"]);
    }
}
