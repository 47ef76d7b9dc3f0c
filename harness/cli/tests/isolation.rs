//! A backend that crashes, hangs, lies or runs out of memory is tried again where that may help; else it fails its cell
//! with the reason, and the run goes on.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Ended, Place, Row, outcome};

/// Two trainings on the misbehaving backend.
fn place() -> Place {
    let place = Place::new();
    place.edit("backends = [\"flex\"]", "backends = [\"faulty\"]");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    std::fs::create_dir(place.file("backends")).unwrap();
    harness_faulty::install(&place.file("backends"), "faulty").unwrap();
    place
}

/// A run in which the first calls of this kind, so many, and no others go wrong.
fn run_with(place: &Place, fault: &str, call: &str, times: u32, further: &[&str]) -> Ended {
    let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out"]);
    command.args(["--backend-dir", "backends", "--json"]).args(further);
    command.env("HARNESS_FAULT", fault).env("HARNESS_FAULT_CALL", call);
    command.env("HARNESS_FAULT_ONCE", place.file("marker")).env("HARNESS_FAULT_TIMES", times.to_string());
    Ended::of(command.output().unwrap())
}

fn status(rows: &[Row], status: &str) -> usize {
    let mut cells: Vec<&str> =
        rows.iter().filter(|row| row.get("status") == status).map(|row| row.get("cell")).collect();
    cells.sort_unstable();
    cells.dedup();
    cells.len()
}

/// As often as HARNESS_REPEAT says, once without it.
#[track_caller]
fn repeated(test: impl Fn()) {
    let times = std::env::var("HARNESS_REPEAT").map_or(1, |times| times.parse().unwrap());
    (0..times).for_each(|_| test());
}

/// One cell fails with all of this in its message; the other is done; the next run mends it.
#[track_caller]
fn fails_one_cell(fault: &str, call: &str, further: &[&str], says: &[&str]) {
    repeated(|| fail_one_cell(fault, call, further, says));
}

