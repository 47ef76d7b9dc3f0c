//! Where text goes: results to standard output, everything else to standard error, both above the progress bars. How
//! much of it, how wide and in which colours is decided here.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::OnceLock;

use console::{Style, Term};

use crate::board::{above, show};
use crate::speaking::{Colour, Speaking};

/// How this process speaks, once its arguments are known.
static HOW: OnceLock<How> = OnceLock::new();

#[derive(Clone, Copy, Debug, Default)]
struct How {
    quiet: bool,
    verbose: bool,
    /// Colours on standard output, and on standard error.
    colours: [bool; 2],
}

fn how() -> How {
    HOW.get().copied().unwrap_or_default()
}

/// Takes the flags that say how to speak.
pub(crate) fn speak(flags: &Speaking) {
    let wanted = |is_terminal: bool| flags.color.is_wanted(is_terminal);
    let colours = [wanted(stdout().is_terminal()), wanted(stderr().is_terminal())];
    let _ = HOW.set(How { quiet: flags.quiet, verbose: flags.verbose, colours });
    if can_draw() {
        show();
    }
}

impl Colour {
    /// Whether to use colours on a stream.
    fn is_wanted(self, is_terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && !set("NO_COLOR") && !is_dumb(),
        }
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// Whether bars are drawn: standard error is a terminal on which lines can be drawn over, and nobody asked for quiet.
pub(crate) fn can_draw() -> bool {
    stderr().is_terminal() && !is_dumb() && !how().quiet
}

/// Columns of the terminal that bars are drawn on, as it is now.
pub(crate) fn columns() -> usize {
    usize::from(Term::stderr().size().1)
}

/// Columns of standard output where that is a terminal; else nothing limits a line.
pub(crate) fn page() -> Option<usize> {
    stdout().is_terminal().then(|| usize::from(Term::stdout().size().1))
}

/// Text in a style on standard output, where that has colours.
pub(crate) fn on_page(text: &str, style: &Style) -> String {
    style.apply_to(text).force_styling(how().colours[0]).to_string()
}

/// Text in a style on standard error, likewise.
pub(crate) fn on_screen(text: &str, style: &Style) -> String {
    style.apply_to(text).force_styling(how().colours[1]).to_string()
}

/// Why something of standard output could not be written, where that happened.
static LOST: OnceLock<String> = OnceLock::new();

/// Text on standard output. Where it can't be written the work continues, and the process ends as one that failed.
pub(crate) fn print(text: impl Display) {
    above(|| written(write!(stdout(), "{text}").and_then(|()| stdout().flush())));
}

/// A paragraph on standard output, broken between words where that is a terminal.
pub(crate) fn print_sentence(text: &str) {
    let text = page().map_or_else(|| text.to_owned(), |width| fit(text, width));
    print(format!("{text}\n"));
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

/// Lines on standard error, broken between words where they are longer than the terminal is wide. Not with `--quiet`.
/// Nobody may be there to read them; the work continues.
pub(crate) fn say(text: impl Display) {
    if !how().quiet {
        insist(text);
    }
}

/// Lines that `--verbose` asks for.
pub(crate) fn add(text: impl Display) {
    if how().verbose {
        insist(text);
    }
}

/// Lines on standard error also with `--quiet`: warnings, errors, and what waits for the user.
pub(crate) fn insist(text: impl Display) {
    let mut text = text.to_string();
    if stderr().is_terminal() && !is_dumb() {
        text = fit(&text, columns());
    }
    above(|| {
        let _ = writeln!(stderr(), "{}", coloured(&text));
    });
}

/// A warning on standard error.
pub(crate) fn warn(text: impl Display) {
    insist(format!("warning: {text}"));
}

/// Text broken between words. What goes on from a line with a head, or from one that is set back, is set back.
fn fit(text: &str, width: usize) -> String {
    let line = |line: &str| {
        let sets_back = line.starts_with("  ") || heads().iter().any(|(head, _)| line.starts_with(head));
        let indent = if sets_back { "      " } else { "" };
        textwrap::fill(line, textwrap::Options::new(width).subsequent_indent(indent).break_words(false))
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Words that lines begin with, each with its colour.
fn heads() -> [(&'static str, Style); 5] {
    [
        ("error:", Style::new().red().bold()),
        ("warning:", Style::new().yellow().bold()),
        ("note:", Style::new().cyan()),
        ("  done", Style::new().green()),
        ("  failed", Style::new().red().bold()),
    ]
}

/// The text with its first word in colour, where that is one of [`heads`].
fn coloured(text: &str) -> String {
    let found = heads().into_iter().find(|(word, _)| text.starts_with(word));
    found.map_or_else(|| text.to_owned(), |(word, style)| on_screen(word, &style) + &text[word.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words() {
        assert_eq!(fit("warning: one two three", 16), "warning: one two\n      three");
        assert_eq!(fit("one two three four", 16), "one two three\nfour");
        assert_eq!(fit("a\nb", 16), "a\nb");
        assert_eq!(fit("/a/path/that/is/longer/than/a/line", 16), "/a/path/that/is/longer/than/a/line");
    }

    #[test]
    fn colours_are_for_terminals_unless_someone_says_so() {
        assert!(Colour::Always.is_wanted(false) && !Colour::Never.is_wanted(true) && !Colour::Auto.is_wanted(false));
    }
}
