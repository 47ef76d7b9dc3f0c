//! Content hashes of files, remembered between runs, and hashes of lists of items.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use harness_disk::{DiskError, write_durable};
use rayon::prelude::*;

use crate::error::{DataError, Result};
use crate::item::{Item, Source, hash_file};
use crate::mask::MaskValues;

/// Beginning of the cache file's first line, before the version and the checksum.
const FORMAT: &str = "harness file hashes ";
/// Version of the files that are written; [`parse`] has a reader for each older one.
const VERSION: u32 = 1;
/// An unfinished cache file that nobody wrote to for so long is a dead process's.
const IDLE: Duration = Duration::from_secs(3600);
/// A file younger than this is not remembered: it may change again without its time changing.
const SETTLED: Duration = Duration::from_secs(2);

/// A source's content hash, direct or remembered.
pub type HashOf<'a> = dyn Fn(&Source) -> Result<[u8; 32]> + Sync + 'a;

/// BLAKE3, hexadecimal, over labels, images and masks of `items` in their order.
///
/// # Errors
/// Those of `hash_of`.
pub fn items_hash<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    values: MaskValues,
    hash_of: &HashOf<'_>,
) -> Result<String> {
    Ok(parts_hash(&parts(items, hash_of)?, values))
}

/// [`items_hash`], and the same without the order: over the hashes of each item by itself, sorted.
///
/// # Errors
/// Those of `hash_of`.
pub(crate) fn set_hashes<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    values: MaskValues,
    hash_of: &HashOf<'_>,
) -> Result<(String, String)> {
    let parts = parts(items, hash_of)?;
    let mut single: Vec<String> = parts.iter().map(|part| parts_hash(std::slice::from_ref(part), values)).collect();
    single.sort_unstable();
    Ok((parts_hash(&parts, values), blake3::hash(single.concat().as_bytes()).to_hex().to_string()))
}

/// What of an item is hashed: label, image, mask.
type Part = (bool, [u8; 32], Option<[u8; 32]>);

fn parts<'a>(items: impl IntoIterator<Item = &'a Item>, hash_of: &HashOf<'_>) -> Result<Vec<Part>> {
    let items: Vec<&Item> = items.into_iter().collect();
    let part = |item: &&Item| Ok((item.abnormal, hash_of(&item.image)?, item.mask.as_ref().map(hash_of).transpose()?));
    items.par_iter().map(part).collect()
}

fn parts_hash(parts: &[Part], values: MaskValues) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness items 1 ").update(values.name().as_bytes());
    for (abnormal, image, mask) in parts {
        hasher.update(&[u8::from(*abnormal)]).update(image).update(&[u8::from(mask.is_some())]);
        hasher.update(&mask.unwrap_or_default());
    }
    hasher.finalize().to_hex().to_string()
}

/// BLAKE3, hexadecimal, over the images of `items` in their order: what decides predictions, and not how they are
/// judged.
///
/// # Errors
/// Those of `hash_of`.
pub fn images_hash<'a>(items: impl IntoIterator<Item = &'a Item>, hash_of: &HashOf<'_>) -> Result<String> {
    let items: Vec<&Item> = items.into_iter().collect();
    let hashes: Vec<[u8; 32]> = items.par_iter().map(|item| hash_of(&item.image)).collect::<Result<_>>()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"harness images 1");
    for hash in hashes {
        hasher.update(&hash);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// By what a file is taken to be unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    /// Nanoseconds since 1970; negative before.
    modified: i128,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Result<(Self, SystemTime)> {
        let metadata = std::fs::metadata(path).map_err(DataError::io("read", path))?;
        let modified = metadata.modified().map_err(DataError::io("read the time of", path))?;
        let nanoseconds = match modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Ok((Self { size: metadata.len(), modified: nanoseconds, inode }, modified))
    }
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<PathBuf, (Stamp, [u8; 32])>,
    /// What this process hashed; only this is written over what others wrote.
    fresh: BTreeMap<PathBuf, (Stamp, [u8; 32])>,
}

/// Hashes of files by path, size, time of modification and inode. Threads may share it.
#[derive(Debug)]
pub struct FileHashes {
    cache: Option<PathBuf>,
    verify: bool,
    state: Mutex<State>,
    note: Option<String>,
}

impl FileHashes {
    /// Reads the cache file. One that can't be read is taken as empty, and [`FileHashes::note`] says why. With `verify`
    /// nothing remembered is believed: each file is hashed again.
    pub fn open(cache: &Path, verify: bool) -> Self {
        // A leftover that can't be removed harms nobody.
        let _ = harness_disk::sweep(cache.parent().unwrap_or(Path::new(".")), IDLE);
        let (known, note) = match load(cache) {
            Ok(known) => (known, None),
            Err(reason) => {
                let note = format!("{}: the cache of hashes {reason}; all files are hashed again", cache.display());
                (BTreeMap::new(), Some(note))
            }
        };
        let state = State { known, ..State::default() };
        Self { cache: Some(cache.to_owned()), verify, state: Mutex::new(state), note }
    }

