//! The right of one process to write to a folder, held as an advisory lock on a file. The kernel drops it when the
//! process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::DiskError;

/// A lock that lasts as long as this value.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Locks the file at `path`, creating it and its folder where they are missing, and writes into it who holds it.
    /// `None` while another process does.
    ///
    /// # Errors
    /// `NoLocks` where the file system can't lock: the caller must not go on. `System` where the file can't be opened.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, DiskError> {
        Self::try_acquire_with(path, File::try_lock)
    }

    fn try_acquire_with(
        path: &Path,
        try_lock: impl FnOnce(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, DiskError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(DiskError::when("create the folder", folder))?;
        }
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(DiskError::when("create", path))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(DiskError::NoLocks { path: path.to_owned(), source }),
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let holder = format!("process {} {}", std::process::id(), host.trim());
        // The text is for people who wait; only the kernel's lock keeps processes apart.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", holder.trim()));
        Ok(Some(Self(file)))
    }

    /// Whether some process holds the lock now, asked without writing. False also where that can't be told.
    pub fn is_held(path: &Path) -> bool {
        // A shared lock of a moment: whoever wants the lock meanwhile asks again.
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Who holds the lock, as the holder wrote it: for messages. Empty where that can't be read.
    pub fn holder(path: &Path) -> String {
        let mut holder = String::new();
        let read = File::open(path).and_then(|file| file.take(1024).read_to_string(&mut holder));
        if read.is_ok() { holder.trim().to_owned() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_second_lock_is_busy_until_the_first_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/lock");
        let first = Lock::try_acquire(&path).unwrap();
        assert!(first.is_some());
        assert!(Lock::try_acquire(&path).unwrap().is_none());
        assert!(Lock::is_held(&path));
        assert!(Lock::holder(&path).starts_with(&format!("process {}", std::process::id())));
        drop(first);
        assert!(!Lock::is_held(&path) && !Lock::is_held(&path.with_file_name("none")));
        assert!(Lock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn a_file_system_that_cannot_lock_is_refused_and_never_counts_as_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        for kind in [ErrorKind::Unsupported, ErrorKind::PermissionDenied, ErrorKind::Interrupted, ErrorKind::Other] {
            let answer = Lock::try_acquire_with(&path, |_| Err(TryLockError::Error(Error::from(kind))));
            let error = answer.unwrap_err();
            assert!(matches!(error, DiskError::NoLocks { .. }), "{error}");
            let message = error.to_string();
            for part in [path.to_str().unwrap(), "can't lock files", "use a folder on a local disk", "-o flock"] {
                assert!(message.contains(part), "{part:?} not in: {message}");
            }
        }
        // Nobody signed: the holder's name must not claim what the kernel refused.
        assert_eq!(Lock::holder(&path), "");
    }
}
