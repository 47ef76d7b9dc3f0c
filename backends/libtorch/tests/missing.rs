//! Without LibTorch the plugin can't be loaded, and says which library is missing and which command gets it. In a file
//! of its own, since a process that has LibTorch already would find it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

#[path = "../../burn/tests/plugin/mod.rs"]
mod plugin;

use harness_backend_abi::host::{Backend, LibraryError, file_name};

#[test]
fn without_libtorch_the_library_and_the_command_are_named() {
    // The copy looks for LibTorch where it is not: beside itself, and in a folder that is none.
    let mut bytes = std::fs::read(plugin::built("libtorch")).unwrap();
    let folder = format!("{}/lib", env!("LIBTORCH"));
    let mut hits = 0;
    for at in 0..bytes.len() - folder.len() {
        if bytes[at..].starts_with(folder.as_bytes()) {
            bytes[at] = b'#';
            hits += 1;
        }
    }
    assert!(hits > 0, "the plugin looks into {folder}");
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join(file_name("libtorch"));
    std::fs::write(&path, bytes).unwrap();
    let error = Backend::load(&path).unwrap_err();
    let LibraryError::MissingLibrary { library, .. } = &error else { panic!("{error}") };
    assert!(library.starts_with("libtorch") || library.starts_with("libc10"), "{library}");
    assert!(error.to_string().ends_with(
        "get LibTorch 2.9.0 with scripts/install-libtorch.sh, and put its folder beside this file as `libtorch`"
    ));
}
