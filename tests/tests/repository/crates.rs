//! The workspace's crates and their dependencies, from their manifests.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// What rules ask of a crate.
pub(crate) struct Manifest {
    /// Its name.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What it depends on outside of tests.
    pub(crate) dependencies: BTreeSet<String>,
    /// It takes the workspace's lints.
    pub(crate) has_lints: bool,
}

/// Every crate of the workspace.
pub(crate) fn all() -> Vec<Manifest> {
    let root = harness_tests::root();
    let mut folders = vec![root.join("tests")];
    for group in ["harness", "backends"] {
        let entries = std::fs::read_dir(root.join(group)).unwrap();
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("Cargo.toml").is_file()));
    }
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Manifest {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let name = manifest["package"]["name"].as_str().unwrap().to_owned();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let dependencies = dependencies.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let has_lints = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
    Manifest { name, folder, dependencies, has_lints }
}

/// Everything that a crate depends on, directly or through crates of the workspace.
pub(crate) fn reachable(crates: &[Manifest], from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        let Some(manifest) = crates.iter().find(|known| known.name == name) else { continue };
        for dependency in &manifest.dependencies {
            if reached.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    reached
}
