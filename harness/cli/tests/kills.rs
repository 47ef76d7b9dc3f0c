//! A run that is killed, wherever it is, and gone on with comes to the same results as one that is not, and trains
//! nothing twice that was finished, neither trainings nor epochs.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::outcome::{outcome, same};
use common::{Ended, Place};

/// How often a test repeats itself: HARNESS_REPEAT, once without it.
fn repeats() -> usize {
    std::env::var("HARNESS_REPEAT").map_or(1, |times| times.parse().unwrap())
}

/// Two seeds under all three rules: six trainings, ten evaluations.
fn place() -> Place {
    let place = Place::new();
    place.edit("seeds = [0]", "seeds = [0, 1]");
    place.edit("\"best-on-test\"]", "\"best-on-test\", \"best-on-support\"]");
    place
}

/// More than the epochs after which a training is killed three times.
const EPOCHS: usize = 20;

const RUN: [&str; 8] = ["run", "small.toml", "--cache", "cache", "--out", "out", "--threads", "1"];

/// The run; trainings are kept after every epoch, however little time one takes.
fn command(place: &Place) -> Command {
    let mut command = place.command(&RUN);
    command.env("HARNESS_KEEP_EVERY_EPOCH", "1");
    command
}

fn start(place: &Place) -> Child {
    command(place).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Times that each record was completed, by its id.
fn completions(place: &Place) -> HashMap<String, usize> {
    let mut completions = HashMap::new();
    for line in std::fs::read_to_string(place.file("out/journal.jsonl")).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        if entry["event"] == "completed" {
            *completions.entry(entry["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    completions
}

#[track_caller]
fn goes_on_to(reference: &BTreeMap<String, String>, place: &Place, what: &str) {
    Ended::of(command(place).output().unwrap()).expect(0);
    same(reference, &outcome(&place.file("out")), what);
    let twice: Vec<String> = completions(place).into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect();
    assert!(twice.is_empty(), "{what}: made twice: {twice:?}");
}

/// Numbers from 0 to 1 that are the same each time.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The process's worker, if it has one now.
fn worker_of(parent: u32) -> Option<u32> {
    let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &parent.to_string()]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().split_whitespace().next().map(|pid| pid.parse().unwrap())
}

fn kill(process: u32) {
    // Gone already is as good.
    let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// Ten times HARNESS_REPEAT.
#[test]
fn a_run_killed_at_any_moment_and_gone_on_with_gives_the_same_files_and_makes_nothing_twice() {
    let whole = place();
    let begun = Instant::now();
    whole.harness(&RUN).expect(0);
    let length = begun.elapsed();
    let reference = outcome(&whole.file("out"));
    let mut moments = Moments(0x9E37_79B9_7F4A_7C15);
    let (mut harness, mut worker, mut over) = (0, 0, 0);
    for round in 0..10 * repeats() {
        let place = place();
        let (moment, at_worker) = (length.mul_f64(moments.next()), moments.next() < 0.5);
        let mut child = start(&place);
        std::thread::sleep(moment);
        let ended = child.try_wait().unwrap().is_some();
        match worker_of(child.id()).filter(|_| at_worker && !ended) {
            Some(process) => {
                kill(process);
                worker += 1;
            }
            None => {
                let _ = child.kill();
                if ended { over += 1 } else { harness += 1 }
            }
        }
        child.wait().unwrap();
        goes_on_to(&reference, &place, &format!("round {round}, after {moment:?}"));
    }
    println!(
        "killed: harness {harness} times, worker {worker} times, after the end {over} times; a run takes {length:?}"
    );
    assert!(over < 10 * repeats());
}

/// The epochs that lines of JSON report, each with its training, and how often a training went on.
fn epochs(lines: &str) -> (Vec<(String, u64)>, usize) {
    let (mut training, mut epochs, mut went_on) = (String::new(), Vec::new(), 0);
    // A kill may cut the last line.
    for event in lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        match event["event"].as_str().unwrap() {
            "training" => training = event["training"].as_str().unwrap().to_owned(),
            "epoch" => epochs.push((training.clone(), event["epoch"].as_u64().unwrap())),
            "note" if event["message"].as_str().unwrap().contains(" goes on after epoch ") => went_on += 1,
            _ => {}
        }
    }
    (epochs, went_on)
}

/// Three kills in one run, 30 with HARNESS_REPEAT=10.
#[test]
fn a_training_that_is_killed_goes_on_after_its_last_finished_epoch_and_comes_to_the_same_bytes() {
    let long = || {
        let place = Place::new();
        place.edit("epochs = 2", &format!("epochs = {EPOCHS}"));
        place
    };
    let whole = long();
    Ended::of(command(&whole).output().unwrap()).expect(0);
    let reference = outcome(&whole.file("out"));
    let mut moments = Moments(0x1234_5678_9ABC_DEF1);
    let (mut kills, mut went_on) = (0, 0);
    for round in 0..repeats() {
        let place = long();
        let mut seen = Vec::new();
        for at_worker in [false, false, true] {
            let lines = place.file("lines");
            let output = std::fs::File::create(&lines).unwrap();
            let mut child = command(&place).arg("--json").stdout(output).stderr(Stdio::null()).spawn().unwrap();
            let text = || std::fs::read_to_string(&lines).unwrap();
            let some = 1 + (moments.next() * 4.0) as usize;
            while epochs(&text()).0.len() < some && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis((moments.next() * 30.0) as u64));
            match worker_of(child.id()).filter(|_| at_worker) {
                // The same run goes on with it.
                Some(process) => kill(process),
                None => drop(child.kill()),
            }
            child.wait().unwrap();
            kills += 1;
            let (epochs, again) = epochs(&text());
            seen.extend(epochs);
            went_on += again;
        }
        let ended = Ended::of(command(&place).arg("--json").output().unwrap()).expect(0);
        let (epochs, again) = epochs(&ended.out);
        seen.extend(epochs);
        went_on += again;
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "round {round}: an epoch was trained twice: {seen:?}");
        same(&reference, &outcome(&place.file("out")), &format!("round {round}"));
    }
    println!("{kills} kills, after which a training went on {went_on} times");
    assert_eq!(kills, went_on);
}

/// Images in complete chunks of the tap store.
fn stored(place: &Place) -> u64 {
    let chunks = harness_features::list(&place.file("cache/taps")).unwrap_or_default();
    chunks.into_iter().filter_map(|chunk| Some(chunk.contents.ok()?.images as u64)).sum()
}

/// Images that went through the encoder for a record.
fn encoded(place: &Place, id: &str) -> u64 {
    let files = [format!("out/trainings/{id}/training.toml"), format!("out/evaluations/{id}/evaluation.toml")];
    let text = files.iter().find_map(|file| std::fs::read_to_string(place.file(file)).ok()).unwrap();
    let record: toml::Table = text.parse().unwrap();
    record["cost"]["encoded"].as_integer().unwrap().try_into().unwrap()
}

/// Two kills, 20 with HARNESS_REPEAT=10.
#[test]
fn an_image_in_a_finished_chunk_is_never_encoded_again() {
    // A chunk holds an eighth of the budget, a few dozen images.
    let run = [&RUN[..], &["--cache-budget", "0.006"]].concat();
    let many = || {
        let place = Place::new();
        place.write("datasets.toml", &common::REGISTRY.replace("test = 6", "test = 150"));
        place.edit("epochs = 2", "epochs = 1");
        place.edit("[\"last\", \"best-on-test\"]", "[\"last\"]");
        place
    };
    let whole = many();
    whole.harness(&run).expect(0);
    let distinct = stored(&whole);
    let mut moments = Moments(0x0F0F_1234_ABCD_0001);
    let (mut kept, rounds) = (0, 2 * repeats());
    for round in 0..rounds {
        let place = many();
        let mut child = place.command(&run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let some = (distinct as f64 * 0.7 * moments.next()) as u64;
        while stored(&place) < some && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis((moments.next() * 20.0) as u64));
        let _ = child.kill();
        child.wait().unwrap();
        let before = if place.file("out/journal.jsonl").exists() { completions(&place) } else { HashMap::new() };
        let there = stored(&place);
        place.harness(&run).expect(0);
        let made = completions(&place).into_keys().filter(|id| !before.contains_key(id));
        let again: u64 = made.map(|id| encoded(&place, &id)).sum();
        // Less where the worker closed a chunk while it was killed.
        assert!(there + again <= distinct, "round {round}: {there} stored, {again} encoded, {distinct} in all");
        kept += u64::from(0 < there && there < distinct);
    }
    println!("{kept} of {rounds} kills left some of {distinct} images");
}

/// How a run ended that was told to stop at a place of writing.
fn stop_at(place: &Place, process: &str, number: usize) -> Ended {
    let mut command = command(place);
    Ended::of(command.args(["--json"]).env("HARNESS_STOP_AT_WRITE", format!("{process}:{number}")).output().unwrap())
}

/// Every place with HARNESS_REPEAT, every ninth without it.
#[test]
fn a_run_that_stops_where_it_writes_and_is_gone_on_with_gives_the_same_files() {
    let fresh = Place::new;
    let whole = fresh();
    whole.harness(&RUN).expect(0);
    let reference = outcome(&whole.file("out"));
    let step = if repeats() > 1 { 1 } else { 9 };
    let mut places = Vec::new();
    for process in ["harness", "worker"] {
        let mut stopped = 0;
        for number in (1..).step_by(step) {
            let place = fresh();
            let ended = stop_at(&place, process, number);
            let reached = match process {
                "harness" => ended.code.is_none(),
                _ => ended.out.contains("\"event\":\"retrying\""),
            };
            if !reached {
                ended.expect(0);
                break;
            }
            stopped += 1;
            goes_on_to(&reference, &place, &format!("{process} stopped at its write {number}"));
        }
        places.push(stopped);
    }
    println!("stopped: harness at {} places, worker at {}", places[0], places[1]);
    assert!(places[0] * step > 30 && places[1] * step > 10, "{places:?}");
}

#[test]
fn two_runs_on_one_folder_leave_what_one_does() {
    let whole = place();
    whole.harness(&RUN).expect(0);
    let place = place();
    let (mut first, mut second) = (start(&place), start(&place));
    assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
    same(&outcome(&whole.file("out")), &outcome(&place.file("out")), "two at once");
    assert!(completions(&place).values().all(|times| *times == 1));
}
