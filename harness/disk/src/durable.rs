//! Files that are complete or absent.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{DiskError, stop};

/// Beginning of the names of files that are not complete; a killed process leaves some behind.
pub const TEMPORARY: &str = ".table-";

/// A file being written beside its final place. Dropped without [`Durable::commit`], it leaves nothing.
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

    /// Makes what was written the file: synced first, then renamed, then the folder synced.
    ///
    /// # Errors
    /// The system's. An older file of that name is then untouched, and nothing new is left.
    pub fn commit(self) -> Result<(), DiskError> {
        let Self { temporary, target } = self;
        temporary.as_file().sync_all().map_err(DiskError::when("write", &target))?;
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
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(DiskError::when("sync", folder))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