#[track_caller]
fn fail_one_cell(fault: &str, call: &str, further: &[&str], says: &[&str]) {
    let place = place();
    let again = ["crashed:", "stalled:"].contains(&says[0]);
    let ended = run_with(&place, fault, call, if again { 2 } else { 1 }, further).expect(3);
    let last = ended.last_event();
    assert_eq!((&last["done"], &last["failed"]), (&1.into(), &1.into()), "{}", ended.out);
    let rows = place.results();
    let failed = rows.iter().find(|row| row.get("status") == "failed").unwrap();
    for part in says {
        assert!(failed.get("message").contains(part), "`{part}` is not in: {}", failed.get("message"));
    }
    assert_eq!(status(&rows, "done"), 1);
    no_partial_folder(&place.file("out"));
    let here = place.path().to_string_lossy().into_owned();
    assert!(!processes().iter().any(|command| command.contains(&here)), "a process is left");
    assert_eq!(ended.out.contains("\"event\":\"retrying\""), again);
    let attempts: Vec<u64> = journal(&place, "failed").iter().map(|entry| entry["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, if again { vec![1, 2] } else { vec![1] });
    let mended = run_with(&place, fault, call, 0, further).expect(0).last_event();
    assert_eq!((&mended["done"], &mended["reused"]), (&1.into(), &1.into()));
}

/// Lines of the journal about this event.
fn journal(place: &Place, event: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(place.file("out/journal.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|entry| entry["event"] == event).collect()
}

/// Command lines of all processes.
fn processes() -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "args="]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

fn no_partial_folder(out: &Path) {
    for part in ["trainings", "evaluations"] {
        for entry in std::fs::read_dir(out.join(part)).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with('.'), "{name:?}");
        }
    }
}

#[test]
fn a_well_behaved_plugin_runs_whole_cells() {
    let place = place();
    let arguments = ["run", "small.toml", "--cache", "cache", "--out", "out", "--backend-dir", "backends", "--json"];
    assert_eq!(place.harness(&arguments).expect(0).last_event()["done"], 2);
    let told = place.harness(&["backends", "list", "--backend-dir", "backends"]).expect(0).out;
    assert!(told.contains("flex ") && told.contains("faulty "), "{told}");
}

#[test]
fn a_panic_is_the_backend_s_fault_in_its_own_words() {
    fails_one_cell("panic", "trainer_step", &[], &["backend:", "trainer_step", "the requested fault"]);
}

#[test]
fn a_segmentation_fault_names_its_signal_and_peak_memory() {
    fails_one_cell("segfault", "trainer_score", &[], &["crashed:", "signal 11", "SIGSEGV", "peak memory"]);
}

#[test]
fn a_foreign_exception_and_an_abort_name_their_signal() {
    let says = ["crashed:", "signal 6", "SIGABRT", "an exception that nothing caught", "peak memory"];
    // What the runtime says of an exception from another language is the last line of the log.
    let last = ["its log ends:", "foreign exception"];
    fails_one_cell("exception", "trainer_create", &[], &[&says[..], &last].concat());
    fails_one_cell("abort", "image_tower_encode", &[], &says);
}

#[test]
fn a_backend_that_ends_the_process_is_noticed_though_it_ended_well() {
    fails_one_cell("exit", "trainer_append_support", &[], &["crashed:", "exit code 0", "in the middle"]);
}

#[test]
fn a_kill_by_the_system_is_told_as_such() {
    fails_one_cell("killed", "trainer_step", &[], &["crashed:", "signal 9", "lack of memory", "peak memory"]);
}

#[test]
fn a_backend_that_hangs_is_ended_after_its_silence() {
    // Long enough that a slow machine's next worker is not taken to hang too.
    fails_one_cell("hang", "trainer_step", &["--silence", "20"], &["stalled:", "20 seconds"]);
}

#[test]
fn a_job_that_takes_too_long_is_ended_and_not_tried_again() {
    fails_one_cell("spin", "trainer_score", &["--cell-limit", "20"], &["time-limit:", "20 seconds", "--cell-limit"]);
}

#[test]
fn a_failure_that_passes_costs_a_second_attempt_and_no_cell() {
    repeated(|| {
        for (fault, call, class) in [
            ("segfault", "trainer_step", "crashed"),
            ("killed", "trainer_score", "crashed"),
            ("exhausted", "trainer_step", "exhausted"),
        ] {
            let place = place();
            let ended = run_with(&place, fault, call, 1, &[]).expect(0);
            let last = ended.last_event();
            assert_eq!((&last["done"], &last["failed"]), (&2.into(), &0.into()), "{}", ended.out);
            let failed = journal(&place, "failed");
            assert_eq!((failed.len(), &failed[0]["class"]), (1, &class.into()), "{fault}");
            let second: Vec<_> =
                journal(&place, "completed").into_iter().filter(|entry| entry["attempt"] == 2).collect();
            assert_eq!((second.len(), &second[0]["id"]), (1, &failed[0]["id"]), "{fault}");
            no_partial_folder(&place.file("out"));
        }
    });
}

#[test]
fn numbers_that_are_none_fail_the_cell_with_epoch_and_batch() {
    fails_one_cell("nan", "trainer_step", &[], &["numeric:", "epoch 0, batch 0"]);
    fails_one_cell("nan", "trainer_score", &[], &["numeric:", "trainer_score"]);
}

#[test]
fn a_batch_too_large_for_memory_is_encoded_in_halves_and_the_rows_say_so() {
    repeated(|| {
        let place = place();
        let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"]);
        command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", "exhausted");
        command.env("HARNESS_FAULT_CALL", "image_tower_encode").env("HARNESS_FAULT_ABOVE", "8");
        let ended = Ended::of(command.output().unwrap()).expect(0);
        assert_eq!(ended.last_event()["done"], 2);
        assert!(place.results().iter().any(|row| row.get("message").contains("8 images at once for lack of memory")));
    });
}

/// One cell whose two states score two batches of test images.
fn place_of_two_states() -> Place {
    let place = place();
    place.edit("selection = [\"last\"]", "selection = [\"best-on-test\"]");
    place.edit("seeds = [0, 1]", "seeds = [0]");
    let registry = std::fs::read_to_string(place.file("datasets.toml")).unwrap();
    place.write("datasets.toml", &registry.replace("test = 6", "test = 20"));
    place
}

/// What such a cell leaves and its evaluation's log, where from the call after so many on every one goes wrong so.
fn scored(fault: &str, call: &str, after: &str, further: &[&str]) -> (BTreeMap<String, String>, String) {
    let place = place_of_two_states();
    let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"]);
    command.args(["--backend-dir", "backends"]).args(further);
    if !fault.is_empty() {
        command.env("HARNESS_FAULT", fault).env("HARNESS_FAULT_CALL", call).env("HARNESS_FAULT_AFTER", after);
    }
    assert_eq!(Ended::of(command.output().unwrap()).expect(0).last_event()["done"], 1);
    let mut records = std::fs::read_dir(place.file("out/evaluations")).unwrap();
    let log = records.next().unwrap().unwrap().path().join("log.txt");
    (outcome::outcome(&place.file("out")), std::fs::read_to_string(log).unwrap())
}

#[test]
fn test_taps_are_sent_once_and_again_for_each_state_where_the_device_has_no_memory_for_them() {
    let (expected, log) = scored("", "", "", &[]);
    assert_eq!(log, "");
    // Nothing is sent to be scored.
    let (held, _) = scored("nan", "trainer_score", "0", &[]);
    outcome::same(&expected, &held, "held");
    for (call, after, says) in [
        ("trainer_hold_taps", "1", "(resource exhausted): the taps of further images are sent for each state\n"),
        ("trainer_score_held", "1", "the taps of all images are sent for each state\n"),
    ] {
        let (sent, log) = scored("exhausted", call, after, &[]);
        outcome::same(&expected, &sent, call);
        assert!(log.contains(says) && log.lines().count() == 1, "{call}: {log}");
    }
    // Where the cache has no room for taps either, they are held for the batches at hand.
    let (streamed, log) = scored("nan", "trainer_score", "0", &["--cache-budget", "0.00003"]);
    assert_eq!(log, "");
    outcome::same(&expected, &streamed, "streamed");
}

#[test]
fn a_backend_that_loses_taps_it_was_to_hold_fails_its_cell() {
    let place = place_of_two_states();
    let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"]);
    command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", "lost-set");
    Ended::of(command.output().unwrap()).expect(3);
    let message = journal(&place, "failed").remove(0)["message"].to_string();
    assert!(message.contains("trainer_score_held: this trainer holds no set 7 of taps"), "{message}");
}

#[test]
fn what_a_backend_prints_goes_to_the_log_and_confuses_nobody() {
    repeated(|| {
        let place = place();
        let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"]);
        command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", "print");
        let ended = Ended::of(command.output().unwrap()).expect(0);
        assert!(ended.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        let rows = place.results();
        let log = place.file("out/trainings").join(rows[0].get("training")).join("log.txt");
        assert!(!std::fs::read_to_string(log).unwrap().is_empty());
    });
}

#[test]
fn a_plugin_that_is_none_or_of_another_version_is_refused_at_plan_time_with_the_file() {
    repeated(|| {
        for (fault, says) in [("magic", "magic"), ("major", "3.7"), ("no-table", "table")] {
            let place = place();
            let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out"]);
            command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", fault);
            Ended::of(command.output().unwrap()).expect(2).says(&[
                "small.toml:7:13",
                "libharness_backend_faulty",
                says,
            ]);
        }
        let place = place();
        place.write("backends/libharness_backend_text.so", "no library");
        place.edit("\"faulty\"", "\"text\"");
        let arguments = ["run", "small.toml", "--cache", "cache", "--backend-dir", "backends"];
        place.harness(&arguments).expect(2).says(&["libharness_backend_text.so", "not a shared library"]);
    });
}

#[test]
fn a_name_found_twice_lists_both_files() {
    let place = place();
    std::fs::create_dir(place.file("more")).unwrap();
    harness_faulty::install(&place.file("more"), "faulty").unwrap();
    let arguments = ["backends", "list", "--backend-dir", "backends", "--backend-dir", "more"];
    place.harness(&arguments).expect(2).says(&["backends/libharness_backend_faulty", "more/libharness_backend_faulty"]);
}

#[test]
fn a_worker_dies_with_its_scheduler_in_the_middle_of_a_backend_s_call() {
    repeated(|| {
        let place = place();
        let mut command = place.command(&["run", "small.toml", "--cache", "cache", "--out", "out", "--json"]);
        command.args(["--backend-dir", "backends"]).env("HARNESS_FAULT", "hang").env("HARNESS_FAULT_AFTER", "3");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("\"phase\":\"train\"")));
        let workers = workers_of(child.id());
        assert_eq!(workers.len(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        // The kernel sends the signal; its delivery takes a moment.
        let gone = (0..1000).any(|_| {
            std::thread::yield_now();
            let gone = !alive(workers[0]);
            if !gone {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            gone
        });
        assert!(gone, "worker {} lives on", workers[0]);
    });
}

fn workers_of(parent: u32) -> Vec<u32> {
    let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &parent.to_string()]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether a process runs; a dead one that nobody waited for does not.
fn alive(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit_once(')').is_some_and(|(_, rest)| !matches!(rest.trim().chars().next(), Some('Z' | 'X') | None))
}
