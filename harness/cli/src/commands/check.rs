//! `harness backends check`: a backend's results beside those that are known. A backend that compiles its kernels is
//! checked twice, with an empty and with a warm cache, each case in processes of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::Args;
use harness_backend_abi::host::{Backend, Capability, Precision, SessionOptions};
use harness_conformance::{Outcome, Suite};
use harness_text::count;
use tempfile::TempDir;

use crate::backends::{BUILT_IN, open};
use crate::exit::{Exit, Failure};
use crate::flags::{BackendFolders, one_of};
use crate::output::{print, say};

/// Most cases at once: more would only wait for the device.
const MOST_AT_ONCE: usize = 8;

/// What is checked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness backends check flex --golden tests/golden
  harness backends check cuda --golden tests/golden --device cuda:1 --precision bf16
  harness backends check cuda --case shapes-one-column")]
pub(crate) struct Check {
    /// Name of the backend
    name: String,
    /// Folder of golden cases, a sub-folder each; without it only cases of shapes run, which need no files
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// Device, as `harness backends list` names it [default: the backend's first]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Number type in which the image tower computes; what rounds more has wider tolerances, which are printed
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = one_of(Precision::ALL, Precision::name))]
    precision: Precision,
    /// Run the case of this name alone
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Cases that run at once where the backend compiles its kernels [default: one for each core, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: Option<u32>,
    /// Run each case once and in this process, with the cache of kernels as it is
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    folders: BackendFolders,
}

pub(super) fn run(arguments: &Check) -> Result<Exit, Failure> {
    let Check { name, golden, precision, .. } = arguments;
    let backend = open(name, &arguments.folders).map_err(Failure::input)?;
    let device = device(&backend, arguments.device.as_deref())?;
    if !backend.describe().precisions.iter().any(|known| known == precision.name()) {
        let known = backend.describe().precisions.join(", ");
        return Err(Failure::input(format!(
            "backend `{name}` does not compute in {}; it has: {known}",
            precision.name()
        )));
    }
    let mut suite = Suite::read(golden.as_deref(), backend.capabilities()).map_err(Failure::input)?;
    if let Some(case) = &arguments.case {
        let known: Vec<String> = suite.names().map(str::to_owned).collect();
        if !suite.keep(case) {
            return Err(Failure::input(format!(
                "there is no case `{case}` for `{name}`; there are: {}",
                known.join(", ")
            )));
        }
    } else {
        say_what_is_left_out(arguments, &backend);
    }
    if backend.has(Capability::Compiles) && !arguments.once {
        return twice(arguments, &device, &suite);
    }
    let internal = |error: String| Failure { exit: Exit::Internal, message: error };
    let options = SessionOptions { tf32: *precision == Precision::Tf32, ..SessionOptions::on(device) };
    let session = backend.open(&options).map_err(|error| internal(error.to_string()))?;
    let built_in = harness_backend_flex::backend().map_err(|error| internal(error.to_string()))?;
    let reference = built_in.open(&SessionOptions::on("cpu")).map_err(|error| internal(error.to_string()))?;
    let mut all = true;
    for outcome in suite.run(&session, &reference, *precision) {
        all &= outcome.passes();
        print(lines(&outcome));
    }
    Ok(verdict(all, ""))
}

/// What a reader of the lines would miss otherwise.
fn say_what_is_left_out(arguments: &Check, backend: &Backend) {
    let Check { name, golden, .. } = arguments;
    if golden.is_none() {
        say("note: without --golden the backend is compared with the built-in one, at a few shapes alone");
    } else {
        if !backend.has(Capability::Heads) {
            say(format!("note: `{name}` trains no heads, so the methods `mvfa` and `april-gan` were not checked"));
        }
        if !backend.has(Capability::Windows) {
            say(format!("note: `{name}` encodes no windows, so `zero-shot` with `map = \"windows\"` was not checked"));
        }
    }
    if name == BUILT_IN {
        say(format!(
            "note: the cases of shapes compare `{name}` with itself: they only show that it comes to their end"
        ));
    }
    if !backend.has(Capability::Compiles) {
        say(format!("note: `{name}` compiles no kernels when it runs, so each case runs once"));
    } else if arguments.once {
        say("note: each case runs once, with the cache of kernels as it is");
    }
}

fn verdict(all: bool, how: &str) -> Exit {
    print(if all {
        format!("every quantity is within its tolerance{how}\n")
    } else {
        format!("some quantities are outside their tolerance{how}\n")
    });
    if all { Exit::Done } else { Exit::Found }
}

/// What both runs of a case printed, whether all was well, and how long they took.
struct Both {
    lines: String,
    passes: bool,
    secs: [Duration; 2],
}

