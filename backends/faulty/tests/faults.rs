//! Every behaviour in the README, seen from a host: each in a process of its own, which this file starts from itself.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests, and a child that reports")]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use harness_backend_abi::host::{
    Backend, BackendError, ImageTowerOptions, Model, NamedTensor, Precision, SessionOptions, TextTowerOptions,
    TrainerOptions,
};
use serde_json::json;

/// Set for the child: the plugin it loads.
const PLUGIN: &str = "HARNESS_FAULTY_TEST_PLUGIN";
const MIB: u64 = 1 << 20;

/// A small cell: a worker's calls of a backend, from the first to the last.
fn cell(backend: &Backend, images: usize) -> Result<f32, BackendError> {
    let arch = json!({"patch": 2, "width": 3, "embed": 4, "context": 5, "text_width": 2});
    let session = backend.open(&SessionOptions::on("cpu"))?;
    let image_options = ImageTowerOptions {
        arch: arch.clone(),
        image_size: 4,
        taps: vec![1, 2],
        activation: json!("gelu"),
        normalize: json!("none"),
        precision: Precision::F32,
    };
    let mut tower = session.load_image_tower(&image_options, &[])?;
    let mut taps = [vec![0.0; images * 15], vec![0.0; images * 15]];
    let [one, two] = &mut taps;
    let pixels: Vec<u8> = (0..images * 48).map(|i| (i % 251) as u8).collect();
    tower.encode_u8(&pixels, images, &mut [one, two])?;
    let text_options = TextTowerOptions { arch: arch.clone(), activation: json!("gelu") };
    let mut text = session.load_text_tower(&text_options, &[])?;
    text.encode(&[0.5; 10], &[4], true)?;
    let options = TrainerOptions {
        model: Model::Madclip,
        options: json!({"image_size": 4, "taps": [1, 2]}),
        arch,
        has_masks: false,
        learning_rate: 0.1,
        losses: vec!["detection".into()],
    };
    let state = [NamedTensor::f32("weight", &[2, 2], &[1.0, -1.0, 1.0, -1.0])];
    let mut trainer = session.create_trainer(&options, Some(&text), &[], &state)?;
    let slices = [taps[0].as_slice(), taps[1].as_slice()];
    let labels: Vec<u8> = (0..images).map(|i| (i % 2) as u8).collect();
    trainer.append_support(&slices, &labels, None)?;
    let mut indices: Vec<u32> = (0..images as u32).collect();
    let first = trainer.step(&indices)?[0];
    indices.reverse();
    let second = trainer.step(&indices)?[0];
    assert!(second < first || first > 1e29, "the loss falls: {first} {second}");
    let kept = trainer.read_state(&[("weight", &[2, 2])])?;
    trainer.write_state(&kept.iter().map(|tensor| tensor.as_named()).collect::<Vec<_>>())?;
    trainer.text()?;
    let scores = trainer.score(&slices, images, false)?;
    assert_eq!(trainer.room()?, None);
    let held = trainer.hold_taps(&slices, images)?;
    let mut again = trainer.score_held(&held, &indices, false)?;
    trainer.release_taps(held)?;
    again.detection.reverse();
    assert!(again.detection == scores.detection || again.detection[0] > 1e29 || scores.detection[0] > 1e29);
    Ok(scores.detection.into_iter().chain(scores.grids).fold(first, f32::max))
}

