//! The image files of one folder. Nothing is opened but the folder.

use std::io::ErrorKind;
use std::path::Path;

use crate::alike::is_litter;
use crate::decode::EXTENSIONS;
use crate::error::{DataError, Result};

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Whether it is there.
    pub(super) exists: bool,
    /// File names of images, byte-sorted.
    pub(super) names: Vec<String>,
    /// What else is in it. Hidden files and what file browsers leave behind don't count.
    pub(super) problems: Vec<DataError>,
}

/// Lists a folder; one that is missing is empty.
///
/// # Errors
/// [`DataError::Io`].
pub(super) fn read(path: &Path) -> Result<Folder> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Folder::default()),
        Err(e) => return Err(DataError::io("read the folder", path)(e)),
    };
    let mut folder = Folder { exists: true, ..Folder::default() };
    for entry in entries {
        let entry = entry.map_err(DataError::io("read the folder", path))?.path();
        let problem = |what| DataError::NotAnImage { path: entry.clone(), what };
        let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
            folder.problems.push(problem("the name is not UTF-8"));
            continue;
        };
        if is_litter(name) {
            continue;
        }
        let extension = entry.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !EXTENSIONS.contains(&extension.as_str()) {
            folder.problems.push(problem(if entry.is_dir() {
                "a folder among images, which is not looked into"
            } else {
                "not an image's extension"
            }));
        } else if !entry.is_file() {
            folder.problems.push(problem("not a file, or a link that leads nowhere"));
        } else {
            folder.names.push(name.to_owned());
        }
    }
    folder.names.sort();
    folder.problems.sort_by_cached_key(ToString::to_string);
    Ok(folder)
}

/// What a layout expects in a folder.
pub(super) const IMAGES: &str = "images";
pub(super) const MASKS: &str = "masks";

/// The folders inside a folder, byte-sorted; hidden ones don't count.
///
/// # Errors
/// [`DataError::Io`].
pub(super) fn subfolders(path: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(DataError::io("read the folder", path)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(DataError::io("read the folder", path))?.path();
        if let Some(name) = entry.file_name().and_then(|name| name.to_str())
            && !is_litter(name)
            && entry.is_dir()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
