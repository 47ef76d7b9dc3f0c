//! A results folder of which one file is damaged.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::scratch;

/// The folder that is damaged, as it is in the repository.
pub fn original() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/results/0.1/results")
}

/// Files that programs read, below the folder, sorted. Tables are not among them: Polars reads those.
pub fn files() -> &'static [PathBuf] {
    static FILES: OnceLock<Vec<PathBuf>> = OnceLock::new();
    FILES.get_or_init(|| {
        let (root, mut files) = (original(), Vec::new());
        walk(&root, &mut |path| {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if !matches!(extension, "parquet" | "txt") {
                files.push(path.strip_prefix(&root).expect("a path below the root").to_owned());
            }
        });
        files.sort();
        files
    })
}

/// A copy of the folder. Kept for the life of the process.
pub fn copy() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let (from, to) = (original(), scratch::folder().join("results"));
        walk(&from, &mut |path| {
            let target = to.join(path.strip_prefix(&from).expect("a path below the root"));
            std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder of the copy");
            std::fs::copy(path, target).expect("a file of the copy");
        });
        to
    })
}

/// Bytes in place of a file's own: those given, or, where `patched`, its own with some overwritten and its end cut off:
/// a length to cut to (65,535 cuts nothing), then places and values of three bytes each.
pub fn damaged(whole: &[u8], patched: bool, bytes: &[u8]) -> Vec<u8> {
    if !patched {
        return bytes.to_vec();
    }
    let mut file = whole.to_vec();
    let Some(([low, high], patches)) = bytes.split_first_chunk::<2>() else { return file };
    for &[low, high, value] in patches.as_chunks::<3>().0 {
        // Mostly in the first bytes, where headers are.
        let place = usize::from(u16::from_le_bytes([low, high])) % file.len().max(1);
        if let Some(byte) = file.get_mut(place) {
            *byte = value;
        }
    }
    let length = u16::from_le_bytes([*low, *high]);
    if length < u16::MAX {
        file.truncate(length.into());
    }
    file
}

fn walk(folder: &Path, file: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder of results") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() { walk(&path, file) } else { file(&path) }
    }
}
