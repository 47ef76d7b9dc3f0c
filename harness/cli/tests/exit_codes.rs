//! Every exit code that the README documents, from the shortest way to it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Ended, Place};

#[test]
fn code_0_is_a_run_that_is_done() {
    Place::new().run(&[]).expect(0).says(&["2 cells done in"]);
}

#[test]
fn code_1_is_a_check_that_found_something() {
    let place = common::files::on_files();
    common::files::save(&place, "test/Ungood/anomaly_mask/a0.png", &|_, _| 0);
    let ended = place.harness(&["datasets", "verify", "Files"]).expect(1);
    assert!(ended.out.contains("error: ") && ended.out.contains("a0.png"), "{}", ended.out);
}

#[test]
fn code_2_is_wrong_input_and_nothing_is_started() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 0");
    place.run(&[]).expect(2).says(&["error: small.toml:", "epochs"]);
    assert!(!place.file("out").exists());
}

#[test]
fn code_3_is_a_run_with_failed_cells_and_the_command_that_tries_them_again() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 2\nlearning_rate = 1e30");
    place.run(&["--only", "seed=0 shots=2"]).expect(3).says(&[
        "0 cells done, 2 failed",
        "Reasons are in out/report.md",
        "to try them again: harness run small.toml --cache cache --out out --only 'seed=0 shots=2'",
    ]);
}

#[test]
fn code_4_is_a_refusal_by_the_system() {
    let place = Place::new();
    place.write("out", "a file where the folder should be");
    place.run(&[]).expect(4).says(&["error: ", "out"]);
}

#[test]
fn code_4_is_also_a_cache_or_a_figure_that_cannot_be_written() {
    let place = Place::new();
    place.write("taken", "a file where a folder should be");
    let elsewhere = ["run", "small.toml", "--cache", "taken/cache", "--out", "elsewhere"];
    place.harness(&elsewhere).expect(4).says(&["error: ", "taken/cache"]);
    place.run(&["--only", "selection=last"]).expect(0);
    std::fs::remove_dir_all(place.file("out/figures")).unwrap();
    place.write("out/figures", "a file where a folder should be");
    place.harness(&["report", "out"]).expect(4).says(&["error: ", "out/figures"]);
    std::fs::remove_file(place.file("out/figures")).unwrap();
    place.harness(&["report", "out"]).expect(0);
}

/// Linux's device that has no room.
#[cfg(target_os = "linux")]
#[test]
fn code_4_is_also_standard_output_that_cannot_be_written() {
    let place = Place::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["plan", "small.toml", "--cache", "cache", "--toml"][..],
        &["plan", "small.toml", "--cache", "cache"],
        &["datasets", "list"],
        &["datasets", "verify"],
        &["cache", "list", "--cache", "cache"],
        &["backends", "list"],
        &["run", "--help"],
        &["--version"],
        &["run", "small.toml", "--cache", "cache", "--out", "out", "--json"],
        &["report", "out"],
    ] {
        let output = place.command(arguments).stdout(full()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {told}");
        assert!(told.contains("error: can't write to standard output: "), "{arguments:?}: {told}");
    }
    // The work was done all the same.
    place.run(&[]).expect(0).says(&["already done"]);
}

#[test]
fn code_5_is_a_backend_that_dies() {
    let place = common::files::on_files();
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.run(&["--only", "variant=base"]).expect(0);
    std::fs::create_dir(place.file("backends")).unwrap();
    harness_faulty::install(&place.file("backends"), "faulty").unwrap();
    let cell = place.results()[0].get("cell").to_owned();
    let arguments =
        ["predict", "--cell", &cell, "--results", "out", "--backend", "faulty", "--backend-dir", "backends"];
    let mut command = place.command(&arguments);
    command.args(["--cache", "other", "files/test/good/img"]);
    command.env("HARNESS_FAULT", "abort").env("HARNESS_FAULT_CALL", "image_tower_encode");
    Ended::of(command.output().unwrap()).expect(5).says(&["error: ", "SIGABRT"]);
}

#[test]
fn code_130_is_an_interrupted_run_with_the_command_that_continues_it() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 20000");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    let arguments = ["run", "small.toml", "--cache", "cache", "--out", "out", "--threads", "1"];
    let mut child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("[1/1] base")));
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let told = rest.join("\n");
    assert!(told.contains("stopping cleanly; press Ctrl-C again"), "{told}");
    let command = "continue with: harness run small.toml --cache cache --out out --threads 1";
    assert!(told.contains(command), "{told}");
}

#[test]
fn the_readme_and_the_help_list_the_same_codes() {
    let readme = std::fs::read_to_string(harness_tests::root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| exit code |").unwrap();
    let documented: BTreeSet<u8> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    let help = Place::new().harness(&["--help"]).expect(0).out;
    let (_, listed) = help.split_once("Exit codes:").unwrap();
    let listed: BTreeSet<u8> = listed.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert_eq!(documented, BTreeSet::from([0, 1, 2, 3, 4, 5, 130]));
    assert_eq!(listed, documented);
}
