//! Files that are complete or absent. What is in them is the caller's.

use std::io::Write;
use std::path::Path;

use crate::{TablesError, stop};

/// Beginning of the names of files that are not complete; a process that was killed leaves some.
pub const TEMPORARY: &str = ".table-";

/// Writes `bytes` to a temporary file beside `path`, syncs, renames, syncs the folder. The folder is made if it is missing.
///
/// # Errors
/// The system's. The old file, if there was one, is then untouched, and nothing new is left.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<(), TablesError> {
    stop::reached();
    let io = |source| TablesError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: what the umask leaves.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.prefix(TEMPORARY).tempfile_in(folder).map_err(io)?;
    temporary.write_all(bytes).map_err(io)?;
    temporary.as_file().sync_all().map_err(io)?;
    stop::reached();
    temporary.persist(path).map_err(|error| io(error.error))?;
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    stop::reached();
    Ok(())
}
