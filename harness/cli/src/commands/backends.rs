//! `harness backends list` and `check`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use harness_backend_abi::host::{Backend, Capability, Precision, SessionOptions};
use harness_conformance::{Outcome, check, check_heads, check_nearest, check_windows, through_table};
use harness_run::probe;

use crate::backends::{names, open, worker};
use crate::exit::{Exit, Failure};
use crate::flags::{BackendFolders, one_of};
use crate::output::{print, say};

/// List and check backends
#[derive(Debug, Subcommand)]
pub(crate) enum Backends {
    /// List the backends that are found and what they can do
    #[command(after_help = "Example:\n  harness backends list --backend-dir target/release")]
    List {
        #[command(flatten)]
        folders: BackendFolders,
    },
    /// Compare a backend with golden cases, quantity by quantity
    ///
    /// Exits with code 1 if a quantity is further from its reference than its tolerance.
    Check(Check),
}

/// What is checked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness backends check flex --golden tests/golden
  harness backends check cuda --golden tests/golden --device cuda:1 --precision bf16")]
pub(crate) struct Check {
    /// Name of the backend
    name: String,
    /// Folder of golden cases, a sub-folder each
    #[arg(long, value_name = "DIR")]
    golden: PathBuf,
    /// Device, as `harness backends list` names it [default: the backend's first]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Number type in which the image tower computes; what rounds more has wider tolerances, which are printed
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = one_of(Precision::ALL, Precision::name))]
    precision: Precision,
    #[command(flatten)]
    folders: BackendFolders,
}

pub(super) fn backends(arguments: &Backends) -> Result<Exit, Failure> {
    match arguments {
        Backends::List { folders } => list(folders),
        Backends::Check(arguments) => check_golden(arguments),
    }
}

/// A line a backend, each asked in a process of its own.
fn list(folders: &BackendFolders) -> Result<Exit, Failure> {
    let program = worker(folders)?;
    for name in names(folders)? {
        match probe(&program, &name) {
            Ok(info) => {
                let devices = match (info.devices.is_empty(), &info.note) {
                    (true, Some(note)) => format!("no device ({note})"),
                    (true, None) => "no device".to_owned(),
                    (false, _) => format!("devices {}", info.devices.join(", ")),
                };
                print(format!(
                    "{name} {}: {devices}; precisions {}; interface {}; {}\n",
                    info.version,
                    info.precisions.join(", "),
                    info.interface,
                    info.capabilities.join(", ")
                ));
            }
            Err(error) => print(format!("{name}: can't be used: {error}\n")),
        }
    }
    Ok(Exit::Done)
}

/// Runs every case and prints a line a quantity.
fn check_golden(arguments: &Check) -> Result<Exit, Failure> {
    let Check { name, golden, precision, .. } = arguments;
    let internal = |message: String| Failure { exit: Exit::Internal, message };
    let backend = open(name, &arguments.folders).map_err(Failure::input)?;
    let device = device(&backend, arguments.device.as_deref())?;
    if !backend.describe().precisions.iter().any(|known| known == precision.name()) {
        let known = backend.describe().precisions.join(", ");
        return Err(Failure::input(format!(
            "backend `{name}` does not compute in {}; it has: {known}",
            precision.name()
        )));
    }
    let options = SessionOptions { tf32: *precision == Precision::Tf32, ..SessionOptions::on(device) };
    let session = backend.open(&options).map_err(|error| internal(error.to_string()))?;
    let mut subject = through_table(&session, *precision);
    let mut all = true;
    for outcome in check(&mut subject, golden, *precision).map_err(Failure::input)? {
        all &= outcome.passes();
        print(lines(&outcome));
    }
    if backend.capabilities().contains(&Capability::Heads) {
        for outcome in check_heads(&session, golden, *precision).map_err(Failure::input)? {
            all &= outcome.passes();
            print(lines(&outcome));
        }
    } else {
        say(format!("note: `{name}` trains no heads, so the methods `mvfa` and `april-gan` were not checked"));
    }
    if backend.capabilities().contains(&Capability::Windows) {
        for outcome in check_windows(&session, golden, *precision).map_err(Failure::input)? {
            all &= outcome.passes();
            print(lines(&outcome));
        }
    } else {
        say(format!("note: `{name}` encodes no windows, so `zero-shot` with `map = \"windows\"` was not checked"));
    }
    // Without it the harness computes distances.
    if backend.capabilities().contains(&Capability::Nearest) {
        for outcome in check_nearest(&session, golden, *precision).map_err(Failure::input)? {
            all &= outcome.passes();
            print(lines(&outcome));
        }
    }
    print(if all {
        "every quantity is within its tolerance\n"
    } else {
        "some quantities are outside their tolerance\n"
    });
    Ok(if all { Exit::Done } else { Exit::Found })
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
