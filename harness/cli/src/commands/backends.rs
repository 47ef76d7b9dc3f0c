//! `harness backends list`, and `check`, which has a file of its own.

use clap::Subcommand;
use harness_run::probe;

use crate::backends::{names, worker};
use crate::commands::check::{self, Check};
use crate::exit::{Exit, Failure};
use crate::flags::BackendFolders;
use crate::output::print;

/// List and check backends
#[derive(Debug, Subcommand)]
pub(crate) enum Backends {
    /// List the backends that are found and what they can do
    #[command(after_help = "Example:\n  harness backends list --backend-dir target/release")]
    List {
        #[command(flatten)]
        folders: BackendFolders,
    },
    /// Compare a backend with golden cases and, at shapes that kernels fail at, with the built-in one
    ///
    /// A line a quantity. Where the backend compiles its kernels, each case runs twice, in processes of its own: with
    /// an empty cache, and with what is in it then; the user's cache is neither used nor changed. Exits with code 1 if
    /// a quantity is further from its reference than its tolerance.
    Check(Check),
}

pub(super) fn backends(arguments: &Backends) -> Result<Exit, Failure> {
    match arguments {
        Backends::List { folders } => list(folders),
        Backends::Check(arguments) => check::run(arguments),
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
