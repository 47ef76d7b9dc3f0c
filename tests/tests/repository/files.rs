//! The files of the repository that rules are about, and the references in them.

use std::path::{Path, PathBuf};

/// Folders that hold what is not part of the repository.
const FOREIGN: [&str; 4] = ["target", "libtorch", ".git", ".device"];

/// Every Rust file.
pub(crate) fn sources() -> Vec<PathBuf> {
    with_extension(&["rs"])
}

/// Every file that people read: sources, documents, experiments, scripts.
pub(crate) fn texts() -> Vec<PathBuf> {
    with_extension(&["rs", "md", "toml", "sh", "py", "h", "c"])
}

/// A path as it is named in the repository.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(harness_tests::root()).unwrap_or(path).display().to_string()
}

/// The lines of a text file.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn with_extension(wanted: &[&str]) -> Vec<PathBuf> {
    let root = harness_tests::root();
    let mut found = Vec::new();
    walk(&root, &mut |path| {
        if path.extension().is_some_and(|extension| wanted.iter().any(|known| extension == *known)) {
            found.push(path.to_owned());
        }
    });
    found.sort();
    assert!(found.len() > 5, "no files found below {}", root.display());
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        // Results of experiments lie in reports/, each in a folder of its own.
        let results = folder.ends_with("reports") && path.is_dir();
        if entry.file_type().unwrap().is_dir() {
            if !results && !FOREIGN.iter().any(|foreign| name == *foreign) {
                walk(&path, visit);
            }
        } else {
            visit(&path);
        }
    }
}

/// Files that a line refers to: Markdown links in documents, and names of documents in back quotes or comments.
pub(crate) fn references(path: &Path, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    if path.extension().is_some_and(|extension| extension == "md") {
        for part in line.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push(target.to_owned());
            }
        }
    }
    let in_code = path.extension().is_some_and(|extension| extension == "rs");
    let comment = line.trim_start().starts_with("//");
    if comment || !in_code {
        for word in line.split(|c: char| c.is_whitespace() || "`(),;:\"'[]#".contains(c)) {
            let word = word.trim_end_matches('.');
            // Documents: everything else that ends in .md is what the program writes.
            if word.ends_with(".md")
                // NAME.md stands for any.
                && word != "NAME.md"
                && (word.contains("docs/") || word.chars().next().is_some_and(char::is_uppercase))
            {
                found.push(word.to_owned());
            }
        }
    }
    found
}
