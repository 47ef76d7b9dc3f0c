//! Lines at the foot of the terminal that are drawn over again and again, below the text that stays. Each has a row of
//! its own: none leans on the terminal to wrap it.

use std::fmt::Write as _;
use std::io::{Write as _, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often lines are drawn while nothing is reported, so that times stay true.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// What a line says now.
type Say = Box<dyn Fn() -> String + Send>;

/// The lines, each with its number.
struct Board {
    lines: Vec<(u64, Say)>,
    /// Rows that are on the terminal; the cursor is in the last one.
    drawn: usize,
    next: u64,
    ticks: bool,
}

static BOARD: Mutex<Board> = Mutex::new(Board { lines: Vec::new(), drawn: 0, next: 0, ticks: false });

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// To the beginning of the first row that is drawn.
    fn back(&self) -> String {
        match self.drawn {
            0 => String::new(),
            1 => "\r".to_owned(),
            rows => format!("\r\x1b[{}A", rows - 1),
        }
    }

    fn draw(&mut self) {
        let mut text = self.back();
        for (number, (_, say)) in self.lines.iter().enumerate() {
            let _ = write!(text, "{}{}\x1b[K", if number > 0 { "\n" } else { "" }, say());
        }
        if self.lines.len() < self.drawn {
            // What is left of more lines.
            text += if self.lines.is_empty() { "\x1b[J" } else { "\n\x1b[J\x1b[A" };
        }
        self.drawn = self.lines.len();
        put(&text);
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            put(&(self.back() + "\x1b[J"));
            self.drawn = 0;
        }
    }
}

/// Nobody may be there to see it.
fn put(text: &str) {
    let mut terminal = stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

/// A line of the board, until it is dropped.
pub(crate) struct Row(u64);

impl Row {
    /// Below the others.
    pub(crate) fn new(say: impl Fn() -> String + Send + 'static) -> Self {
        let mut board = board();
        let number = board.next;
        board.next += 1;
        board.lines.push((number, Box::new(say)));
        board.draw();
        if !std::mem::replace(&mut board.ticks, true) {
            thread::spawn(tick);
        }
        Self(number)
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let mut board = board();
        board.lines.retain(|(number, _)| *number != self.0);
        board.draw();
    }
}

/// Draws while there is something to draw.
fn tick() {
    loop {
        thread::sleep(TICK);
        let mut board = board();
        if board.lines.is_empty() {
            board.ticks = false;
            return;
        }
        board.draw();
    }
}

/// Draws all lines as they are now.
pub(crate) fn refresh() {
    board().draw();
}

/// Has something written that stays, above the lines. It ends with a line break.
pub(crate) fn above(write: impl FnOnce()) {
    let mut board = board();
    board.erase();
    write();
    if !board.lines.is_empty() {
        board.draw();
    }
}

/// Takes all lines away.
pub(crate) fn clear() {
    let mut board = board();
    board.lines.clear();
    board.erase();
}
