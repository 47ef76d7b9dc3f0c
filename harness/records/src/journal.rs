//! `journal.jsonl`: what happened in a results folder, a line each, append only. Records are the truth about what is
//! done; the journal says what failed and why.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use harness_disk::stop;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::error::Error;
use crate::ids::RecordId;

/// Version of the lines, in the one that a run begins with. A newer version may have other events; their lines are kept
/// and ignored, so this number is for people.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A run began.
    Run {
        /// Version of the lines that follow.
        #[serde(default = "one")]
        format: u32,
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
        /// Which.
        #[serde(flatten)]
        record: RecordId,
        /// Seconds it took.
        secs: f64,
        /// Which attempt of its run it was, from 1.
        #[serde(default = "one")]
        attempt: u32,
    },
    /// A record could not be made.
    Failed {
        /// Seconds since 1970.
        at: u64,
        /// Which.
        #[serde(flatten)]
        record: RecordId,
        /// Kind of failure.
        class: Class,
        /// What happened.
        message: String,
        /// Which attempt of its run it was, from 1.
        #[serde(default = "one")]
        attempt: u32,
    },
    /// A record, or part of it, was deleted, to be computed again.
    Removed {
        /// Seconds since 1970.
        at: u64,
        /// Which.
        #[serde(flatten)]
        record: RecordId,
        /// Why, where nobody asked for it: it could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
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

fn one() -> u32 {
    1
}

/// The journal of a folder, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Opens it, and cuts off a torn last line, which a kill leaves, so that the next one stands by itself.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let journal = Self { path: path.to_owned() };
        let bytes = read(path)?;
        if bytes.last().is_some_and(|last| *last != b'\n') {
            let whole = whole(&bytes).len() as u64;
            let file = OpenOptions::new().write(true).open(path).map_err(Error::file("open", path))?;
            file.set_len(whole).and_then(|()| file.sync_all()).map_err(Error::file("mend", path))?;
        }
        Ok(journal)
    }

    /// Adds a line and waits until it is on the disk.
    ///
    /// # Errors
    /// The system's.
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

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    /// The lines that this version understands, in order.
    pub known: Vec<Entry>,
    /// How many others there are: of a newer version, or damaged.
    pub unknown: usize,
}

/// All whole lines. One that can't be understood is counted and left where it is.
///
/// # Errors
/// The system's.
pub fn entries(path: &Path) -> Result<Entries, Error> {
    let bytes = read(path)?;
    let mut entries = Entries::default();
    let lines = whole(&bytes).split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => entries.known.push(entry),
            Err(_) => entries.unknown += 1,
        }
    }
    Ok(entries)
}

/// Why a record could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind of failure.
    pub class: Class,
    /// What happened.
    pub message: String,
}

/// The last failure of every record that no later completion took back.
///
/// # Errors
/// The system's.
pub fn failures(path: &Path) -> Result<HashMap<RecordId, Failure>, Error> {
    let mut failures = HashMap::new();
    for entry in entries(path)?.known {
        match entry {
            Entry::Failed { record, class, message, .. } => {
                failures.insert(record, Failure { class, message });
            }
            Entry::Completed { record, .. } | Entry::Removed { record, .. } => {
                failures.remove(&record);
            }
            Entry::Run { .. } | Entry::Ended { .. } => {}
        }
    }
    Ok(failures)
}

/// Up to the last end of a line.
fn whole(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)]
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => bytes.map_err(Error::file("read", path)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use harness_experiment::{EvaluationId, TrainingId};

    use super::*;

    fn training(number: u8) -> RecordId {
        TrainingId::from_bytes([number; 8]).into()
    }

    fn failed(record: RecordId) -> Entry {
        Entry::Failed { at: 0, record, class: Class::Numeric, message: "no".to_owned(), attempt: 1 }
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_next_line_stands_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        Journal::open(&path).unwrap().append(&failed(training(1))).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"event\":\"completed\",\"at\":1,\"reco");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(failures(&path).unwrap().len(), 1);
        Journal::open(&path).unwrap().append(&failed(training(2))).unwrap();
        assert_eq!(failures(&path).unwrap().len(), 2);
        assert_eq!(entries(&path).unwrap().unknown, 0);
    }

    #[test]
    fn events_of_newer_versions_and_damaged_lines_are_kept_and_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let strange = "{\"event\":\"claimed\",\"at\":1,\"host\":\"node7\"}\nnonsense \u{fffd}\n";
        std::fs::write(&path, strange).unwrap();
        Journal::open(&path).unwrap().append(&failed(training(1))).unwrap();
        let found = entries(&path).unwrap();
        assert_eq!((found.known, found.unknown), (vec![failed(training(1))], 2));
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(strange));
    }

    #[test]
    fn a_completion_takes_an_earlier_failure_of_the_same_record_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let journal = Journal::open(&path).unwrap();
        let other: RecordId = EvaluationId::from_bytes([1; 8]).into();
        journal.append(&failed(training(1))).unwrap();
        journal.append(&failed(other)).unwrap();
        journal.append(&Entry::Completed { at: 1, record: training(1), secs: 1.0, attempt: 1 }).unwrap();
        let failures = failures(&path).unwrap();
        assert_eq!(failures.keys().collect::<Vec<_>>(), [&other]);
    }

    #[test]
    fn kinds_and_ids_are_words_in_a_line() {
        let line = serde_json::to_string(&failed(training(0xab))).unwrap();
        assert!(line.contains("\"record\":\"training\",\"id\":\"abababababababab\""), "{line}");
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), failed(training(0xab)));
    }
}
