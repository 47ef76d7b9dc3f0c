//! `scripts/check-gpu.sh` on a machine without a card: all of it but the measuring.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

fn check_gpu(arguments: &[&str], out: &Path) -> Output {
    let script = harness_tests::root().join("scripts/check-gpu.sh");
    let program = env!("CARGO_BIN_EXE_harness");
    let mut command = Command::new("bash");
    command.arg(script).args(["--program", program, "--python", "-", "--out"]).arg(out).args(arguments);
    command.env_remove("HARNESS_BACKENDS").output().unwrap()
}

#[test]
fn a_dry_run_goes_from_golden_cases_to_a_cell_and_leaves_one_table_and_one_json_file() {
    let out = tempfile::tempdir().unwrap();
    let output = check_gpu(&["--dry-run"], out.path());
    let said = String::from_utf8_lossy(&output.stderr);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{table}");
    let json = std::fs::read_to_string(out.path().join("check-gpu.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let found = |what: &str| {
        let row = rows.iter().find(|row| row["what"] == what).unwrap_or_else(|| panic!("no row `{what}` in {table}"));
        row["found"].as_str().unwrap().to_owned()
    };
    let golden = found("golden f32");
    let (within, all) = golden.strip_suffix(" quantities").and_then(|golden| golden.split_once(" of ")).unwrap();
    assert!(within == all && all.parse::<usize>().unwrap() >= 200, "{golden}");
    assert!(found("tiny, f32, batch 4: encode by flex").contains(" images/s, "), "{table}");
    assert!(found("tiny, f32, batch 4: step by flex").contains(" images/s, "), "{table}");
    for metric in ["image_auroc", "pixel_auroc"] {
        let auroc: f64 = found(&format!("cell, f32: flex, last, {metric}")).parse().unwrap();
        assert!((0.0..=1.0).contains(&auroc), "{auroc}");
    }
    assert!(table.contains("A dry run") && table.matches("\n| ").count() > rows.len(), "{table}");
}

#[test]
fn what_cannot_be_checked_is_said_with_exit_code_2() {
    let out = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], why: &str| {
        let output = check_gpu(arguments, out.path());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    };
    refused(&["--backend", "nosuch"], "there is no backend `nosuch`");
    refused(&["--drily"], "unknown argument --drily; see --help");
    refused(&["--data", "nowhere"], "nowhere is not a folder");
    refused(&["--minutes", "soon"], "--minutes needs a whole number");
}
