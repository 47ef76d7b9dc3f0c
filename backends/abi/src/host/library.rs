//! Loading a backend from a shared library: the library's functions become a [`Backend`], or an error that names the
//! file, what is wrong with it and what to do.
//!
//! The library's code runs in this process as soon as loading begins: load a library that isn't trusted, or isn't known
//! to work, in a process that may die.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use libloading::Library;

use super::discover::backend_name;
use super::{Backend, LoadError};
use crate::table::{SYMBOL, Table};

/// A plugin's advice for when it can't be loaded: a constant in it that begins so and ends with a zero byte. The text
/// between them is shown beside the loader's words, since a library that is not loaded can't speak for itself.
pub const HELP_MARK: &str = "harness backend help: ";

/// Longest help that is looked for, in bytes.
const MAX_HELP: usize = 500;

/// Why a shared library is not a usable backend.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The file can't be opened or read.
    #[error("{}: can't be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{}: not a shared library: {found}; remove it, or build the backend again", path.display())]
    NotALibrary {
        /// The file.
        path: PathBuf,
        /// What it is, as far as its first bytes say.
        found: String,
    },
    /// Another library that this one needs can't be found or loaded.
    #[error(
        "{}: needs `{library}`, which can't be loaded: {reason}; {}",
        path.display(),
        help.as_deref().unwrap_or("install it, or put it where the plugin's run path or the system's loader looks")
    )]
    MissingLibrary {
        /// The plugin.
        path: PathBuf,
        /// What it needs.
        library: String,
        /// The loader's words.
        reason: String,
        /// The plugin's own advice: see [`HELP_MARK`].
        help: Option<String>,
    },
    /// The loader refuses the library for another reason, such as a symbol that nothing defines.
    #[error(
        "{}: can't be loaded: {reason}; {}",
        path.display(),
        help.as_deref().unwrap_or("build it for this machine, linked with all that it needs")
    )]
    Refused {
        /// The plugin.
        path: PathBuf,
        /// The loader's words.
        reason: String,
        /// The plugin's own advice: see [`HELP_MARK`].
        help: Option<String>,
    },
    /// A library without the one symbol.
    #[error(
        "{}: a shared library, but no backend of this harness: it exports no `{SYMBOL}`; remove it, or export the symbol",
        path.display()
    )]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// Its table is refused.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with the table.
        source: LoadError,
    },
    /// It calls itself something else than its file does.
    #[error("{}: the backend calls itself `{name}`; rename the file to {}", path.display(), super::file_name(name))]
    OtherName {
        /// The file.
        path: PathBuf,
        /// What it calls itself.
        name: String,
    },
}

impl Backend {
    /// Loads a backend from a shared library, for as long as the process lives: symbols are resolved at once and stay
    /// the library's own, and nothing is ever unloaded.
    ///
    /// # Errors
    /// [`LibraryError`]. A library that crashes, hangs or ends the process while it is loaded does so here.
    pub fn load(path: &Path) -> Result<Self, LibraryError> {
        let whole = std::path::absolute(path).map_err(|source| LibraryError::Io { path: path.to_owned(), source })?;
        // Absolute, so that the loader opens this file and does not search for its name.
        let path = whole.as_path();
        let (mut magic, mut file) = ([0; 4], open(path)?);
        let read = file.read(&mut magic).map_err(|source| LibraryError::Io { path: path.to_owned(), source })?;
        if !is_library(&magic[..read]) {
            let found =
                if read == 0 { "the file is empty".into() } else { format!("it begins with {:02x?}", &magic[..read]) };
            return Err(LibraryError::NotALibrary { path: path.to_owned(), found });
        }
        // SAFETY: initialisers of the library run, which the caller of this function wants; the interface's rule 7 asks
        // that they need nothing of the process.
        let library = unsafe { resolve_now(path) }.map_err(|cause| refused(path, &cause))?;
        // SAFETY: the interface gives this symbol this type.
        let symbol = unsafe { library.get::<unsafe extern "C" fn() -> *const Table>(SYMBOL) };
        let Ok(symbol) = symbol.map(|symbol| *symbol) else {
            return Err(LibraryError::NoSymbol { path: path.to_owned() });
        };
        // Thread-local destructors and threads of the library's own outlive every handle.
        std::mem::forget(library);
        // SAFETY: the library stays loaded, so the function is there, and the interface says that the table it gives
        // lives as long as the process and keeps the header's promises.
        let backend = unsafe { Self::from_table(symbol()) };
        let backend = backend.map_err(|source| LibraryError::Table { path: path.to_owned(), source })?;
        let name = &backend.describe().name;
        if backend_name(path.file_name().unwrap_or_default()).is_some_and(|file| file != *name) {
            return Err(LibraryError::OtherName { path: path.to_owned(), name: name.clone() });
        }
        Ok(backend)
    }
}

