//! Records that no cell of a folder's plan needs, as an edited experiment leaves them, finished or not, and taking them
//! away.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use harness_experiment::Plan;
use harness_records::{Entry, Folder, Journal, Lock, RecordId, now};

use crate::error::Error;

/// A record that the plan does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unneeded {
    /// Which.
    pub record: RecordId,
    /// Bytes of its files.
    pub bytes: u64,
}

/// The records of a folder that its plan does not name, trainings first, by id.
///
/// # Errors
/// The system's.
pub fn unneeded(plan: &Plan, folder: &Folder) -> Result<Vec<Unneeded>, Error> {
    let trainings = plan.trainings.iter().map(|training| RecordId::from(training.id));
    let named: HashSet<RecordId> = trainings.chain(plan.evaluations.iter().map(|e| RecordId::from(e.id))).collect();
    let mut unneeded = Vec::new();
    let unfinished = folder.unfinished()?.into_iter().map(RecordId::from);
    let all: BTreeSet<RecordId> = folder.records()?.into_iter().chain(unfinished).collect();
    for record in all.into_iter().filter(|record| !named.contains(record)) {
        let mut bytes = 0;
        for path in [folder.record(record), folder.partial(record)] {
            bytes += if path.is_dir() { bytes_in(&path)? } else { 0 };
        }
        unneeded.push(Unneeded { record, bytes });
    }
    Ok(unneeded)
}

/// Takes records away, each all of it or nothing, and writes so into the journal.
///
/// # Errors
/// The system's.
pub fn remove(folder: &Folder, _: &Lock, records: &[Unneeded]) -> Result<(), Error> {
    let journal = Journal::open(&folder.journal())?;
    // Evaluations first: predictions without their training would be no record.
    for Unneeded { record, .. } in records.iter().rev() {
        let unfinished = match record {
            RecordId::Training(id) => folder.forget_unfinished(*id)?,
            RecordId::Evaluation(_) => false,
        };
        if folder.remove(&folder.record(*record))? || unfinished {
            let why = Some("no cell of the plan needs it".to_owned());
            journal.append(&Entry::Removed { at: now(), record: *record, why })?;
        }
    }
    Ok(())
}

/// Bytes of all files in a folder and the folders in it.
fn bytes_in(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(Error::file("list", folder))? {
        let entry = entry.map_err(Error::file("list", folder))?;
        let path = entry.path();
        let metadata = entry.metadata().map_err(Error::file("look at", &path))?;
        bytes += if metadata.is_dir() { bytes_in(&path)? } else { metadata.len() };
    }
    Ok(bytes)
}
