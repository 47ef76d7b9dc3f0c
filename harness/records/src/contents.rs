//! `files.json`: the size and hash of every file of a record, so that one that was damaged, cut or deleted is noticed.
//! Sizes are always compared, hashes where a file was written after the list. Records of versions before it have none.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::unfinished::UNFINISHED;

/// Name of the list.
const NAME: &str = "files.json";
const FORMAT: u32 = 1;
/// What belongs to no record: how it was made.
const ASIDE: [&str; 3] = [NAME, "log.txt", UNFINISHED];

/// The list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Contents {
    format: u32,
    /// By path in the record's folder, with `/`.
    files: BTreeMap<String, Content>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    bytes: u64,
    blake3: String,
}

/// A file of a record that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its path in the record's folder, with `/`.
    pub file: String,
    /// What is wrong, with the whole path.
    pub what: String,
}

/// How a record's files are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Sizes, and hashes of files that were written after the list.
    Changed,
    /// The same; and where all is well the list is marked as newer than the files, so that the next time none of them
    /// is read again. Only for who may write to the folder.
    ChangedOnce,
    /// Every hash.
    All,
}

/// Lists what is in a folder that becomes a record. Files that a killed process left unfinished in it are removed: they
/// belong to no record, and would be missed once they are swept.
///
/// # Errors
/// The system's.
pub(crate) fn list(folder: &Path) -> Result<(), Error> {
    let mut files = BTreeMap::new();
    harness_disk::sweep(folder, Duration::ZERO)?;
    for path in files_in(folder)? {
        let name = name_in(folder, &path);
        if !ASIDE.contains(&name.as_str()) {
            files.insert(name, Content::of(&path)?);
        }
    }
    Contents { format: FORMAT, files }.write(folder)
}

/// Compares a record's files with its list, all of them or those `named`; what is there and not listed is not looked
/// at. `None` where there is no list, or none that this version reads.
pub fn compare(folder: &Path, named: Option<&[&str]>, depth: Depth) -> Option<Vec<Damage>> {
    let contents = Contents::read(folder)?;
    let listed = modified(std::fs::metadata(folder.join(NAME)).ok().as_ref());
    let wanted = |name: &&String| named.is_none_or(|named| named.contains(&name.as_str()));
    let (mut damage, mut read) = (Vec::new(), false);
    for (name, content) in contents.files.iter().filter(|(name, _)| wanted(name)) {
        let path = path_in(folder, name);
        let metadata = std::fs::metadata(&path).ok().filter(Metadata::is_file);
        let hashed = depth == Depth::All || modified(metadata.as_ref()) > listed;
        let wrong = match metadata {
            None => Some("it is missing".to_owned()),
            Some(found) if found.len() != content.bytes => {
                Some(format!("{} bytes, written were {}", found.len(), content.bytes))
            }
            Some(_) if hashed => {
                read = true;
                match hash(&path) {
                    Ok(found) if found == content.blake3 => None,
                    Ok(_) => Some("its content is not what was written".to_owned()),
                    Err(error) => Some(error.to_string()),
                }
            }
            Some(_) => None,
        };
        damage.extend(wrong.map(|what| Damage { file: name.clone(), what: format!("{}: {what}", path.display()) }));
    }
    if read && damage.is_empty() && named.is_none() && depth == Depth::ChangedOnce {
        // Where that fails, they are read again the next time.
        let _ =
            File::options().append(true).open(folder.join(NAME)).and_then(|file| file.set_modified(SystemTime::now()));
    }
    Some(damage)
}

/// Has files of a record written anew, and lists them as they are then. Meanwhile they are not listed, so that a
/// process that is killed leaves nothing that looks damaged.
///
/// # Errors
/// The system's, and those of `write`.
pub fn rewrite<T, E: From<Error>>(folder: &Path, names: &[&str], write: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let Some(mut contents) = Contents::read(folder) else { return write() };
    contents.forget(folder, |name| names.contains(&name))?;
    let written = write()?;
    for name in names {
        let path = path_in(folder, name);
        if path.is_file() {
            contents.files.insert((*name).to_owned(), Content::of(&path)?);
        }
    }
    contents.write(folder)?;
    Ok(written)
}

/// Takes files off a record's list that are about to be removed.
///
/// # Errors
/// The system's.
pub(crate) fn forget(folder: &Path, paths: &[PathBuf]) -> Result<(), Error> {
    let names: Vec<String> = paths.iter().map(|path| name_in(folder, path)).collect();
    match Contents::read(folder) {
        Some(mut contents) => contents.forget(folder, |name| names.iter().any(|gone| gone == name)),
        None => Ok(()),
    }
}

impl Contents {
    fn read(folder: &Path) -> Option<Self> {
        let contents: Self = serde_json::from_slice(&std::fs::read(folder.join(NAME)).ok()?).ok()?;
        (contents.format == FORMAT).then_some(contents)
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(NAME);
        let mut text = serde_json::to_string_pretty(self).map_err(|error| Error::record(&path, error))?;
        text.push('\n');
        Ok(harness_disk::write_durable(&path, text.as_bytes())?)
    }