#[cfg(unix)]
unsafe fn resolve_now(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the caller's.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(windows)]
unsafe fn resolve_now(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::windows::{LOAD_WITH_ALTERED_SEARCH_PATH, Library};
    // SAFETY: the caller's. Symbols are always resolved at once and local here; the flag searches the library's folder.
    unsafe { Library::load_with_flags(path, LOAD_WITH_ALTERED_SEARCH_PATH) }.map(Into::into)
}

fn open(path: &Path) -> Result<File, LibraryError> {
    let io = |source| LibraryError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(LibraryError::NotALibrary { path: path.to_owned(), found: "it is a folder".into() });
    }
    Ok(file)
}

/// ELF, Mach-O of one or several architectures, or a Windows library.
fn is_library(magic: &[u8]) -> bool {
    const MACH: [[u8; 4]; 3] = [[0xcf, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe], [0xca, 0xfe, 0xba, 0xbf]];
    magic == b"\x7fELF" || MACH.iter().any(|mach| magic == mach) || magic.starts_with(b"MZ")
}

fn refused(path: &Path, cause: &libloading::Error) -> LibraryError {
    let reason = words(cause);
    let (path, help) = (path.to_owned(), help(path));
    match missing(&reason, &path) {
        Some(library) => LibraryError::MissingLibrary { library, path, reason, help },
        None => LibraryError::Refused { path, reason, help },
    }
}

/// The loader's own words: libloading's error says only that they exist.
fn words(cause: &libloading::Error) -> String {
    let mut deepest: &dyn std::error::Error = cause;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// The library that a loader could not open for `path`: it begins its words with that library's name where it is
/// another than the one asked for.
fn missing(reason: &str, path: &Path) -> Option<String> {
    let (library, rest) = reason.split_once(": ")?;
    let other = Path::new(library).file_name() != path.file_name();
    (other && rest.starts_with("cannot open shared object file")).then(|| library.to_owned())
}

/// The text after [`HELP_MARK`] in a file, if there is one.
fn help(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let mark = HELP_MARK.as_bytes();
    let mut texts =
        bytes.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark).filter_map(|(at, _)| {
            let text = &bytes[at + mark.len()..];
            let end = text.iter().take(MAX_HELP).position(|&byte| byte == 0)?;
            std::str::from_utf8(&text[..end]).ok().filter(|text| !text.is_empty() && !text.contains(char::is_control))
        });
    texts.next().map(str::to_owned)
}

impl LibraryError {
    /// The file that is refused.
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotALibrary { path, .. }
            | Self::MissingLibrary { path, .. }
            | Self::Refused { path, .. }
            | Self::NoSymbol { path }
            | Self::Table { path, .. }
            | Self::OtherName { path, .. } => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::missing;
    use std::path::Path;

    #[test]
    fn a_missing_library_is_distinguished_from_a_plugin_that_is_refused_itself() {
        let plugin = Path::new("/p/libharness_backend_x.so");
        let library = |reason| missing(reason, plugin);
        let absent = "libtorch_cpu.so: cannot open shared object file: No such file or directory";
        assert_eq!(library(absent).as_deref(), Some("libtorch_cpu.so"));
        assert_eq!(library("/p/libharness_backend_x.so: cannot open shared object file: Permission denied"), None);
        assert_eq!(library("/p/libharness_backend_x.so: undefined symbol: nowhere"), None);
    }
}