    /// Hashes remembered for the life of the process alone.
    pub fn in_memory() -> Self {
        Self { cache: None, verify: false, state: Mutex::default(), note: None }
    }

    /// Why the cache file was taken as empty, where it was there and could not be read.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The BLAKE3 hash of a file's content.
    ///
    /// # Errors
    /// [`DataError::Io`]; [`DataError::Changed`] where the file changes while it is read.
    pub fn of(&self, path: &Path) -> Result<[u8; 32]> {
        let key = std::fs::canonicalize(path).map_err(DataError::io("find", path))?;
        let (stamp, modified) = Stamp::of(&key)?;
        {
            let state = self.lock();
            let known = if self.verify { state.fresh.get(&key) } else { state.known.get(&key) };
            if let Some((known, hash)) = known
                && *known == stamp
            {
                return Ok(*hash);
            }
        }
        let hash = hash_file(&key)?;
        if Stamp::of(&key)?.0 != stamp {
            return Err(DataError::Changed { what: path.display().to_string() });
        }
        let settled = SystemTime::now().duration_since(modified).is_ok_and(|age| age >= SETTLED);
        if settled {
            let mut state = self.lock();
            state.known.insert(key.clone(), (stamp, hash));
            state.fresh.insert(key, (stamp, hash));
        }
        Ok(hash)
    }

    /// [`FileHashes::of`] for a file, the hash of the pixels for a generated plane.
    ///
    /// # Errors
    /// As [`FileHashes::of`].
    pub fn of_source(&self, source: &Source) -> Result<[u8; 32]> {
        match source {
            Source::File(path) => self.of(path),
            Source::Phantom(_) => source.content_hash(),
        }
    }

    /// Writes what was hashed to the cache file, together with what other processes wrote meanwhile: beside it, synced,
    /// then renamed.
    ///
    /// # Errors
    /// [`DataError::Io`]; the old cache is then untouched.
    pub fn save(&self) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        // One that can't be read is replaced.
        let mut all = load(cache).unwrap_or_default();
        {
            let state = self.lock();
            if state.fresh.is_empty() {
                return Ok(());
            }
            all.extend(state.fresh.iter().map(|(path, entry)| (path.clone(), *entry)));
        }
        let mut body = String::new();
        for (path, (stamp, hash)) in &all {
            // A name the format can't hold is hashed again each time.
            if let Some(path) = path.to_str().filter(|path| !path.contains(['\n', '\r'])) {
                let hash = blake3::Hash::from_bytes(*hash).to_hex();
                body += &format!("{hash} {} {} {} {path}\n", stamp.size, stamp.modified, stamp.inode);
            }
        }
        let text = format!("{FORMAT}{VERSION} {}\n{body}", blake3::hash(body.as_bytes()).to_hex());
        let failed = |error: DiskError| DataError::io("write the cache of hashes", cache)(error.into_io());
        write_durable(cache, text.as_bytes()).map_err(failed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The maps are whole after every statement, so a thread that died holding the lock left no half entry.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Entries = BTreeMap<PathBuf, (Stamp, [u8; 32])>;

/// The entries of a cache file; none where there is no file. `Err` says why it can't be read.
fn load(cache: &Path) -> std::result::Result<Entries, String> {
    match std::fs::read(cache) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Entries::new()),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<Entries, String> {
    let damaged = || "is damaged".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (head, body) = text.split_once('\n').ok_or_else(damaged)?;
    let (version, checksum) = head.strip_prefix(FORMAT).and_then(|rest| rest.split_once(' ')).ok_or_else(damaged)?;
    if blake3::hash(body.as_bytes()).to_hex().as_str() != checksum {
        return Err(damaged());
    }
    match version {
        "1" => parse_1(body).ok_or_else(damaged),
        other => Err(format!("has version {other}, and this program reads up to {VERSION}")),
    }
}

fn parse_1(body: &str) -> Option<Entries> {
    body.lines()
        .map(|line| {
            let mut fields = line.splitn(5, ' ');
            let hash = blake3::Hash::from_hex(fields.next()?).ok()?;
            let size = fields.next()?.parse().ok()?;
            let modified = fields.next()?.parse().ok()?;
            let inode = fields.next()?.parse().ok()?;
            Some((PathBuf::from(fields.next()?), (Stamp { size, modified, inode }, *hash.as_bytes())))
        })
        .collect()
}