    fn forget(&mut self, folder: &Path, gone: impl Fn(&str) -> bool) -> Result<(), Error> {
        let before = self.files.len();
        self.files.retain(|name, _| !gone(name));
        if self.files.len() < before { self.write(folder) } else { Ok(()) }
    }
}

impl Content {
    fn of(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::metadata(path).map_err(Error::file("look at", path))?.len();
        Ok(Self { bytes, blake3: hash(path)? })
    }
}

fn hash(path: &Path) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(Error::file("read", path))?;
    hasher.update_reader(file).map_err(Error::file("read", path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// When a file was written; of nothing, never.
fn modified(metadata: Option<&Metadata>) -> SystemTime {
    metadata.and_then(|metadata| metadata.modified().ok()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::file("list", folder))? {
        let path = entry.map_err(Error::file("list", folder))?.path();
        if path.is_dir() {
            files.extend(files_in(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

fn name_in(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

fn path_in(folder: &Path, name: &str) -> PathBuf {
    name.split('/').fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn record() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("states")).unwrap();
        for (name, text) in [("scores.parquet", "scores"), ("states/0001.safetensors", "state"), ("log.txt", "log")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        list(folder.path()).unwrap();
        folder
    }

    fn files(folder: &Path, depth: Depth) -> Vec<String> {
        compare(folder, None, depth).unwrap().into_iter().map(|damage| damage.file).collect()
    }

    /// Writes a file as it would be a minute after or before it was listed.
    fn write(folder: &Path, name: &str, text: &str, later: bool) {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        let minute = Duration::from_secs(60);
        let at = if later { SystemTime::now() + minute } else { SystemTime::now() - minute };
        File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn a_whole_record_is_whole_and_missing_cut_and_changed_files_are_named() {
        let folder = record();
        let folder = folder.path();
        assert_eq!(files(folder, Depth::All), Vec::<String>::new());
        write(folder, "log.txt", "other", true);
        write(folder, "scores.parquet", "scor", false);
        assert_eq!(files(folder, Depth::Changed), ["scores.parquet"]);
        write(folder, "scores.parquet", "serocs", true);
        assert_eq!(files(folder, Depth::Changed), ["scores.parquet"]);
        // Of the same size and an older date it is seen by its hash alone.
        write(folder, "scores.parquet", "serocs", false);
        assert!(files(folder, Depth::Changed).is_empty() && files(folder, Depth::All) == ["scores.parquet"]);
        std::fs::remove_file(folder.join("states/0001.safetensors")).unwrap();
        let damage = compare(folder, None, Depth::Changed).unwrap();
        assert!(damage[0].file == "states/0001.safetensors" && damage[0].what.ends_with("it is missing"), "{damage:?}");
        assert_eq!(compare(folder, Some(&["scores.parquet"]), Depth::Changed), Some(Vec::new()));
    }

    #[test]
    fn what_a_killed_process_left_unfinished_belongs_to_no_record() {
        let folder = record();
        let left = folder.path().join(format!("{}a1b2c3", harness_disk::TEMPORARY));
        std::fs::write(&left, "half").unwrap();
        list(folder.path()).unwrap();
        assert!(!left.exists() && files(folder.path(), Depth::All).is_empty());
    }

    #[test]
    fn a_copied_record_is_read_once() {
        let folder = record();
        let folder = folder.path();
        write(folder, "scores.parquet", "scores", true);
        let path = folder.join(NAME);
        let before = std::fs::metadata(&path).unwrap().modified().unwrap() - Duration::from_secs(60);
        File::options().append(true).open(&path).unwrap().set_modified(before).unwrap();
        let listed = || std::fs::metadata(&path).unwrap().modified().unwrap();
        assert!(files(folder, Depth::Changed).is_empty() && listed() == before);
        assert!(files(folder, Depth::ChangedOnce).is_empty() && listed() > before);
    }

    #[test]
    fn what_is_written_anew_is_listed_as_it_is_then_and_not_at_all_meanwhile() {
        let folder = record();
        let folder = folder.path();
        let killed: Result<(), Error> = rewrite(folder, &["scores.parquet"], || {
            write(folder, "scores.parquet", "half", true);
            Err(Error::NotResults { path: PathBuf::new() })
        });
        assert!(killed.is_err() && files(folder, Depth::All).is_empty());
        rewrite(folder, &["scores.parquet", "metrics.json"], || {
            write(folder, "scores.parquet", "others", false);
            Ok::<_, Error>(())
        })
        .unwrap();
        assert!(files(folder, Depth::All).is_empty());
        write(folder, "scores.parquet", "scores", true);
        assert_eq!(files(folder, Depth::Changed), ["scores.parquet"]);
        forget(folder, &[folder.join("scores.parquet")]).unwrap();
        assert!(files(folder, Depth::All).is_empty());
    }

    #[test]
    fn a_record_without_a_list_is_compared_with_nothing() {
        let folder = record();
        for text in ["", "{\"format\": 2, \"files\": {}}"] {
            std::fs::write(folder.path().join(NAME), text).unwrap();
            assert_eq!(compare(folder.path(), None, Depth::All), None, "{text}");
        }
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        assert_eq!(compare(folder.path(), None, Depth::All), None);
        rewrite(folder.path(), &["scores.parquet"], || Ok::<_, Error>(())).unwrap();
        assert!(!folder.path().join(NAME).exists());
    }
}
