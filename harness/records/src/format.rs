//! Versions of stored formats. Each format has its own, and a reader for every version up to it; a file of a newer one
//! is named as such.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What is stored as TOML, its version in the first line.
pub trait Stored: Sized + Serialize + DeserializeOwned {
    /// The version that is written.
    const FORMAT: u32;

    /// Reads the text of a file of this `format`, which is not newer than [`Self::FORMAT`]. A format that changed has
    /// an arm for each older version here. `None` where there never was such a version.
    ///
    /// # Errors
    /// A text that does not fit.
    fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>>;
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Writes a description, durable or not at all.
///
/// # Errors
/// The system's.
pub fn write_toml(stored: &impl Serialize, path: &Path) -> Result<(), Error> {
    let text = toml::to_string(stored).map_err(|error| Error::record(path, error))?;
    Ok(harness_disk::write_durable(path, text.as_bytes())?)
}

/// Reads a description.
///
/// # Errors
/// A file that can't be read, is damaged, or of a newer version.
pub fn read_toml<T: Stored>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    // Thousands are read for a report: the first line, as it is written, spares parsing the text twice.
    let first = text.lines().next().and_then(|line| line.strip_prefix("format = ")?.parse().ok());
    let format = match first {
        Some(format) => format,
        None => toml::from_str::<Version>(&text).map_err(|error| Error::record(path, error))?.format,
    };
    known(path, format, T::FORMAT)?;
    match T::parse(format, &text) {
        Some(parsed) => parsed.map_err(|error| Error::record(path, error)),
        None => Err(Error::record(path, format!("there is no format {format} of such a file"))),
    }
}

/// Refuses a format that is newer than this program.
///
/// # Errors
/// `Newer`.
pub(crate) fn known(path: &Path, found: u32, supported: u32) -> Result<(), Error> {
    if found > supported {
        return Err(Error::Newer { path: path.to_owned(), found, supported });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Format 1 had a number where format 2 has its double.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Example {
        format: u32,
        doubled: u32,
    }

    #[derive(Deserialize)]
    struct Example1 {
        number: u32,
    }

    impl Stored for Example {
        const FORMAT: u32 = 2;

        fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>> {
            match format {
                1 => Some(toml::from_str(text).map(|Example1 { number }| Self { format: 2, doubled: 2 * number })),
                2 => Some(toml::from_str(text)),
                _ => None,
            }
        }
    }

    #[test]
    fn an_older_format_has_a_reader_and_a_newer_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_toml::<Example>(&path)
        };
        assert_eq!(read("format = 1\nnumber = 4\n").unwrap().doubled, 8);
        assert_eq!(read("doubled = 9\nformat = 2\n").unwrap().doubled, 9);
        let newer = read("format = 3\nwhatever = []\n").unwrap_err().to_string();
        assert!(newer.contains("written by a newer version of harness"), "{newer}");
        for damaged in ["", "format = 0\n", "format = 2\ndoub", "number = 4\n"] {
            assert!(matches!(read(damaged), Err(Error::Record { .. })), "{damaged}");
        }
    }
}