/// Not a test of its own: the child's work. Without a plugin's name it does nothing.
#[test]
fn child() {
    let Some(path) = std::env::var_os(PLUGIN) else { return };
    let backend = match Backend::load(Path::new(&path)) {
        Ok(backend) => backend,
        Err(cause) => return println!("\nsaid: refused: {cause}"),
    };
    println!("\nsaid: loaded {} {}", backend.describe().name, backend.interface());
    for images in [4, 2] {
        match cell(&backend, images) {
            Ok(largest) => println!("\nsaid: cell of {images} done, largest number {largest:.1}"),
            Err(cause) => println!("\nsaid: {cause}"),
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("\nsaid: peak {}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

fn start(folder: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(PLUGIN, harness_faulty::install(folder, "faulty").unwrap());
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run_in(folder: &Path, variables: &[(&str, &str)]) -> (Output, Vec<String>) {
    let output = start(folder, variables).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().filter_map(|line| line.strip_prefix("said: ")).map(str::to_owned).collect();
    (output, said)
}

fn run(variables: &[(&str, &str)]) -> (Output, Vec<String>) {
    run_in(tempfile::tempdir().unwrap().path(), variables)
}

/// Peak memory that a child reports, in bytes.
fn peak(said: &[String]) -> u64 {
    let line = said.last().unwrap();
    let kib: u64 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn without_a_fault_whole_cells_run() {
    let (output, said) = run(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said[0], "loaded faulty 2.4");
    assert!(said[1].starts_with("cell of 4 done") && said[2].starts_with("cell of 2 done"), "{said:?}");
}

#[test]
fn a_wrong_table_is_refused_and_a_newer_one_is_not() {
    let refusals = [
        ("magic", "magic 0x4e4f544841524e53, expected 0x4841524e45535342"),
        ("major", "built for interface 3.7, the harness has 2.4"),
        ("size-short", "176 bytes, at least 184"),
        ("no-table", "gave no table"),
        ("no-function", "lacks `session_open`"),
        ("no-trainer", "announces `trainer`, but its table lacks `trainer_step`"),
    ];
    for (fault, words) in refusals {
        let (output, said) = run(&[("HARNESS_FAULT", fault)]);
        assert!(output.status.success());
        assert_eq!(said.len(), 1, "{fault}: {said:?}");
        assert!(
            said[0].starts_with("refused: ") && said[0].contains("libharness_backend_faulty.so"),
            "{fault}: {said:?}"
        );
        assert!(said[0].contains(words), "{fault}: {said:?}");
    }
    let (_, said) = run(&[("HARNESS_FAULT", "size-long")]);
    assert_eq!(said[0], "loaded faulty 2.5");
    assert!(said[1].starts_with("cell of 4 done"), "{said:?}");
}

#[test]
fn a_panic_is_a_status_in_every_call_and_the_process_goes_on() {
    let calls = [
        "session_open",
        "image_tower_load",
        "image_tower_encode",
        "text_tower_load",
        "text_tower_encode",
        "trainer_create",
        "trainer_append_support",
        "trainer_step",
        "trainer_read_state",
        "trainer_write_state",
        "trainer_text",
        "trainer_score",
        "trainer_room",
        "trainer_hold_taps",
        "trainer_score_held",
        "trainer_release_taps",
    ];
    for call in calls {
        let (output, said) = run(&[("HARNESS_FAULT", "panic"), ("HARNESS_FAULT_CALL", call)]);
        assert!(output.status.success());
        let words = format!("backend `faulty`, {call}: the backend panicked: the requested fault in {call} (internal)");
        assert_eq!(said[1], words);
        assert_eq!(said.len(), 4, "{said:?}");
    }
    let (_, said) = run(&[("HARNESS_FAULT", "panic"), ("HARNESS_FAULT_CALL", "describe")]);
    assert!(said[0].contains("could not describe itself: the backend panicked"), "{said:?}");
    let (output, said) = run(&[("HARNESS_FAULT", "panic"), ("HARNESS_FAULT_CALL", "trainer_free")]);
    assert!(output.status.success() && said[2].starts_with("cell of 2 done"), "{said:?}");
}

#[test]
fn what_ends_a_process_ends_it_by_the_signal_in_the_documentation() {
    for (fault, signal) in
        [("segfault", libc::SIGSEGV), ("abort", libc::SIGABRT), ("exception", libc::SIGABRT), ("killed", libc::SIGKILL)]
    {
        let (output, said) = run(&[("HARNESS_FAULT", fault)]);
        assert_eq!(output.status.signal(), Some(signal), "{fault}");
        assert_eq!(said, ["loaded faulty 2.4"], "{fault}");
    }
    let (output, said) = run(&[("HARNESS_FAULT", "exit")]);
    assert_eq!((output.status.code(), said.len()), (Some(0), 1));
}

#[test]
fn a_library_may_end_the_process_while_it_is_loaded() {
    for (fault, signal) in [("segfault", libc::SIGSEGV), ("panic", libc::SIGABRT)] {
        for call in ["load", "table"] {
            let (output, said) = run(&[("HARNESS_FAULT", fault), ("HARNESS_FAULT_CALL", call)]);
            assert_eq!((output.status.signal(), said.len()), (Some(signal), 0), "{fault} in {call}");
        }
    }
}

#[test]
fn a_hang_does_not_end() {
    for fault in ["hang", "spin"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(folder.path(), &[("HARNESS_FAULT", fault)]);
        let mut stdout = child.stdout.take().unwrap();
        let (ended, end) = channel::<()>();
        let reader = std::thread::spawn(move || {
            let text = std::io::read_to_string(&mut stdout).unwrap();
            drop(ended);
            text
        });
        assert_eq!(end.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout), "{fault}");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert!(!reader.join().unwrap().contains("done"));
    }
}

#[test]
fn exhausted_memory_is_a_status_whether_it_is_said_or_really_taken() {
    let (_, said) = run(&[("HARNESS_FAULT", "exhausted"), ("HARNESS_FAULT_CALL", "image_tower_encode")]);
    assert!(said[1].ends_with("(resource exhausted)"), "{said:?}");
    assert!(peak(&said) < 64 * MIB);
    let bytes = (96 * MIB).to_string();
    let (_, said) = run(&[("HARNESS_FAULT", "allocate"), ("HARNESS_FAULT_BYTES", &bytes)]);
    assert!(said[1].contains(&format!("no memory after {bytes} bytes (resource exhausted)")), "{said:?}");
    assert!((96 * MIB..160 * MIB).contains(&peak(&said)), "it gives memory back: {said:?}");
}

#[test]
fn a_leak_grows_with_the_calls() {
    let (_, said) = run(&[("HARNESS_FAULT", "leak"), ("HARNESS_FAULT_BYTES", "20000000")]);
    assert!(said[2].starts_with("cell of 2 done") && peak(&said) > 4 * 20_000_000, "four steps: {said:?}");
}

#[test]
fn garbage_is_numeric_where_it_is_no_number_and_passes_where_it_is_one() {
    for fault in ["nan", "short"] {
        for call in [
            "image_tower_encode",
            "text_tower_encode",
            "trainer_step",
            "trainer_read_state",
            "trainer_text",
            "trainer_score",
            "trainer_score_held",
        ] {
            let (_, said) = run(&[("HARNESS_FAULT", fault), ("HARNESS_FAULT_CALL", call)]);
            assert!(said[1].contains(call) && said[1].ends_with("(numeric)"), "{fault} in {call}: {said:?}");
        }
    }
    let (_, said) = run(&[("HARNESS_FAULT", "huge"), ("HARNESS_FAULT_CALL", "trainer_score")]);
    assert!(said[1].starts_with("cell of 4 done, largest number 1000000"), "{said:?}");
}

#[test]
fn noise_goes_to_both_streams_and_the_cell_goes_on() {
    let (output, said) = run(&[("HARNESS_FAULT", "print")]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("{\"event\":\"done\""));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the backend's own noise"));
    assert!(said[2].starts_with("cell of 2 done"), "{said:?}");
}

#[test]
fn a_fault_comes_after_as_many_calls_above_a_batch_or_once() {
    let (_, said) = run(&[("HARNESS_FAULT", "exhausted"), ("HARNESS_FAULT_AFTER", "2")]);
    assert!(said[1].starts_with("cell of 4 done") && said[2].ends_with("(resource exhausted)"), "{said:?}");
    let above =
        [("HARNESS_FAULT", "exhausted"), ("HARNESS_FAULT_CALL", "image_tower_encode"), ("HARNESS_FAULT_ABOVE", "2")];
    let (_, said) = run(&above);
    assert!(said[1].ends_with("(resource exhausted)") && said[2].starts_with("cell of 2 done"), "{said:?}");

    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("happened");
    let once = [("HARNESS_FAULT", "abort"), ("HARNESS_FAULT_ONCE", marker.to_str().unwrap())];
    assert_eq!(run_in(folder.path(), &once).0.status.signal(), Some(libc::SIGABRT));
    assert!(marker.exists());
    let (output, said) = run_in(folder.path(), &once);
    assert!(output.status.success() && said[2].starts_with("cell of 2 done"), "{said:?}");
}

#[test]
fn a_misspelt_fault_ends_the_process_and_is_named() {
    for (variable, value) in
        [("HARNESS_FAULT", "panik"), ("HARNESS_FAULT_CALL", "step"), ("HARNESS_FAULT_AFTER", "two")]
    {
        let (output, _) = run(&[("HARNESS_FAULT", "panic"), (variable, value)]);
        assert_eq!(output.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("{variable} is `{value}`")));
    }
}

#[test]
fn a_plugin_calls_itself_as_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = harness_faulty::install(folder.path(), "other").unwrap();
    assert_eq!(Backend::load(&path).unwrap().describe().name, "other");
}
