//! Compiling C in tests, against the header as a third party has it. No test is here.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use harness_backend_abi::host::file_name;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the C compiler with strict warnings and the header's folder; its words are the failure.
pub fn cc(arguments: &[&str]) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(&compiler);
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-I"]).arg(format!("{HERE}/include")).args(arguments);
    let output = command.output().unwrap_or_else(|cause| panic!("{}: {cause}", compiler.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a plugin of this name from a C file of `tests/`.
pub fn plugin_of_file(folder: &Path, name: &str, file: &str) -> PathBuf {
    let path = folder.join(file_name(name));
    let source = format!("{HERE}/tests/{file}");
    cc(&["-std=c11", "-shared", "-fPIC", &source, "-o", path.to_str().unwrap()]);
    path
}

/// Builds a plugin of this name from C code that includes the header already, with further arguments.
pub fn plugin(folder: &Path, name: &str, code: &str, arguments: &[&str]) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    std::fs::write(&source, format!("#include \"harness_backend.h\"\n{code}\n")).unwrap();
    let path = folder.join(file_name(name));
    let mut all = vec!["-std=c11", "-shared", "-fPIC", source.to_str().unwrap(), "-o", path.to_str().unwrap()];
    all.extend(arguments);
    cc(&all);
    path
}
