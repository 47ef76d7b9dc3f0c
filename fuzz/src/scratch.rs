//! Where a target writes its input to, for code that opens or maps files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Writes the input and gives its path.
pub fn write(bytes: &[u8]) -> PathBuf {
    let path = folder().join("input.pt");
    std::fs::write(&path, bytes).expect("the input");
    path
}

/// The process's folder. Memory is used where the system has a file system in it.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = base.join(format!("harness-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the input");
        folder
    })
}
