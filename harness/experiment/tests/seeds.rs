//! Seeds whose initial values are nearly the same are told when planned.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{World, file_with};

#[test]
fn seeds_that_share_draws_of_normal_initial_values_are_told() {
    let warnings = |seeds: &str, base: &str| {
        let text = file_with(&[("seeds", seeds)], &format!("\n[base]\n{base}\n"));
        World::default().plan(&text).unwrap().warnings.join("; ")
    };
    let learned = "preset = \"released\"";
    let told = warnings("[200, 3, 0]", learned);
    assert!(told.contains("seeds 0 and 3 share 9 of the 12 draws") && told.contains("seeds = [0, 100, 200]"), "{told}");
    // What draws no normal value, or is far enough apart, is not concerned.
    assert_eq!(warnings("[0, 12, 24]", learned), "");
    assert_eq!(warnings("[0, 1, 2]", "preset = \"released\"\nprompts = \"fixed\""), "");
    assert_eq!(warnings("[7]", learned), "");
}
