//! Where text goes: results to standard output, everything else to standard error, and both above the progress bars.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::{LazyLock, OnceLock};

use indicatif::{MultiProgress, ProgressDrawTarget};

/// The bars on the terminal. All text passes them, also that of the thread which hears Ctrl-C, so that none lands
/// inside one.
static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    MultiProgress::with_draw_target(if can_draw() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    })
});

/// The bars on the terminal.
pub(crate) fn bars() -> &'static MultiProgress {
    &BARS
}

/// Whether standard error is a terminal on which lines can be drawn over.
pub(crate) fn can_draw() -> bool {
    stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Why something of standard output could not be written, where that happened.
static LOST: OnceLock<String> = OnceLock::new();

/// Text on standard output. Where it can't be written the work continues, and the process ends as one that failed.
pub(crate) fn print(text: impl Display) {
    BARS.suspend(|| written(write!(stdout(), "{text}").and_then(|()| stdout().flush())));
}

/// Remembers that standard output could not be written. A reader that has gone, such as `head`, is not a failure.
pub(crate) fn written(result: std::io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// Why something of standard output could not be written, where that happened.
pub(crate) fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

/// Lines on standard error, broken between words where they are longer than the terminal is wide. Nobody may be there
/// to read them; the work continues.
pub(crate) fn say(text: impl Display) {
    let text = if can_draw() { fit(&text.to_string()) } else { text.to_string() };
    BARS.suspend(|| {
        let _ = writeln!(stderr(), "{text}");
    });
}

fn fit(text: &str) -> String {
    let width = usize::from(console::Term::stderr().size().1);
    let options = textwrap::Options::new(width).subsequent_indent("      ").break_words(false);
    text.split('\n').map(|line| textwrap::fill(line, &options)).collect::<Vec<_>>().join("\n")
}
