//! Which files are taken for plugins, and what happens where two of them bear one name.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::{Path, PathBuf};

use harness_backend_abi::host::{DiscoverError, PluginFolder, discover, file_name};
use tempfile::{TempDir, tempdir};

/// A folder with these files, each empty: nothing is loaded, so nothing need be in them.
fn folder(files: &[&str]) -> TempDir {
    let folder = tempdir().unwrap();
    files.iter().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
    folder
}

fn at(folder: &TempDir, file: &str) -> PathBuf {
    folder.path().join(file)
}

#[test]
fn files_called_as_plugins_are_found_by_name_and_others_are_left_alone() {
    let (cuda, mine) = (file_name("cuda"), file_name("mine-2"));
    let one = folder(&[&mine, "README.md", &file_name(""), "libharness_backend_old.rlib", "harness_backend_bare"]);
    let two = folder(&[&cuda]);
    let found = discover(&[PluginFolder::named(one.path()), PluginFolder::usual(two.path())], &["flex"]).unwrap();
    let found: Vec<(&str, &Path)> = found.iter().map(|file| (file.name.as_str(), file.path.as_path())).collect();
    assert_eq!(found, [("cuda", at(&two, &cuda).as_path()), ("mine-2", at(&one, &mine).as_path())]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_plugin_is_called_as_the_documentation_says() {
    assert_eq!(file_name("cuda"), "libharness_backend_cuda.so");
}

#[test]
fn a_name_found_twice_is_an_error_that_lists_both_files() {
    let file = file_name("mine");
    let (one, two) = (folder(&[&file]), folder(&[&file]));
    let error = discover(&[PluginFolder::named(one.path()), PluginFolder::named(two.path())], &[]).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DiscoverError::Twice { .. }));
    assert!(text.starts_with("backend `mine` is there twice: "), "{text}");
    assert!([&one, &two].iter().all(|folder| text.contains(at(folder, &file).to_str().unwrap())), "{text}");
}

#[test]
fn a_file_named_like_a_built_in_backend_is_an_error() {
    let file = file_name("flex");
    let one = folder(&[&file]);
    let text = discover(&[PluginFolder::named(one.path())], &["flex"]).unwrap_err().to_string();
    assert!(text.contains("`flex` is built in") && text.contains(at(&one, &file).to_str().unwrap()), "{text}");
}

#[cfg(unix)]
#[test]
fn a_file_reached_in_two_ways_counts_once() {
    let file = file_name("mine");
    let (one, two) = (folder(&[&file]), folder(&[]));
    std::os::unix::fs::symlink(at(&one, &file), at(&two, &file)).unwrap();
    let folders = [one.path(), one.path(), two.path()].map(PluginFolder::named);
    let found = discover(&folders, &[]).unwrap();
    assert_eq!((found.len(), &found[0].path), (1, &at(&one, &file)));
}

#[test]
fn a_named_folder_must_be_there_and_a_usual_one_need_not() {
    let absent = tempdir().unwrap().path().join("nowhere");
    assert_eq!(discover(&[PluginFolder::usual(&absent)], &[]).unwrap(), []);
    let text = discover(&[PluginFolder::named(&absent)], &[]).unwrap_err().to_string();
    assert!(text.contains(absent.to_str().unwrap()) && text.contains("can't be read"), "{text}");
    let file = folder(&["file"]);
    let text = discover(&[PluginFolder::usual(at(&file, "file"))], &[]).unwrap_err().to_string();
    assert!(text.contains(at(&file, "file").to_str().unwrap()), "{text}");
}
