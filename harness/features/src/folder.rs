//! The store's folder: its default path, its format file, its lock, and the names of files in it.
//!
//! Locks are advisory (`flock`): exclusive on `lock` while chunks are added or evicted, exclusive on a partial file
//! while its writer lives, shared on a chunk while somebody has it mapped. The kernel drops them when a process dies.
//! On a file system without locks the store works, but evicts chunks in use, which is harmless, and keeps partial
//! files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use harness_disk::Durable;

use crate::error::Error;

/// Ending of complete chunks, in every version.
const CHUNK: &str = ".taps";
/// Ending of chunks in progress.
const PARTIAL: &str = ".taps-partial";
const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "lock";
/// An unfinished format file that nobody wrote to for so long is a dead process's.
const IDLE: Duration = Duration::from_secs(3600);

/// The user's tap store: `$XDG_CACHE_HOME/harness/taps`, else `~/.cache/harness/taps`. Nothing else in this crate looks
/// at the environment.
///
/// # Errors
/// `NoCacheFolder` where neither variable is an absolute path (relative ones are ignored, as the XDG rules want).
pub fn default_dir() -> Result<PathBuf, Error> {
    default_dir_from(std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from), std::env::var_os("HOME").map(PathBuf::from))
}

fn default_dir_from(cache: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf, Error> {
    let home = home.map(|home| home.join(".cache"));
    let base = [cache, home].into_iter().flatten().find(|path| path.is_absolute()).ok_or(Error::NoCacheFolder)?;
    Ok(base.join("harness").join("taps"))
}

/// What the format file of a folder says: names of files and locks. Chunks carry a version of their own.
const FORMAT: &str = "harness taps 1";

/// Creates the folder where it is missing and removes what dead writers left. Returns what the format file says where
/// it is not this version's.
pub(crate) fn prepare(dir: &Path) -> Result<Option<String>, Error> {
    fs::create_dir_all(dir).map_err(|source| Error::Folder { action: "create folders", dir: dir.into(), source })?;
    let format = read_format(dir)?;
    if format.is_none() {
        write_format(dir)?;
    }
    // A leftover that can't be removed harms nobody, for instance in a folder that is read-only.
    let _ = harness_disk::sweep(dir, IDLE);
    remove_dead_partials(dir)?;
    Ok(format.filter(|found| found != FORMAT))
}

fn read_format(dir: &Path) -> Result<Option<String>, Error> {
    let file = dir.join(FORMAT_FILE);
    match fs::read(&file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).trim().to_owned())),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { action: "read", file, source }),
    }
}

fn write_format(dir: &Path) -> Result<(), Error> {
    let text = format!("{FORMAT}\n");
    let mut file = Durable::create(&dir.join(FORMAT_FILE)).map_err(|error| Error::Folder {
        action: "create files",
        dir: dir.into(),
        source: error.into_io(),
    })?;
    let failed = |source| Error::write(&dir.join(FORMAT_FILE), dir, text.len() as u64, source);
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.commit().map_err(|error| failed(error.into_io()))
}

/// Removes another version's format file; the next open writes this version's.
pub(crate) fn remove_foreign_format(dir: &Path) -> Result<(), Error> {
    if read_format(dir)?.is_some_and(|found| found != FORMAT) {
        let file = dir.join(FORMAT_FILE);
        fs::remove_file(&file).map_err(|source| Error::File { action: "remove", file, source })?;
    }
    Ok(())
}

/// Held while chunks are added to or taken from a folder.
pub(crate) struct FolderLock(#[expect(dead_code, reason = "held for its lock")] File);

pub(crate) fn lock(dir: &Path) -> Result<FolderLock, Error> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK_FILE))
        .map_err(|source| Error::Folder { action: "create files", dir: dir.into(), source })?;
    // Without locks the store still works: see the top of this file.
    let _ = file.lock();
    Ok(FolderLock(file))
}

/// A complete chunk's file, as the folder lists it.
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) last_used: SystemTime,
}

/// The complete chunks, least recently used first. A missing folder has none.
pub(crate) fn chunks(dir: &Path) -> Result<Vec<Listed>, Error> {
    let mut found = Vec::new();
    for path in names(dir)?.into_iter().filter(|path| is_chunk(path)) {
        // Another process may remove it in between.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_file() {
            let last_used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Listed { path, bytes: metadata.len(), last_used });
        }
    }
    found.sort_by(|a, b| (a.last_used, &a.path).cmp(&(b.last_used, &b.path)));
    Ok(found)
}

