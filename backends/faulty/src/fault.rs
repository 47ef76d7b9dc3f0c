//! Finds from environment variables which fault is due in a call, and commits it.

use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harness_backend_abi::plugin::Failure;

/// What a call does to its answer, or to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbage {
    Nan,
    Short,
    Huge,
    Magic,
    Major,
    SizeShort,
    SizeLong,
    NoTable,
    NoFunction,
    NoTrainer,
    LostSet,
}

impl Garbage {
    /// Spoils an answer: everything, or for [`Garbage::Short`] its last element, which was `before`.
    pub(crate) fn spoil(self, answer: &mut [f32], before: f32) {
        match self {
            Self::Nan => answer.fill(f32::NAN),
            Self::Huge => answer.fill(1e30),
            Self::Short => answer.iter_mut().rev().take(1).for_each(|last| *last = before),
            _ => {}
        }
    }
}

/// Faults that concern the table, whatever call is named.
const TABLE: [(&str, Garbage); 8] = [
    ("magic", Garbage::Magic),
    ("major", Garbage::Major),
    ("size-short", Garbage::SizeShort),
    ("size-long", Garbage::SizeLong),
    ("no-table", Garbage::NoTable),
    ("no-function", Garbage::NoFunction),
    ("no-trainer", Garbage::NoTrainer),
    ("lost-set", Garbage::LostSet),
];

const CALLS: [&str; 20] = [
    "load",
    "table",
    "describe",
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
    "trainer_free",
];

/// Whether the variables ask for the backend that compiles.
pub(crate) fn is_tuned() -> bool {
    match text("HARNESS_FAULT_MODEL").as_deref() {
        None => false,
        Some("tuned") => true,
        Some(other) => refuse("HARNESS_FAULT_MODEL", other),
    }
}

/// Misbehaves where it is this call's turn; `batch` is the number of its items. Returns what to do to the answer.
pub(crate) fn strike(call: &str, batch: usize) -> Result<Option<Garbage>, Failure> {
    let Some(fault) = text("HARNESS_FAULT") else { return Ok(None) };
    if let Some((_, garbage)) = TABLE.into_iter().find(|(name, _)| *name == fault) {
        return Ok((call == "table" && due()).then_some(garbage));
    }
    let wanted = text("HARNESS_FAULT_CALL").unwrap_or_else(|| "trainer_step".into());
    if !CALLS.contains(&wanted.as_str()) {
        refuse("HARNESS_FAULT_CALL", &wanted);
    }
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let fits = call == wanted && batch as u64 > number("HARNESS_FAULT_ABOVE", 0);
    // A call without items has a batch of 1, so that it is above 0.
    if !fits || SEEN.fetch_add(1, Ordering::Relaxed) < number("HARNESS_FAULT_AFTER", 0) || !due() {
        return Ok(None);
    }
    let bytes = number("HARNESS_FAULT_BYTES", 64 << 20);
    match fault.as_str() {
        "panic" => panic!("the requested fault in {call}"),
        "exception" => throw(),
        "segfault" => segfault(),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "hang" => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
        "spin" => loop {
            black_box(0);
        },
        "exhausted" => Err(Failure::exhausted(format!("the requested fault in {call}"))),
        "allocate" => {
            let taken: usize = take(bytes).iter().map(Vec::len).sum();
            Err(Failure::exhausted(format!("{call}: no memory after {taken} bytes")))
        }
        "killed" => {
            let taken = take(bytes);
            kill();
            drop(taken);
            Ok(None)
        }
        "leak" => {
            std::mem::forget(take(bytes));
            Ok(None)
        }
        "print" => {
            print();
            Ok(None)
        }
        "nan" => Ok(Some(Garbage::Nan)),
        "short" => Ok(Some(Garbage::Short)),
        "huge" => Ok(Some(Garbage::Huge)),
        other => refuse("HARNESS_FAULT", other),
    }
}

pub(crate) fn text(variable: &str) -> Option<String> {
    env::var_os(variable).map(OsString::into_string).map(|text| text.unwrap_or_else(|_| refuse(variable, "not UTF-8")))
}

pub(crate) fn number(variable: &str, otherwise: u64) -> u64 {
    text(variable).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| refuse(variable, &text)))
}

/// A test that is misspelt must not pass.
pub(crate) fn refuse(variable: &str, value: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "harness-faulty: {variable} is `{value}`, which its README does not list");
    std::process::exit(64)
}

/// Whether the fault may happen again, by the marker files where they are named; makes the next one.
fn due() -> bool {
    let Some(marker) = env::var_os("HARNESS_FAULT_ONCE") else { return true };
    (0..number("HARNESS_FAULT_TIMES", 1)).any(|time| {
        let mut name = marker.clone();
        if time > 0 {
            name.push(format!(".{time}"));
        }
        OpenOptions::new().write(true).create_new(true).open(PathBuf::from(name)).is_ok()
    })
}

/// Memory that is really there: every page is written.
fn take(bytes: u64) -> Vec<Vec<u8>> {
    const BLOCK: u64 = 4 << 20;
    let mut blocks = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = usize::try_from(left.min(BLOCK)).unwrap_or_default();
        let mut block = Vec::new();
        if block.try_reserve_exact(size).is_err() {
            break;
        }
        block.resize(size, 1_u8);
        blocks.push(black_box(block));
        left -= size as u64;
    }
    blocks
}

fn segfault() -> ! {
    // SAFETY: none; this is the fault. Volatile, so that it is neither left out nor turned into something else.
    unsafe { black_box(std::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) };
    std::process::abort()
}

fn kill() {
    // SAFETY: a signal to this process alone.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// Lines that look like the harness's own, and more than a pipe holds.
fn print() {
    let line = "{\"event\":\"done\",\"cell\":0}\n";
    let _ = std::io::stdout().write_all(line.repeat(4096).as_bytes());
    let _ = std::io::stderr().write_all(b"error: this is the backend's own noise\n");
}

/// Like `throw` in C++: an exception that is not Rust's, through the unwinder of this platform.
fn throw() -> ! {
    #[repr(C, align(16))]
    struct Exception {
        class: u64,
        cleanup: Option<extern "C" fn(u32, *mut Exception)>,
        private: [usize; 4],
    }
    unsafe extern "C-unwind" {
        fn _Unwind_RaiseException(exception: *mut Exception) -> u32;
    }
    let exception = Box::new(Exception { class: u64::from_be_bytes(*b"HARNFLT\0"), cleanup: None, private: [0; 4] });
    // SAFETY: an exception object as the unwinder wants it, which is never freed.
    unsafe { _Unwind_RaiseException(Box::into_raw(exception)) };
    std::process::abort()
}