/// Runs every case with an empty cache, and again with what it then holds, several cases at once. The caches are
/// in a folder of their own, so the user's are neither used nor changed.
fn twice(arguments: &Check, device: &str, suite: &Suite) -> Result<Exit, Failure> {
    let system = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Failure { exit: Exit::System, message: format!("can't {what}: {error}") }
    };
    let names: Vec<&str> = suite.names().collect();
    let program = std::env::current_exe().map_err(system("find this program's own file"))?;
    let caches = TempDir::with_prefix("harness-check-").map_err(system("create a folder for caches"))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or(cores.min(MOST_AT_ONCE), |jobs| jobs as usize).min(names.len().max(1));
    say(format!(
        "`{}` compiles its kernels: {} twice, with an empty and with a warm cache, {jobs} at once",
        arguments.name,
        count(names.len() as u64, "case")
    ));
    let next = AtomicUsize::new(0);
    let (send, receive) = channel();
    let mut all = true;
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (send, next, names, program, caches) = (send.clone(), &next, &names, &program, caches.path());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = names.get(index) else { break };
                    let cache = caches.join(index.to_string());
                    if send.send((index, both(arguments, program, device, case, &cache))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut done: Vec<Option<Both>> = names.iter().map(|_| None).collect();
        let (mut printed, mut finished) = (0, 0);
        for (index, both) in receive {
            finished += 1;
            let [cold, warm] = both.secs.map(|secs| secs.as_secs_f64());
            let case = names[index];
            let of = names.len();
            say(format!("{finished} of {of}: {case}, {cold:.0} s with an empty cache, {warm:.0} s with a warm one"));
            done[index] = Some(both);
            // In the order of the cases.
            while let Some(Both { lines, passes, .. }) = done.get_mut(printed).and_then(Option::take) {
                all &= passes;
                print(lines);
                printed += 1;
            }
        }
    });
    Ok(verdict(all, ", with an empty and with a warm cache"))
}

/// Runs a case twice, each time in a process, on the same cache in this folder, which is not there yet.
fn both(arguments: &Check, program: &Path, device: &str, case: &str, cache: &Path) -> Both {
    let mut both = Both { lines: String::new(), passes: true, secs: [Duration::ZERO; 2] };
    for (which, secs) in ["empty cache", "warm cache"].into_iter().zip(&mut both.secs) {
        let begun = Instant::now();
        let ended = command(arguments, program, device, case, cache).and_then(|mut command| command.output());
        *secs = begun.elapsed();
        let (lines, passes) = told(case, which, ended);
        both.lines.push_str(&lines);
        both.passes &= passes;
    }
    both
}

/// This program again, on one case and with caches of its own.
fn command(arguments: &Check, program: &Path, device: &str, case: &str, cache: &Path) -> std::io::Result<Command> {
    let mut command = Command::new(program);
    command.args(["backends", "check", &arguments.name, "--once", "--case", case, "--device", device]);
    command.args(["--precision", arguments.precision.name(), "--color", "never"]);
    if let Some(golden) = &arguments.golden {
        command.arg("--golden").arg(golden);
    }
    for folder in &arguments.folders.folders {
        command.arg("--backend-dir").arg(folder);
    }
    // Plugins are found where they were.
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    command.envs(data.map(|data| ("XDG_DATA_HOME", data)));
    // Where tuners and drivers keep what they find.
    for (variable, folder) in [
        ("HOME", "home"),
        ("XDG_CACHE_HOME", "home/.cache"),
        ("XDG_CONFIG_HOME", "home/.config"),
        ("CUDA_CACHE_PATH", "home/.nv"),
    ] {
        let folder = cache.join(folder);
        std::fs::create_dir_all(&folder)?;
        command.env(variable, folder);
    }
    Ok(command)
}

/// The lines of a run, each with which it was, and whether all was well.
fn told(case: &str, which: &str, ended: std::io::Result<Output>) -> (String, bool) {
    let failed = |reason: &str| (format!("FAIL  {case:<26} {reason}  ({which})\n"), false);
    let output = match ended {
        Ok(output) => output,
        Err(error) => return failed(&format!("its process could not be started: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("FAIL ")).collect();
    let expected = match lines.iter().any(|line| line.starts_with("FAIL ")) {
        true => Exit::Found,
        false => Exit::Done,
    };
    if lines.is_empty() || output.status.code() != Some(expected as i32) {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return failed(&format!("its process ended with {}: {last}", output.status));
    }
    let lines = lines.iter().map(|line| format!("{line}  ({which})\n")).collect();
    (lines, expected == Exit::Done)
}

/// The device that was asked for, or the first.
fn device(backend: &Backend, asked: Option<&str>) -> Result<String, Failure> {
    let known = &backend.describe().devices;
    let name = &backend.describe().name;
    let Some(first) = known.first() else {
        return Err(Failure::input(format!("backend `{name}` finds no device on this machine")));
    };
    match asked {
        None => Ok(first.clone()),
        Some(asked) if known.iter().any(|device| device == asked) => Ok(asked.to_owned()),
        Some(asked) => {
            let known = known.join(", ");
            Err(Failure::input(format!("backend `{name}` has no device `{asked}` here; it has: {known}")))
        }
    }
}

fn lines(outcome: &Outcome) -> String {
    let case = &outcome.case;
    match &outcome.lines {
        Err(reason) => format!("FAIL  {case:<26} {reason}\n"),
        Ok(lines) => lines
            .iter()
            .map(|line| {
                let verdict = if line.passes() { "ok" } else { "FAIL" };
                let worst = line.worst.as_ref().map(|worst| format!("  (worst: {worst})")).unwrap_or_default();
                let (quantity, error, tolerance) = (&line.quantity, line.error, line.tolerance);
                format!("{verdict:<5} {case:<26} {quantity:<16} error {error:.2e}  tolerance {tolerance:.0e}{worst}\n")
            })
            .collect(),
    }
}
