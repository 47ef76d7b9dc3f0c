//! The `harness` program: reads the command line, does what it asks for and ends with an exit code.
#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "comments of arguments are what --help prints, as plain text"
)]

mod backends;
mod bars;
mod board;
mod commands;
mod exit;
mod flags;
mod interrupt;
mod json;
mod output;
mod paths;
mod progress;
mod speaking;
mod summary;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::exit::{Exit, Failure};

// Large blocks come and go: the system's allocator would pay for their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Declarative benchmarks for few-shot medical anomaly detection
#[derive(Debug, Parser)]
#[command(name = "harness", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    speaking: speaking::Speaking,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Start with: harness examples study, then: harness run study/experiments/quickstart.toml

Exit codes:
  0    done
  1    a check found something wrong
  2    arguments, experiment, registry, data or weights are wrong; nothing was started
  3    some cells failed
  4    the system refused: a folder, a disk, memory, or standard output
  5    a fault of the program or of a backend
  130  interrupted";

fn main() -> ExitCode {
    exit::code(match parse() {
        Ok(arguments) => {
            output::speak(&arguments.speaking);
            commands::perform(&arguments.command)
        }
        Err(wrong) => wrong.map_or(Ok(Exit::Done), Err),
    })
}

/// Reads the process's arguments. Help, version and mistakes are printed here; none but mistakes are a failure.
fn parse() -> Result<Arguments, Option<Failure>> {
    Arguments::try_parse().map_err(|error| {
        if error.use_stderr() {
            let _ = error.print();
            return Some(Failure { exit: Exit::Input, message: String::new() });
        }
        output::written(error.print());
        None
    })
}
