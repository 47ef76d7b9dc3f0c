//! The repository's own rules: what CONTRIBUTING.md and ARCHITECTURE.md promise of every file, checked.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "repository/crates.rs"]
mod crates;
#[path = "repository/files.rs"]
mod files;
#[path = "repository/imports.rs"]
mod imports;

use std::collections::BTreeSet;

use crates::Manifest;
use files::{lines, relative, sources, texts};

/// Lines that a source file may have.
const LONGEST: usize = 600;
/// Columns that a line may have, as rustfmt is told.
const WIDEST: usize = 120;

#[test]
fn every_source_file_begins_with_what_it_does() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|path| !lines(path).first().is_some_and(|line| line.starts_with("//! ") && line.len() > 12))
        .map(|path| relative(&path))
        .collect();
    assert!(silent.is_empty(), "the first line must be a `//!` sentence: {silent:#?}");
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|path| (lines(&path).len(), path))
        .filter(|(count, _)| *count > LONGEST)
        .map(|(count, path)| format!("{}: {count} lines", relative(&path)))
        .collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:#?}");
}

#[test]
fn comments_fit_their_lines() {
    let comment = |line: &str| line.trim_start().starts_with("//") && !line.contains("//! |");
    let mut wide = Vec::new();
    for path in sources() {
        for (number, line) in lines(&path).iter().enumerate() {
            if comment(line) && line.chars().count() > WIDEST {
                wide.push(format!("{}:{}", relative(&path), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "comments over {WIDEST} columns, which rustfmt leaves alone: {wide:#?}");
}

#[test]
fn every_file_that_is_referred_to_is_there() {
    let root = harness_tests::root();
    let mut missing = Vec::new();
    for path in texts() {
        let folder = path.parent().unwrap();
        for (number, line) in lines(&path).iter().enumerate() {
            for reference in files::references(&path, line) {
                if ![folder, root.as_path()].iter().any(|base| base.join(&reference).exists()) {
                    missing.push(format!("{}:{}: {reference}", relative(&path), number + 1));
                }
            }
        }
    }
    assert!(missing.is_empty(), "refers to what is not in the repository: {missing:#?}");
}

#[test]
fn the_code_map_of_architecture_names_every_crate() {
    let map = std::fs::read_to_string(harness_tests::root().join("ARCHITECTURE.md")).unwrap();
    let unnamed: Vec<String> =
        crates::all().into_iter().map(|c| c.name).filter(|name| !map.contains(&format!("`{name}`"))).collect();
    // The plugins share a row of the table.
    let unnamed: Vec<_> = unnamed.iter().filter(|name| !name.starts_with("harness-backend-")).collect();
    assert!(unnamed.is_empty(), "not in the code map: {unnamed:?}");
}

/// Dependencies that would turn the flow of data around, or put a large library under everything.
#[test]
fn crates_depend_downwards_alone() {
    let crates = crates::all();
    let reaches = |from: &str| crates::reachable(&crates, from);
    for (from, never, why) in [
        ("harness-disk", "polars", "every writer uses it, also those that build in seconds"),
        ("harness-config", "harness-method", "it knows TOML, not what keys mean"),
        ("harness-metrics", "harness-data", "metrics are functions on slices"),
        ("harness-experiment", "polars", "planning builds in seconds"),
        ("harness-experiment", "harness-backend-abi", "a plan asks its catalogue, never a backend"),
        ("harness-data", "harness-experiment", "data knows no plan"),
        ("harness-features", "harness-data", "the tap store knows keys, not files"),
        ("harness-backend-abi", "harness-data", "backends never see a file name"),
        ("madclip", "harness-data", "backends never see a file name"),
        ("harness-results", "harness-worker", "results are read from records, without a backend"),
        ("harness-results", "harness-backend-abi", "results are read from records, without a backend"),
        ("harness-report", "harness-run", "a report reads typed rows"),
        ("harness-report", "harness-backend-abi", "a report reads typed rows"),
        ("harness-run", "harness-report", "the scheduler makes records, not pages"),
        ("harness-worker", "harness-results", "a worker never opens a label"),
    ] {
        assert!(!reaches(from).contains(never), "{from} reaches {never}: {why}");
    }
}

#[test]
fn every_crate_has_the_workspace_s_lints() {
    let without: Vec<String> = crates::all().into_iter().filter(|c| !c.has_lints).map(|c| c.name).collect();
    assert!(without.is_empty(), "`[lints] workspace = true` is missing: {without:?}");
}

/// Groups of modules that import each other. Those that stay have a reason in ARCHITECTURE.md, under "Circles that
/// stay".
#[test]
fn modules_import_each_other_in_no_circle_without_a_reason() {
    let architecture = std::fs::read_to_string(harness_tests::root().join("ARCHITECTURE.md")).unwrap();
    let reasons = architecture.split("## Circles that stay").nth(1).unwrap_or_default();
    let mut unexplained = BTreeSet::new();
    for Manifest { name, folder, .. } in crates::all() {
        for circle in imports::circles(&folder.join("src")) {
            let line = format!("`{name}`: {}", circle.join(", "));
            if !reasons.contains(&line) {
                unexplained.insert(line);
            }
        }
    }
    assert!(unexplained.is_empty(), "modules that import each other: {unexplained:#?}");
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\n");
    write("a.rs", "use crate::b::B;\npub struct A(B);\n");
    write("b.rs", "use crate::A;\npub struct B(Option<Box<A>>);\n");
    write("c.rs", "use crate::{A, b::B};\nfn f(_: A, _: B) {}\n");
    assert_eq!(imports::circles(folder.path()), [["a", "b"]]);
    write("b.rs", "pub struct B;\n#[cfg(test)]\nmod tests { use crate::A; }\n");
    assert_eq!(imports::circles(folder.path()), Vec::<Vec<String>>::new());
}

#[test]
fn no_file_names_a_path_of_this_machine() {
    let root = harness_tests::root().canonicalize().unwrap();
    let root = root.to_string_lossy();
    let named: Vec<String> = texts()
        .into_iter()
        .filter(|path| lines(path).iter().any(|line| line.contains(&*root)))
        .map(|path| relative(&path))
        .collect();
    assert!(named.is_empty(), "names this machine's path: {named:?}");
}
