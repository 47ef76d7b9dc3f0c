//! `journal.jsonl`: what happened in a results folder, a line each, append only. A torn last line, which a kill leaves, is
//! accepted and nothing else. Records are the truth about what is done; the journal says what failed and why.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use harness_disk::stop;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::error::Error;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A run began.
    Run {
        /// Seconds since 1970.
        at: u64,
        /// Version of the program.
        harness: String,
        /// Cells of the plan.
        cells: usize,
        /// Cells whose records were there.
        reused: usize,
    },
    /// A record was completed.
    Completed {
        /// Seconds since 1970.
        at: u64,
        /// `training` or `evaluation`.
        record: String,
        /// Its id.
        id: String,
        /// Seconds it took.
        secs: f64,
        /// Which attempt of its run it was, from 1.
        #[serde(default = "first")]
        attempt: u32,
    },
    /// A record could not be made.
    Failed {
        /// Seconds since 1970.
        at: u64,
        /// `training` or `evaluation`.
        record: String,
        /// Its id.
        id: String,
        /// Kind of failure.
        class: Class,
        /// What happened.
        message: String,
        /// Which attempt of its run it was, from 1.
        #[serde(default = "first")]
        attempt: u32,
    },
    /// A record was taken away, to be made again.
    Removed {
        /// Seconds since 1970.
        at: u64,
        /// `training` or `evaluation`.
        record: String,
        /// Its id.
        id: String,
    },
    /// A run ended.
    Ended {
        /// Seconds since 1970.
        at: u64,
        /// The user ended it.
        interrupted: bool,
        /// As many cells had failed as were allowed to.
        #[serde(default)]
        given_up: bool,
    },
}

fn first() -> u32 {
    1
}

/// The journal of a folder, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Opens it, and ends a torn last line so that the next one stands by itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let journal = Self { path: path.to_owned() };
        let text = read(path)?;
        if !text.is_empty() && !text.ends_with('\n') {
            let whole = text.rfind('\n').map_or(0, |end| end + 1) as u64;
            let file = OpenOptions::new().write(true).open(path).map_err(Error::file("open", path))?;
            file.set_len(whole).and_then(|()| file.sync_all()).map_err(Error::file("mend", path))?;
        }
        Ok(journal)
    }

    /// Adds a line and waits until it is on the disk.
    pub fn append(&self, entry: &Entry) -> Result<(), Error> {
        let mut line = serde_json::to_string(entry).map_err(|error| Error::record(&self.path, error))?;
        line.push('\n');
        let file = OpenOptions::new().append(true).create(true).open(&self.path);
        let mut file = file.map_err(Error::file("open", &self.path))?;
        stop::reached();
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        stop::reached();
        written.map_err(Error::file("write to", &self.path))
    }
}

/// The last failure of every record, by id, that no later completion took back.
pub fn failures(path: &Path) -> Result<HashMap<String, (Class, String)>, Error> {
    let mut failures = HashMap::new();
    for entry in entries(path)? {
        match entry {
            Entry::Failed { id, class, message, .. } => {
                failures.insert(id, (class, message));
            }
            Entry::Completed { id, .. } | Entry::Removed { id, .. } => {
                failures.remove(&id);
            }
            Entry::Run { .. } | Entry::Ended { .. } => {}
        }
    }
    Ok(failures)
}

/// All whole lines.
pub fn entries(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = read(path)?;
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let what = format!("line {}: {error}; the journal was edited or is damaged: move it away", number + 1);
            Error::record(path, what)
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

fn read(path: &Path) -> Result<String, Error> {
    match std::fs::read(path) {
        // A tear may go through a character; what is whole is text.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn failed(id: &str) -> Entry {
        let (record, message) = ("training".to_owned(), "no".to_owned());
        Entry::Failed { at: 0, record, id: id.to_owned(), class: Class::Numeric, message, attempt: 1 }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_next_line_stands_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        Journal::open(&path).unwrap().append(&failed("a")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"event\":\"completed\",\"at\":1,\"reco");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(failures(&path).unwrap().len(), 1);
        Journal::open(&path).unwrap().append(&failed("b")).unwrap();
        assert_eq!(failures(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_bad_line_that_is_not_the_last_is_an_error_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"event\":\"ended\",\"at\":1,\"interrupted\":false}\nnonsense\n").unwrap();
        assert!(failures(&path).unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn a_completion_takes_an_earlier_failure_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.append(&failed("a")).unwrap();
        let done = Entry::Completed { at: 1, record: "training".to_owned(), id: "a".to_owned(), secs: 1.0, attempt: 1 };
        journal.append(&done).unwrap();
        assert!(failures(&path).unwrap().is_empty());
    }
}
