//! Free space of a disk.

use std::path::Path;

/// Bytes this user may still write on the folder's disk, where the system says so.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}
