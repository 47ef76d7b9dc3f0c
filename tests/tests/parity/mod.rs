//! Running golden cases in a test: which folders, and a line a quantity.
#![allow(clippy::print_stdout, reason = "what a failed test prints is its result")]

use std::path::{Path, PathBuf};

use harness_conformance::{Outcome, Subject};
use harness_method::Precision;

/// The cases in the repository, and those of `HARNESS_GOLDEN`.
fn folders() -> Vec<PathBuf> {
    let more = std::env::var_os("HARNESS_GOLDEN").map(PathBuf::from);
    std::iter::once(harness_tests::golden("")).chain(more).collect()
}

/// Checks every case of every folder; fails at the end, so that all lines are seen.
pub(crate) fn check(subject: &mut dyn Subject) {
    let failed: Vec<String> = folders().iter().flat_map(|folder| check_folder(subject, folder)).collect();
    assert!(failed.is_empty(), "beyond their tolerance: {failed:?}");
}

fn check_folder(subject: &mut dyn Subject, folder: &Path) -> Vec<String> {
    let outcomes =
        harness_conformance::check(subject, folder, Precision::F32).unwrap_or_else(|cause| panic!("{cause}"));
    let failed = outcomes.filter(|outcome| {
        print(outcome);
        !outcome.passes()
    });
    failed.map(|outcome| outcome.case).collect()
}

pub(crate) fn print(outcome: &Outcome) {
    let case = &outcome.case;
    match &outcome.lines {
        Err(cause) => println!("FAIL {case} {cause}"),
        Ok(lines) => lines.iter().for_each(|line| {
            let verdict = if line.passes() { "ok" } else { "FAIL" };
            let worst = line.worst.as_deref().unwrap_or_default();
            println!("{verdict} {case} {} {:.2e} <= {:.0e} {worst}", line.quantity, line.error, line.tolerance);
        }),
    }
}
