//! Finding plugins: files of the right name in a list of folders, in order, without opening them.

use std::collections::BTreeMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What a plugin's file is called besides the system's prefix and suffix and the backend's name.
const STEM: &str = "harness_backend_";

/// A folder where plugins may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFolder {
    path: PathBuf,
    must_exist: bool,
}

impl PluginFolder {
    /// A folder that somebody named: it is an error where it is absent.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), must_exist: true }
    }

    /// A folder that is looked into by default: it may be absent.
    pub fn usual(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), must_exist: false }
    }
}

/// A file that is called as a plugin is. Whether it is one shows when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFile {
    /// Name of the backend, as the file's name has it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// Why plugins could not be looked for, or which of them can't be told apart.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A folder can't be read.
    #[error("the plugin folder {} can't be read: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Two files are called as plugins of one name.
    #[error(
        "backend `{name}` is there twice: {} and {}; remove one of them, or name one folder only",
        first.display(),
        second.display()
    )]
    Twice {
        /// The backend.
        name: String,
        /// Where it was found first.
        first: PathBuf,
        /// Where it was found again.
        second: PathBuf,
    },
    /// A file is called as a backend that the program has built in.
    #[error("backend `{name}` is built in, and {} is called the same; rename or remove the file", path.display())]
    BuiltIn {
        /// The backend.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// A plugin's file name on this system: `libharness_backend_<name>.so`, `.dylib`, or `harness_backend_<name>.dll`.
pub fn file_name(name: &str) -> String {
    format!("{DLL_PREFIX}{STEM}{name}{DLL_SUFFIX}")
}

/// The backend's name in a plugin's file name; `None` for another file's.
pub(super) fn backend_name(file: &OsStr) -> Option<&str> {
    let name = file.to_str()?.strip_prefix(DLL_PREFIX)?.strip_prefix(STEM)?.strip_suffix(DLL_SUFFIX)?;
    (!name.is_empty()).then_some(name)
}

/// The plugin files in these folders, by name. A folder or file that is reached in two ways counts once. `built_in` are
/// the names that are taken.
///
/// # Errors
/// A folder that can't be read, a name that is there twice, or one that is built in.
pub fn discover(folders: &[PluginFolder], built_in: &[&str]) -> Result<Vec<PluginFile>, DiscoverError> {
    let mut found = BTreeMap::<String, PathBuf>::new();
    for folder in folders {
        for (name, path) in files(folder)? {
            if built_in.contains(&name.as_str()) {
                return Err(DiscoverError::BuiltIn { name, path });
            }
            match found.get(&name) {
                Some(first) if !same(first, &path) => {
                    return Err(DiscoverError::Twice { name, first: first.clone(), second: path });
                }
                Some(_) => {}
                None => drop(found.insert(name, path)),
            }
        }
    }
    Ok(found.into_iter().map(|(name, path)| PluginFile { name, path }).collect())
}

fn files(folder: &PluginFolder) -> Result<Vec<(String, PathBuf)>, DiscoverError> {
    let error = |source| DiscoverError::Folder { path: folder.path.clone(), source };
    let entries = match std::fs::read_dir(&folder.path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound && !folder.must_exist => return Ok(Vec::new()),
        entries => entries.map_err(error)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(error)?;
        if let Some(name) = backend_name(&entry.file_name()) {
            files.push((name.to_owned(), entry.path()));
        }
    }
    Ok(files)
}

/// Whether two paths lead to one file.
fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
