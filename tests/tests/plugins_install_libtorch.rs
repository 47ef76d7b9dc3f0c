//! `scripts/install-libtorch.sh` without a network: what it refuses, and that it leaves nothing behind.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// The script's exit code and what it says.
fn install(arguments: &[&str]) -> (i32, String) {
    let script = harness_tests::root().join("scripts/install-libtorch.sh");
    let output = Command::new("bash").arg(script).args(arguments).output().unwrap();
    assert!(output.stdout.is_empty() || output.status.success());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_argument_it_does_not_know_is_named() {
    let (code, text) = install(&["--form", "wheels"]);
    assert_eq!((code, text.as_str()), (1, "install-libtorch: unknown argument --form; see --help\n"));
    assert!(install(&["--to"]).1.contains("--to needs a folder"));
}

#[test]
fn a_folder_of_somebody_elses_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "mine").unwrap();
    let (code, text) = install(&["--to", folder.path().to_str().unwrap()]);
    assert!(code == 1 && text.contains("is there and not from this script"), "{text}");
    assert_eq!(names(folder.path()), ["thesis.tex"]);
}

#[test]
fn a_wheel_that_is_absent_or_another_is_named_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (wheels, to) = (folder.path().join("wheels"), folder.path().join("libtorch"));
    std::fs::create_dir(&wheels).unwrap();
    let from = ["--from", wheels.to_str().unwrap(), "--to", to.to_str().unwrap()];
    let wheel = wheels.join("torch-2.9.0-cp311-cp311-manylinux_2_28_x86_64.whl");
    let (code, text) = install(&from);
    assert!(code == 1 && text.contains(&format!("{} is not there", wheel.display())), "{text}");
    std::fs::write(&wheel, "half of it").unwrap();
    let (code, text) = install(&from);
    assert!(code == 1 && text.contains("has another sha256 than 51de31219c97"), "{text}");
    assert_eq!(names(folder.path()), ["wheels"]);
}
