//! Facts of files, remembered between runs by the content of the file: copies and moved files share them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harness_disk::{DiskError, write_durable};

use crate::error::{DataError, Result};
use crate::facts::Facts;
use crate::sealed::{seal, unseal};

/// Beginning of the cache file's first line, before the version and the checksum.
const FORMAT: &str = "harness file facts ";
/// Version of the files that are written, and of the facts in them: those of another version are found out again.
const VERSION: u32 = 4;

type Entries = BTreeMap<[u8; 32], Arc<Facts>>;

#[derive(Debug, Default)]
struct State {
    known: Entries,
    /// What this process found out.
    fresh: Entries,
}

/// Facts by BLAKE3 of the file's bytes. Threads may share it.
#[derive(Debug, Default)]
pub(crate) struct FactsCache {
    file: Option<PathBuf>,
    state: Mutex<State>,
}

impl FactsCache {
    /// Reads the cache file; one that can't be read is taken as empty, and the note says why.
    pub(crate) fn open(file: &Path) -> (Self, Option<String>) {
        let (known, note) = match load(file) {
            Ok(known) => (known, None),
            Err(reason) => {
                let note =
                    format!("{}: the cache of files' facts {reason}; all files are looked at again", file.display());
                (Entries::new(), Some(note))
            }
        };
        let state = Mutex::new(State { known, fresh: Entries::new() });
        (Self { file: Some(file.to_owned()), state }, note)
    }

    pub(crate) fn get(&self, content: &[u8; 32]) -> Option<Arc<Facts>> {
        self.lock().known.get(content).cloned()
    }

    pub(crate) fn any(&self) -> bool {
        !self.lock().known.is_empty()
    }

    pub(crate) fn put(&self, content: [u8; 32], facts: &Arc<Facts>) {
        let mut state = self.lock();
        state.known.insert(content, Arc::clone(facts));
        state.fresh.insert(content, Arc::clone(facts));
    }

    /// Writes what was found out, together with what other processes wrote meanwhile.
    ///
    /// # Errors
    /// [`DataError::Io`]; the old cache is then untouched.
    pub(crate) fn save(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        // One that can't be read is replaced.
        let mut all = load(file).unwrap_or_default();
        {
            let state = self.lock();
            if state.fresh.is_empty() {
                return Ok(());
            }
            all.extend(state.fresh.iter().map(|(content, facts)| (*content, Arc::clone(facts))));
        }
        let mut body = String::new();
        for (content, facts) in &all {
            body += &format!("{} {}\n", blake3::Hash::from_bytes(*content).to_hex(), facts.to_line());
        }
        let failed = |error: DiskError| DataError::io("write the cache of files' facts", file)(error.into_io());
        write_durable(file, seal(FORMAT, VERSION, &body).as_bytes()).map_err(failed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The maps are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of a cache file; none where there is no file. `Err` says why it can't be read.
fn load(file: &Path) -> std::result::Result<Entries, String> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Entries::new()),
        Err(error) => return Err(format!("can't be read: {error}")),
    };
    let (version, body) = unseal(FORMAT, &bytes)?;
    // Facts of an earlier version say less: the files are looked at again.
    if version.parse::<u32>().is_ok_and(|version| version < VERSION) {
        return Ok(Entries::new());
    }
    if version != VERSION.to_string() {
        return Err(format!("has version {version}, and this program reads up to {VERSION}"));
    }
    let entry = |line: &str| {
        let (content, facts) = line.split_once(' ')?;
        Some((*blake3::Hash::from_hex(content).ok()?.as_bytes(), Arc::new(Facts::from_line(facts)?)))
    };
    body.lines().map(entry).collect::<Option<Entries>>().ok_or_else(|| "is damaged".to_owned())
}
