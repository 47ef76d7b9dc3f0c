//! Files that are complete or absent.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::{NamedTempFile, TempPath};

use crate::{DiskError, stop};

/// Beginning of the names of files that are not complete; a killed process leaves some behind.
pub const TEMPORARY: &str = ".unfinished-";

/// A file being written beside its target. Dropped without [`Durable::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Durable {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl Durable {
    /// Opens a temporary file beside `target`, in a folder that is created if it is missing.
    ///
    /// # Errors
    /// The system's.
    pub fn create(target: &Path) -> Result<Self, DiskError> {
        stop::reached();
        let folder = folder_of(target);
        std::fs::create_dir_all(folder).map_err(DiskError::when("create the folder", folder))?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any other new file: what the umask leaves.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.prefix(TEMPORARY).tempfile_in(folder).map_err(DiskError::when("write", target))?;
        Ok(Self { temporary, target: target.to_owned() })
    }

    /// Takes over a file that the caller created at `temporary`, beside `target`: for writers with names and locks of
    /// their own.
    ///
    /// # Errors
    /// A relative path that can't be made absolute. The file is then removed.
    pub fn adopt(file: File, temporary: PathBuf, target: PathBuf) -> Result<Self, DiskError> {
        stop::reached();
        let path = TempPath::try_from_path(&temporary).map_err(DiskError::when("write", &temporary))?;
        Ok(Self { temporary: NamedTempFile::from_parts(file, path), target })
    }

    /// The open file.
    pub fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Puts what was written on the disk. [`Durable::commit`] does so too; a caller that holds a lock while it commits
    /// calls this before it takes the lock.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.file().sync_all().map_err(DiskError::when("write", &self.target))
    }

    /// Gives the file its name: synced first, then renamed, then the folder synced.
    ///
    /// # Errors
    /// The system's. An older file of that name is then untouched, and nothing new is left.
    pub fn commit(self) -> Result<(), DiskError> {
        self.sync()?;
        let Self { temporary, target } = self;
        stop::reached();
        temporary.persist(&target).map_err(|error| DiskError::when("write", &target)(error.error))?;
        sync_folder(folder_of(&target))?;
        stop::reached();
        Ok(())
    }
}

impl Write for Durable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

/// Writes a whole file, durably. The folder is created if it is missing.
///
/// # Errors
/// The system's. An older file of that name is then untouched, and nothing new is left.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut file = Durable::create(path)?;
    file.write_all(bytes).map_err(DiskError::when("write", path))?;
    file.commit()
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The system's.
pub fn sync_folder(folder: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(DiskError::when("sync", folder))?;
    Ok(())
}

/// Removes the files that killed processes left unfinished in a folder: those not written to for `idle`. Zero is right
/// where a lock keeps other writers out. A missing folder has none.
///
/// # Errors
/// The system's, where a file can't be removed.
pub fn sweep(folder: &Path, idle: Duration) -> Result<(), DiskError> {
    let now = SystemTime::now();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        let path = entry.path();
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(now);
        if now.duration_since(modified).unwrap_or_default() < idle {
            continue;
        }
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(DiskError::when("remove", &path)(source));
            }
            _ => {}
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_with_its_commit_and_leaves_nothing_without() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/file");
        let mut file = Durable::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        assert!(names(target.parent().unwrap()).iter().all(|name| name.starts_with(TEMPORARY)));
        drop(file);
        assert!(names(target.parent().unwrap()).is_empty());
        write_durable(&target, b"whole").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
    }

    #[test]
    fn an_adopted_file_is_renamed_or_removed_like_one_of_our_own() {
        let folder = tempfile::tempdir().unwrap();
        let (part, target) = (folder.path().join("a.part"), folder.path().join("a"));
        let adopt = || Durable::adopt(File::create(&part).unwrap(), part.clone(), target.clone()).unwrap();
        drop(adopt());
        assert!(names(folder.path()).is_empty());
        let mut file = adopt();
        file.write_all(b"whole").unwrap();
        file.commit().unwrap();
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_sweep_takes_unfinished_files_that_nobody_writes_to_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (old, young) = (format!("{TEMPORARY}old"), format!("{TEMPORARY}young"));
        for name in [old.as_str(), young.as_str(), "results.csv"] {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != young {
                file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
            }
        }
        sweep(folder.path(), Duration::from_secs(3600)).unwrap();
        assert!(!folder.path().join(&old).exists() && folder.path().join(&young).exists());
        sweep(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(names(folder.path()), ["results.csv"]);
        sweep(&folder.path().join("missing"), Duration::ZERO).unwrap();
    }
}
