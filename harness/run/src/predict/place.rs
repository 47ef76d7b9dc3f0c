//! Where predictions go, so that none of an earlier call are replaced or mixed with them unasked.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// What a call writes into its folder.
const MADE: [&str; 6] = ["scores.csv", "maps", "overlays", "scores.parquet", "grids.f32", "metrics.json"];

/// The folder for predictions: the one asked for, which must have none unless they are to be replaced; or `usual`, with
/// a number behind its name where that has some.
///
/// # Errors
/// The folder asked for has predictions.
pub fn place(asked: Option<&Path>, usual: &Path, overwrite: bool) -> Result<PathBuf, Error> {
    let Some(asked) = asked else {
        let numbered = |number: u64| {
            let name = usual.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            usual.with_file_name(format!("{name}-{number}"))
        };
        let mut places = std::iter::once(usual.to_owned()).chain((2..).map(numbered));
        let free = |path: &PathBuf| overwrite || earlier(path).is_none();
        return Ok(places.find(free).unwrap_or_else(|| usual.to_owned()));
    };
    match earlier(asked).filter(|_| !overwrite) {
        None => Ok(asked.to_owned()),
        Some(found) => Err(Error::Unusable {
            what: format!(
                "{}: there are earlier predictions; choose another folder with --out, or replace them with --overwrite",
                found.display()
            ),
        }),
    }
}

/// The first thing in a folder that a call would write.
fn earlier(folder: &Path) -> Option<PathBuf> {
    MADE.iter().map(|name| folder.join(name)).find(|path| path.exists())
}

/// Removes what an earlier call wrote into a folder, and nothing else.
///
/// # Errors
/// The system's.
pub(super) fn clear(folder: &Path) -> Result<(), Error> {
    for path in MADE.iter().map(|name| folder.join(name)).filter(|path| path.exists()) {
        if !path.is_dir() {
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
            continue;
        }
        for entry in std::fs::read_dir(&path).map_err(Error::file("list", &path))? {
            let file = entry.map_err(Error::file("list", &path))?.path();
            if file.extension().is_some_and(|extension| extension == "npy" || extension == "png") {
                std::fs::remove_file(&file).map_err(Error::file("remove", &file))?;
            }
        }
        // Somebody else's files may be left in it.
        let _ = std::fs::remove_dir(&path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn earlier_predictions_are_left_alone_unless_they_are_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join("3f2a");
        assert_eq!(place(None, &usual, false).unwrap(), usual);
        for name in ["3f2a/maps", "3f2a-2/overlays"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::fs::write(usual.join("maps/scan.npy"), "map").unwrap();
        assert_eq!(place(None, &usual, false).unwrap(), folder.path().join("3f2a-3"));
        assert_eq!(place(None, &usual, true).unwrap(), usual);
        let refused = place(Some(&usual), &usual, false).unwrap_err().to_string();
        assert!(
            refused.contains("3f2a/maps: there are earlier predictions") && refused.contains("--overwrite"),
            "{refused}"
        );
        assert_eq!(place(Some(&usual), Path::new("other"), true).unwrap(), usual);
        std::fs::write(usual.join("notes.txt"), "mine").unwrap();
        clear(&usual).unwrap();
        assert!(!usual.join("maps").exists() && usual.join("notes.txt").exists());
        assert_eq!(place(Some(&usual), &usual, false).unwrap(), usual);
    }
}
