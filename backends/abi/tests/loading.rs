//! Rule 7, and errors for files that aren't usable backends: the file, what is wrong, what to do.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, clippy::unwrap_used, missing_docs, reason = "tests ask the loader what it holds")]

#[path = "common/c.rs"]
mod c;

use std::ffi::CString;
use std::path::{Path, PathBuf};

use harness_backend_abi::host::{Backend, HELP_MARK, LibraryError, file_name};
use harness_backend_abi::table::SYMBOL;
use tempfile::{TempDir, tempdir};

/// A table with this instead of the right fields.
fn table(fields: &str) -> String {
    let right = ".size = sizeof(harness_backend_table_t), .magic = HARNESS_MAGIC, .major = HARNESS_MAJOR";
    format!(
        "#pragma GCC diagnostic ignored \"-Woverride-init\"\n\
         static const harness_backend_table_t table = {{ {right}, {fields} }};\n\
         const harness_backend_table_t *harness_backend_table(void) {{ return &table; }}"
    )
}

fn refusal(path: &Path) -> String {
    let error = Backend::load(path).unwrap_err();
    assert_eq!(error.path(), path);
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{text}");
    text
}

fn refused(code: &str, arguments: &[&str]) -> String {
    let folder = tempdir().unwrap();
    refusal(&c::plugin(folder.path(), "x", code, arguments))
}

fn file(folder: &TempDir, contents: &[u8]) -> PathBuf {
    let path = folder.path().join(file_name("x"));
    std::fs::write(&path, contents).unwrap();
    path
}

#[test]
fn rule_7_symbols_stay_local_and_nothing_is_unloaded() {
    let folder = tempdir().unwrap();
    let path = c::plugin_of_file(folder.path(), "minimal", "minimal.c");
    let (symbol, name) = (CString::new(SYMBOL).unwrap(), CString::new(path.to_str().unwrap()).unwrap());
    drop(Backend::load(&path).unwrap());
    // SAFETY: both strings live through the calls; the handle that asks whether the library is loaded is given back.
    unsafe {
        assert!(libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()).is_null(), "its symbol is not everybody's");
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        assert!(!handle.is_null(), "it is still loaded");
        libc::dlclose(handle);
    }
}

#[test]
fn rule_7_a_symbol_that_nothing_defines_is_found_when_loading() {
    let code = "void nowhere(void);\n\
                const harness_backend_table_t *harness_backend_table(void) { nowhere(); return 0; }";
    let text = refused(code, &["-Wl,-z,lazy"]);
    assert!(text.contains("can't be loaded") && text.contains("undefined symbol: nowhere"), "{text}");
}

#[test]
fn a_backend_loads_twice_into_equal_but_separate_backends() {
    let folder = tempdir().unwrap();
    let path = c::plugin_of_file(folder.path(), "minimal", "minimal.c");
    let (one, two) = (Backend::load(&path).unwrap(), Backend::load(&path).unwrap());
    assert_eq!(one.describe(), two.describe());
}

#[test]
fn a_relative_path_is_taken_as_a_file_and_not_searched_for() {
    let error = Backend::load(Path::new("libm.so.6")).unwrap_err();
    assert!(matches!(error, LibraryError::Io { .. }), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_systems_reason() {
    let text = refusal(&tempdir().unwrap().path().join(file_name("x")));
    assert!(text.contains("can't be read: No such file or directory"), "{text}");
}

#[test]
fn a_file_that_is_not_a_library_is_recognised_by_its_first_bytes() {
    let folder = tempdir().unwrap();
    let text = refusal(&file(&folder, b"#!/bin/sh\n"));
    assert!(
        text.contains("not a shared library: it begins with [23, 21, 2f, 62]") && text.contains("remove it"),
        "{text}"
    );
    let text = refusal(&file(&folder, b""));
    assert!(text.contains("the file is empty"), "{text}");
    assert!(refusal(folder.path()).contains("it is a folder"));
    let text = refusal(&file(&folder, b"\x7fELF and then nothing"));
    assert!(text.contains("can't be loaded") && text.contains("file too short"), "{text}");
}

#[test]
fn a_library_without_the_symbol_is_no_backend() {
    let text = refused("int something_else(void) { return 0; }", &["-Wno-unused"]);
    assert!(text.contains("it exports no `harness_backend_table`"), "{text}");
}

/// A plugin whose other library is gone by the time it is loaded.
fn without_its_library(code: &str) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let other = folder.path().join("libdriver.so");
    let empty = folder.path().join("empty.c");
    std::fs::write(&empty, "extern int driver; int driver;\n").unwrap();
    c::cc(&["-shared", "-fPIC", empty.to_str().unwrap(), "-o", other.to_str().unwrap(), "-Wl,-soname,libdriver.so"]);
    let path = c::plugin(folder.path(), "x", code, &["-Wl,--no-as-needed", other.to_str().unwrap()]);
    std::fs::remove_file(other).unwrap();
    (folder, path)
}

#[test]
fn a_missing_dependent_library_is_named_with_the_loaders_words() {
    let (_folder, path) = without_its_library("extern int unused; int unused;");
    let error = Backend::load(&path).unwrap_err();
    assert!(matches!(&error, LibraryError::MissingLibrary { library, help: None, .. } if library == "libdriver.so"));
    let text = error.to_string();
    assert!(text.contains("needs `libdriver.so`") && text.contains("cannot open shared object file"), "{text}");
    assert!(text.contains("install it"), "{text}");
}

#[test]
fn a_plugin_that_can_not_be_loaded_still_gives_its_help() {
    let code = format!("const char harness_help[] = \"{HELP_MARK}get the driver with: install-driver\";");
    let (_folder, path) = without_its_library(&code);
    let text = refusal(&path);
    assert!(text.contains("needs `libdriver.so`") && text.ends_with("get the driver with: install-driver"), "{text}");
}

#[test]
fn a_refused_table_is_named_with_its_file_and_both_versions() {
    let text = refused(&table(".magic = 7"), &[]);
    assert!(text.contains("magic 0x0000000000000007") && text.contains("the harness has 2.4"), "{text}");
    let text = refused(&table(".major = 3, .minor = 5"), &[]);
    assert!(
        text.contains("built for interface 3.5, the harness has 2.4") && text.contains("build it against"),
        "{text}"
    );
    let text = refused(&table(".size = 176"), &[]);
    assert!(text.contains("176 bytes, at least 184 are needed"), "{text}");
    let text = refused(&table(".describe = 0"), &[]);
    assert!(text.contains("lacks `describe`"), "{text}");
    let text = refused("const harness_backend_table_t *harness_backend_table(void) { return 0; }", &[]);
    assert!(text.contains("gave no table"), "{text}");
}

#[test]
fn a_backend_that_calls_itself_otherwise_than_its_file_is_refused() {
    let folder = tempdir().unwrap();
    let text = refusal(&c::plugin_of_file(folder.path(), "maximal", "minimal.c"));
    assert!(text.contains("calls itself `minimal`; rename the file to libharness_backend_minimal.so"), "{text}");
    // A file that isn't called as a plugin may hold any.
    let free = folder.path().join("anything.so");
    std::fs::rename(folder.path().join(file_name("maximal")), &free).unwrap();
    assert_eq!(Backend::load(&free).unwrap().describe().name, "minimal");
}
