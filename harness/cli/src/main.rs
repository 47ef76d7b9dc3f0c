//! The program. Arguments are in `arguments`, what each command does in `commands`, what people and scripts are shown in
//! `terminal` and `lines`.

mod arguments;
mod backends;
mod commands;
mod exit;
mod lines;
mod paths;
mod terminal;

use std::process::ExitCode;

// Large blocks come and go: the system's allocator would pay for their pages each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    exit::code(arguments::parse().and_then(|arguments| commands::perform(&arguments)))
}
