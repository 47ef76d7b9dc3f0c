//! `harness man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::Arguments;
use crate::exit::{Exit, Failure};
use crate::output::say;

/// Write manual pages, one for each command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  harness man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for the pages; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn man(arguments: &Man) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let refused = |error: std::io::Error| Failure {
        exit: Exit::System,
        message: format!("can't write manual pages to {}: {error}", folder.display()),
    };
    std::fs::create_dir_all(folder).map_err(refused)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(refused)?;
    say(format!("manual pages are in {}; read one with: man {}", folder.display(), folder.join("harness.1").display()));
    Ok(Exit::Done)
}
