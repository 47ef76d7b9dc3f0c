//! The built-in backend through its C table, against every golden case.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod parity;

use harness_backend_abi::host::{Precision, SessionOptions};

#[test]
fn flex_through_the_table_reproduces_the_golden_cases() {
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions::on("cpu")).unwrap();
    parity::check(&mut harness_conformance::through_table(&session, Precision::F32));
}

#[test]
fn heads_of_flex_through_the_table_reproduce_theirs() {
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions::on("cpu")).unwrap();
    let outcomes: Vec<_> =
        harness_conformance::check_heads(&session, &harness_tests::golden(""), Precision::F32).unwrap().collect();
    assert_eq!(outcomes.len(), 5);
    outcomes.iter().for_each(parity::print);
    assert!(outcomes.iter().all(harness_conformance::Outcome::passes));
}

#[test]
fn windows_of_flex_through_the_table_reproduce_theirs() {
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions::on("cpu")).unwrap();
    let outcomes: Vec<_> =
        harness_conformance::check_windows(&session, &harness_tests::golden(""), Precision::F32).unwrap().collect();
    assert_eq!(outcomes.iter().map(|outcome| outcome.lines.as_ref().unwrap().len()).collect::<Vec<_>>(), [2, 2]);
    outcomes.iter().for_each(parity::print);
    assert!(outcomes.iter().all(harness_conformance::Outcome::passes));
}

#[test]
fn distances_of_flex_through_the_table_are_those_of_the_reference() {
    let backend = harness_backend_flex::backend().unwrap();
    let session = backend.open(&SessionOptions::on("cpu")).unwrap();
    let outcomes: Vec<_> =
        harness_conformance::check_nearest(&session, &harness_tests::golden(""), Precision::F32).unwrap().collect();
    assert_eq!(outcomes.len(), 1);
    outcomes.iter().for_each(parity::print);
    assert!(outcomes.iter().all(harness_conformance::Outcome::passes));
}

#[test]
fn threads_of_a_session_change_no_bit() {
    let backend = harness_backend_flex::backend().unwrap();
    let folder = harness_tests::golden("");
    for case in harness_conformance::Case::read_all(&folder).unwrap() {
        let [one, three] = [1, 3].map(|threads| {
            let session =
                backend.open(&SessionOptions { threads: Some(threads), ..SessionOptions::on("cpu") }).unwrap();
            harness_conformance::Subject::run(&mut harness_conformance::through_table(&session, Precision::F32), &case)
                .unwrap()
        });
        assert_eq!(one, three, "{}", case.name);
    }
}
