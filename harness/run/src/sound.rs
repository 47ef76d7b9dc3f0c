//! Remembers, by the hash of their content, weights whose values may be a trained encoder's, so that a plan does not
//! read gigabytes again.

use std::path::{Path, PathBuf};

/// The file, beside the cache of hashes: a hash a line.
const NAME: &str = "sound-weights";

/// The weights that were looked at.
pub(crate) struct SoundWeights {
    path: PathBuf,
    text: String,
}

impl SoundWeights {
    /// What is remembered beside the cache `hashes`; with `verify` nothing is believed. A file that can't be read
    /// remembers nothing.
    pub(crate) fn beside(hashes: &Path, verify: bool) -> Self {
        let path = hashes.with_file_name(NAME);
        let text = if verify { String::new() } else { std::fs::read_to_string(&path).unwrap_or_default() };
        Self { path, text }
    }

    /// Whether the weights of this hash were looked at.
    pub(crate) fn has(&self, hash: &str) -> bool {
        self.text.lines().any(|line| line == hash)
    }

    /// Remembers the weights of this hash. Where the file can't be written, they are looked at again the next time.
    pub(crate) fn add(&self, hash: &str) {
        let known = std::fs::read_to_string(&self.path).unwrap_or_default();
        let lines: std::collections::BTreeSet<&str> = known.lines().chain([hash]).collect();
        let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
        drop(harness_disk::write_durable(&self.path, text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_is_remembered_unless_all_is_to_be_verified() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let hashes = folder.path().join("file-hashes");
        for hash in ["b", "a", "b"] {
            SoundWeights::beside(&hashes, false).add(hash);
        }
        assert_eq!(std::fs::read_to_string(folder.path().join(NAME))?, "a\nb\n");
        let known = SoundWeights::beside(&hashes, false);
        assert!(known.has("a") && known.has("b") && !known.has("c"));
        assert!(!SoundWeights::beside(&hashes, true).has("a"));
        Ok(())
    }
}
