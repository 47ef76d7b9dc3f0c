//! `harness completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Arguments;
use crate::exit::{Exit, Failure};
use crate::output::print;

/// Print what makes a shell complete commands, options and their values
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  harness completions bash > ~/.local/share/bash-completion/completions/harness
  harness completions zsh > ~/.zfunc/_harness           # a folder of your fpath
  harness completions fish > ~/.config/fish/completions/harness.fish";

pub(super) fn completions(arguments: &Completions) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "harness", &mut text);
    print(String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}
