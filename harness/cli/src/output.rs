//! Where text goes: results to standard output, everything else to standard error, and both above the progress bars.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::LazyLock;

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

/// Text on standard output. A reader that has gone, such as `head`, is not a failure.
pub(crate) fn print(text: impl Display) {
    BARS.suspend(|| {
        let _ = write!(stdout(), "{text}");
        let _ = stdout().flush();
    });
}

/// Lines on standard error, broken between words where they are longer than the terminal is wide. Nobody may be there to
/// read them; the work continues.
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
