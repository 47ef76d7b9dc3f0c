//! What a run leaves that must not depend on when it was done, how often it was interrupted, or how fast.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "shared by tests, each of which uses a part")]

use std::collections::BTreeMap;
use std::path::Path;

use harness_tables::{CurveRow, ResultRow, read_curve, read_results};

/// The files of a results folder by name, those that tell time or memory without it.
pub fn outcome(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            // When it happened, who was there, what failed on the way, and how it was run; sizes of files that tell
            // time.
            let aside = ["journal.jsonl", "lock", "run.toml", "logs"].contains(&name.as_str())
                || ["log.txt", "files.json"].iter().any(|aside| name.ends_with(aside));
            match path.is_dir() {
                _ if aside => {}
                true => folders.push(path),
                false => {
                    files.insert(name, content(&path));
                }
            }
        }
    }
    files
}

fn content(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    match name.as_str() {
        "results.csv" | "results.parquet" => format!("{:#?}", results(path)),
        "curve.parquet" => {
            let rows = read_curve(path).unwrap();
            format!("{:#?}", rows.into_iter().map(|row| CurveRow { secs: 0.0, ..row }).collect::<Vec<_>>())
        }
        "report.md" => without_time(&std::fs::read_to_string(path).unwrap()),
        // The last table of a record is what it cost, or stands before what was made.
        "training.toml" | "evaluation.toml" => without_cost(&std::fs::read_to_string(path).unwrap()),
        _ => std::fs::read(path).unwrap().iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The rows of a results table, without time and memory.
pub fn results(path: &Path) -> Vec<ResultRow> {
    let timeless = |row: ResultRow| ResultRow {
        train_secs: None,
        eval_secs: None,
        encode_secs: None,
        peak_memory_bytes: None,
        ..row
    };
    read_results(path).unwrap().into_iter().map(timeless).collect()
}

/// A report without how and when it was made.
fn without_time(report: &str) -> String {
    let of_run = |line: &&str| !line.starts_with("- command: ") && !line.starts_with("- computed: ");
    report.lines().filter(of_run).collect::<Vec<_>>().join("\n")
}

fn without_cost(record: &str) -> String {
    let mut inside = false;
    let keep = |line: &&str| {
        if line.starts_with('[') {
            inside = *line == "[cost]";
        }
        !inside
    };
    record.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// Both outcomes have the same files with the same contents.
#[track_caller]
pub fn same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>, what: &str) {
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{what}");
    for (name, content) in one {
        assert!(*content == other[name], "{what}: {name} differs");
    }
}
