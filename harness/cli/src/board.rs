//! Lines at the foot of the terminal that are drawn over again and again, below the text that stays.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use console::{Term, measure_text_width};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};

/// How often lines are drawn while nothing is reported, so that times stay true.
pub(crate) const TICK: Duration = Duration::from_millis(500);

static BARS: LazyLock<MultiProgress> = LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::hidden()));

/// From now on lines are drawn on standard error; until then none is.
pub(crate) fn show() {
    BARS.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Unwrapped::new(Term::stderr())), 20));
}

/// A line of the board, until it is dropped.
pub(crate) struct Row(ProgressBar);

impl Row {
    /// Below the others. It is asked each time that the line is drawn.
    pub(crate) fn new(say: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let say = Arc::new(say);
        let line = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = text.write_str(&say());
        };
        let bar = BARS.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{line}") {
            bar.set_style(style.with_key("line", line));
        }
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Draws the line as it is now.
    pub(crate) fn refresh(&self) {
        self.0.tick();
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        BARS.remove(&self.0);
    }
}

/// Has something written that stays, above the lines. It ends with a line break.
pub(crate) fn above(write: impl FnOnce()) {
    BARS.suspend(write);
}

/// Takes all lines away, and draws none any more.
pub(crate) fn clear() {
    let _ = BARS.clear();
    BARS.set_draw_target(ProgressDrawTarget::hidden());
}

/// A terminal on which no row wraps. `indicatif` fills each line up to the width and leans on the terminal to go on
/// in the next row; a terminal then takes all rows for one long line, and lays it out anew when the window changes.
/// Here a line break goes where the width ends, which is before the last column.
#[derive(Debug)]
struct Unwrapped {
    term: Term,
    /// Columns that are written in this row.
    column: AtomicUsize,
}

impl Unwrapped {
    fn new(term: Term) -> Self {
        Self { term, column: AtomicUsize::new(0) }
    }

    fn at(&self, column: usize) {
        self.column.store(column, Ordering::Relaxed);
    }
}

impl TermLike for Unwrapped {
    fn width(&self) -> u16 {
        self.term.size().1.saturating_sub(1).max(1)
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.at(0);
        self.term.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        if s == "\r" {
            self.at(0);
            return self.term.write_str(s);
        }
        let width = measure_text_width(s);
        let column = self.column.load(Ordering::Relaxed);
        if width > 0 && column > 0 && column + width > usize::from(self.width()) {
            self.at(width);
            self.term.write_str("\n")?;
            return self.term.write_str(s);
        }
        self.at(column + width);
        self.term.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.at(0);
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.term.flush()
    }
}
