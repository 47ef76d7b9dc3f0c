//! Which images are meant by paths of files and folders, what their results are called, and whether they can be read.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness_data::decode::EXTENSIONS;
use harness_data::{DataError, Facts, FileHashes, Finding, Source, foreign, inspect_images, is_litter};
use harness_text::count;
use rayon::prelude::*;

use crate::error::Error;

/// Images named in one message.
const NAMED: usize = 20;

/// An image to be scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputImage {
    /// Its file.
    pub path: PathBuf,
    /// What files of its results are called, without extension; no two images share one.
    pub name: String,
}

/// The images in `given`: files as they are, of a folder all images directly in it, byte-sorted; a file that is given
/// twice counts once.
///
/// # Errors
/// A file or folder that is not there, a folder that can't be listed or has no images; nothing given.
pub fn list(given: &[PathBuf]) -> Result<Vec<InputImage>, Error> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in given {
        if !path.is_dir() {
            if !path.exists() {
                return Err(Error::Unusable { what: format!("{}: there is no such file or folder", path.display()) });
            }
            paths.push(path.clone());
            continue;
        }
        let found = images_in(path)?;
        if found.is_empty() {
            let what = format!("{}: there is no image in this folder ({})", path.display(), EXTENSIONS.join(", "));
            let others: Vec<PathBuf> = entries(path)?;
            let others = foreign::of_names(others.iter().map(PathBuf::as_path));
            let others = others.map(|others| format!(": {others}")).unwrap_or_default();
            let inside = folders_with_images(path);
            let inside = match inside.first() {
                Some(first) => format!(
                    "; {} in it {} images, and folders inside are not searched: name them, such as {}",
                    count(inside.len() as u64, "folder"),
                    if inside.len() == 1 { "has" } else { "have" },
                    first.display()
                ),
                None => String::new(),
            };
            return Err(Error::Unusable { what: what + &others + &inside });
        }
        paths.extend(found);
    }
    if paths.is_empty() {
        return Err(Error::Unusable { what: "no image was named".to_owned() });
    }
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    let once = paths.into_iter().filter(|path| seen.insert(path.clone())).collect::<Vec<_>>();
    Ok(once.into_iter().map(|path| InputImage { name: named(&path, &mut names), path }).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::file("list", folder))?;
    entries.map(|entry| Ok(entry.map_err(Error::file("list", folder))?.path())).collect()
}

/// Folders with images inside the folders of `given`, which are not searched and were not given themselves.
pub fn not_searched(given: &[PathBuf]) -> Vec<PathBuf> {
    let inside = given.iter().filter(|path| path.is_dir()).flat_map(|path| folders_with_images(path));
    inside.filter(|folder| !given.iter().any(|path| path.components().eq(folder.components()))).collect()
}

/// Folders directly in one that have images directly in them, sorted.
fn folders_with_images(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let litter = |path: &Path| path.file_name().is_some_and(|name| is_litter(&name.to_string_lossy()));
    let mut found: Vec<PathBuf> = entries
        .filter(|path| path.is_dir() && !litter(path) && images_in(path).is_ok_and(|images| !images.is_empty()))
        .collect();
    found.sort();
    found
}

fn images_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let litter = path.file_name().is_some_and(|name| is_litter(&name.to_string_lossy()));
        if !litter && path.is_file() && EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The file's name without extension; a number is added where another image has it. Names differ by more than case,
/// since not all file systems see that.
fn named(path: &Path, taken: &mut HashSet<String>) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = (2u64..).map(|number| format!("{stem}-{number}"));
    let mut candidates = std::iter::once(stem.clone()).chain(numbered);
    candidates.find(|name| taken.insert(name.to_lowercase())).unwrap_or(stem)
}

/// Decodes every image, before an encoder is loaded: why some can't be read, by their places in `images`, and what is
/// doubtful about the others, which is looked for as in datasets.
///
/// # Errors
/// No image that can be read; all are named.
pub(super) fn look(images: &[InputImage]) -> Result<(BTreeMap<usize, String>, Vec<Finding>), Error> {
    let hashes = FileHashes::in_memory();
    let looked: Vec<(Source, Result<Arc<Facts>, DataError>)> = images
        .par_iter()
        .map(|image| Source::File(image.path.clone()))
        .map(|source| {
            let facts = hashes.facts(&source);
            (source, facts)
        })
        .collect();
    let failed = |(place, (_, facts)): (usize, &(Source, Result<Arc<Facts>, DataError>))| {
        facts.as_ref().err().map(|error| (place, error.to_string()))
    };
    let failures: BTreeMap<usize, String> = looked.iter().enumerate().filter_map(failed).collect();
    if failures.len() < images.len() {
        let read: Vec<(&Source, &Facts)> =
            looked.iter().filter_map(|(source, facts)| Some((source, &**facts.as_ref().ok()?))).collect();
        return Ok((failures, inspect_images(&read)));
    }
    Err(refusal(&failures, images.len()))
}

/// That images can't be read, of so many.
pub(super) fn refusal(failures: &BTreeMap<usize, String>, images: usize) -> Error {
    let mut what = format!("{} of {images} images can't be read", failures.len());
    for failure in failures.values().take(NAMED) {
        what += &format!("\n  {failure}");
    }
    if failures.len() > NAMED {
        what += &format!("\n  and {} more", failures.len() - NAMED);
    }
    Error::Unusable { what }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_folder_gives_its_images_sorted_and_names_never_clash() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.JPG", "a.png", ".hidden.png", "notes.txt", "A-2.bmp"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("c.png")).unwrap();
        let given = [folder.path().to_owned(), folder.path().join("b.png"), folder.path().join("notes.txt")];
        let images = list(&given).unwrap();
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["A-2", "a", "a-3", "b", "notes"]);
        assert!(images[1].path.ends_with("a.JPG") && images[2].path.ends_with("a.png"));
    }

    #[test]
    fn folders_inside_are_not_searched_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one/a.png", "two/b.png", "__MACOSX/c.png", "none/notes.txt"] {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let message = list(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(message.contains("2 folders in it have images") && message.contains("/one"), "{message}");
        std::fs::write(folder.path().join("d.png"), "").unwrap();
        let given = [folder.path().to_owned(), folder.path().join("two")];
        assert_eq!(list(&given).unwrap().len(), 2);
        assert_eq!(not_searched(&given), [folder.path().join("one")]);
    }

    #[test]
    fn a_folder_without_images_and_nothing_at_all_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            list(&[folder.path().to_owned()]).unwrap_err().to_string().contains("there is no image in this folder")
        );
        assert!(list(&[]).is_err());
        let missing = list(&[folder.path().join("b.png")]).unwrap_err().to_string();
        assert!(missing.contains("b.png: there is no such file"), "{missing}");
    }
}