/// Names of the complete chunks, without a look at each.
pub(crate) fn chunk_paths(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(names(dir)?.into_iter().filter(|path| is_chunk(path)).collect())
}

fn names(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    match read() {
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Folder { action: "list files", dir: dir.into(), source }),
        Ok(names) => Ok(names),
    }
}

/// Whether a path is named as this store names chunks: sixteen hexadecimal digits and the ending. Nothing else in a
/// folder is ever removed.
pub(crate) fn is_chunk(path: &Path) -> bool {
    stem(path, CHUNK).is_some_and(|stem| stem.len() == 16 && stem.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_partial(path: &Path) -> bool {
    let Some((random, pid)) = stem(path, PARTIAL).and_then(|stem| stem.split_once('-')) else { return false };
    let random = random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit());
    random && !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit())
}

fn stem<'a>(path: &'a Path, ending: &str) -> Option<&'a str> {
    path.file_name()?.to_str()?.strip_suffix(ending)
}

/// Creates a chunk's partial file, locked: the file, its path, and the path of the complete chunk.
pub(crate) fn create_partial(dir: &Path) -> Result<(Durable, PathBuf, PathBuf), Error> {
    let failed = |source| Error::Folder { action: "create files", dir: dir.into(), source };
    // The loop ends: a turn is repeated only if another process's clean-up came between creating and locking.
    loop {
        let name = random();
        let partial = dir.join(format!("{name:016x}-{}{PARTIAL}", std::process::id()));
        let target = dir.join(format!("{name:016x}{CHUNK}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&partial).map_err(failed)?;
        // Whoever cleans up removes a file while holding its lock. So a file that is locked by us and still there is
        // safe, one that somebody else has locked is not.
        let ours = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        let file = Durable::adopt(file, partial.clone(), target.clone()).map_err(|error| failed(error.into_io()))?;
        if ours && partial.exists() {
            return Ok((file, partial, target));
        }
    }
}

/// Removes partial files whose writer no longer holds its lock.
fn remove_dead_partials(dir: &Path) -> Result<(), Error> {
    for path in names(dir)?.into_iter().filter(|path| is_partial(path)) {
        // Failures are left to the next open: another process may be at the same, or the folder may be read-only.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Held while nobody may begin to read a chunk. Empty for a chunk that can't be opened.
pub(crate) struct ChunkLock(#[expect(dead_code, reason = "held for its lock")] Option<File>);

/// Claims a chunk for removal; `None` if a live reader has it mapped.
pub(crate) fn claim(chunk: &Path) -> Option<ChunkLock> {
    let file = File::open(chunk).ok();
    let in_use = file.as_ref().is_some_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
    (!in_use).then_some(ChunkLock(file))
}

/// Removes a chunk. Readers that have it mapped keep their map: Unix frees the bytes when the last of them ends.
pub(crate) fn remove(chunk: &Path) -> Result<(), Error> {
    match fs::remove_file(chunk) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { action: "remove", file: chunk.into(), source })
        }
        _ => Ok(()),
    }
}

/// A number that no other process draws: names must differ between machines that share a folder.
fn random() -> u64 {
    RandomState::new().hash_one((std::process::id(), SystemTime::now()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_default_folder_follows_xdg_then_home() {
        let at =
            |cache: Option<&str>, home: Option<&str>| default_dir_from(cache.map(Into::into), home.map(Into::into));
        assert_eq!(at(Some("/c"), Some("/h")).unwrap(), Path::new("/c/harness/taps"));
        assert_eq!(at(None, Some("/h")).unwrap(), Path::new("/h/.cache/harness/taps"));
        assert_eq!(at(Some("relative"), Some("/h")).unwrap(), Path::new("/h/.cache/harness/taps"));
        assert_eq!(at(Some(""), Some("/h")).unwrap(), Path::new("/h/.cache/harness/taps"));
        assert!(matches!(at(None, Some("")), Err(Error::NoCacheFolder)));
    }

    #[test]
    fn only_names_of_this_store_are_taken_for_chunks() {
        assert!(is_chunk(Path::new("/x/0123456789abcdef.taps")));
        assert!(is_partial(Path::new("/x/0123456789abcdef-77.taps-partial")));
        for name in ["notes.taps", "0123456789abcdef.taps-partial", "0123456789abcde.taps", "lock", "FORMAT"] {
            assert!(!is_chunk(Path::new(name)), "{name}");
        }
        for name in ["download", "0123456789abcdef", "0123456789abcdef-", "0123456789abcdef-a"] {
            let name = format!("{name}.taps-partial");
            assert!(!is_partial(Path::new(&name)), "{name}");
        }
    }
}
