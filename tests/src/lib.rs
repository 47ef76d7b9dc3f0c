//! Paths of golden cases, and of data that isn't in the repository, for tests.
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file or folder of the golden cases (`docs/method.md` section 10).
pub fn golden(relative: &str) -> PathBuf {
    root().join("tests/golden").join(relative)
}

/// A file or folder of the shared test data: below `HARNESS_SHARED`, or beside the repository. `None`, after saying
/// so, where it is absent; a test then returns.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let base = std::env::var_os("HARNESS_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = base.join(relative);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no shared data ({relative})");
    None
}
