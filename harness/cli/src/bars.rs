//! Bars on a terminal: what is being done now, and below it the whole run. Each is one line, made anew for the width
//! that the terminal has at that moment, and ends before its last columns, so that none wraps.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::{Style, measure_text_width, truncate_str};
use harness_text::{duration, group};

use crate::board::{Row, TICK};
use crate::output::{columns, on_screen};

/// Columns of a name.
const NAME: usize = 25;

/// Columns that stay free behind a line: room for the `^C` that a terminal echoes.
const FREE: usize = 3;

/// Columns below which a bar says nothing.
const LEAST: usize = 8;

/// Columns beyond which a bar is too long to read.
const MOST: usize = 60;

/// What a line shows.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What is done.
    pub(crate) name: String,
    /// Done and all of it; nothing where its extent is not known.
    pub(crate) extent: Option<(u64, u64)>,
    /// Whether these numbers are printed.
    pub(crate) counts: bool,
    /// What stands behind the bar, the most important first: as many as there is room for.
    pub(crate) remarks: Vec<Remark>,
    /// Colour of what is done.
    pub(crate) colour: Style,
    /// When it began.
    pub(crate) since: Instant,
}

/// Something behind a bar.
#[derive(Clone, Debug)]
pub(crate) enum Remark {
    /// Words.
    Words(String),
    /// The time that was left at a moment.
    Left(Duration, Instant),
    /// Time since the line began.
    SoFar,
}

impl Remark {
    fn words(&self, since: Instant, now: Instant) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Left(left, at) => {
                format!("{} left", duration(left.saturating_sub(now.saturating_duration_since(*at))))
            }
            Self::SoFar => format!("{} so far", duration(now.saturating_duration_since(since))),
        }
    }
}

impl Line {
    /// A line whose extent is not known.
    pub(crate) fn open(name: &str) -> Self {
        let colour = Style::new().cyan();
        let (name, remarks, since) = (name.to_owned(), vec![Remark::SoFar], Instant::now());
        Self { name, extent: None, counts: false, remarks, colour, since }
    }

    /// The line in a terminal of so many columns.
    fn drawn(&self, columns: usize, now: Instant) -> String {
        let width = columns.saturating_sub(FREE);
        if width == 0 {
            return String::new();
        }
        let counts =
            self.extent.filter(|_| self.counts).map(|(done, total)| format!("{}/{}", group(done), group(total)));
        let mut remarks: Vec<String> = counts.into_iter().collect();
        remarks.extend(self.remarks.iter().map(|remark| remark.words(self.since, now)));
        let name = truncate_str(&self.name, NAME.min(width.saturating_sub(2)), "…");
        let name = format!("  {name}{}", " ".repeat(NAME.saturating_sub(measure_text_width(&name))));
        let room = |remarks: &[String]| {
            let words: usize = remarks.iter().map(|words| 2 + measure_text_width(words)).sum();
            width.checked_sub(measure_text_width(&name) + words + 1)
        };
        // The last remark is the first to go.
        while remarks.len() > 1 && room(&remarks).is_none_or(|room| room < LEAST && self.extent.is_some()) {
            remarks.pop();
        }
        let mut line = name.clone();
        match (self.extent, room(&remarks)) {
            (Some((done, total)), Some(room)) if room >= LEAST => {
                let length = room.min(MOST);
                let full = (length as u64 * done.min(total) / total.max(1)) as usize;
                let _ = write!(
                    line,
                    " {}{}",
                    on_screen(&"━".repeat(full), &self.colour),
                    on_screen(&"─".repeat(length - full), &Style::new().dim())
                );
            }
            (None, _) => {
                const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
                let frame = now.saturating_duration_since(self.since).as_millis() / TICK.as_millis();
                let _ = write!(line, " {}", FRAMES[frame as usize % FRAMES.len()]);
            }
            _ => {}
        }
        for remark in remarks {
            let _ = write!(line, "  {remark}");
        }
        truncate_str(line.trim_end(), width, "…").into_owned()
    }
}

/// A line on the terminal; it goes when this is dropped.
pub(crate) struct Drawn {
    line: Arc<Mutex<Line>>,
    row: Row,
}

impl Drawn {
    /// Below the lines that are there.
    pub(crate) fn new(line: Line) -> Self {
        let line = Arc::new(Mutex::new(line));
        let shown = Arc::clone(&line);
        let say = move || shown.lock().unwrap_or_else(PoisonError::into_inner).drawn(columns(), Instant::now());
        Self { line, row: Row::new(say) }
    }

    /// Shows another line in its place.
    pub(crate) fn show(&self, line: Line) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
        self.row.refresh();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Line, Instant) {
        let since = Instant::now();
        let left = Remark::Left(Duration::from_secs(300), since);
        let remarks = vec![left, Remark::Words("4.9/s".to_owned())];
        let colour = Style::new();
        let extent = Some((64, 128));
        (Line { name: "encoding supports".to_owned(), extent, counts: true, remarks, colour, since }, since)
    }

    #[test]
    fn a_line_is_never_as_wide_as_the_terminal_and_keeps_what_matters_most() {
        let (line, since) = line();
        let now = since + Duration::from_secs(100);
        for columns in 0..200 {
            let drawn = line.drawn(columns, now);
            assert!(measure_text_width(&drawn) < columns.max(1), "{columns}: {drawn}");
        }
        let of = |columns: usize| line.drawn(columns, now);
        assert_eq!(of(60), "  encoding supports         ━━━━────  64/128  3m 20s left");
        assert_eq!(of(80), "  encoding supports         ━━━━━━━━━━───────────  64/128  3m 20s left  4.9/s");
        assert_eq!(of(41), "  encoding supports          64/128");
        assert_eq!(of(12), "  encodi…");
    }

    #[test]
    fn what_has_no_extent_has_no_bar() {
        let line = Line::open("computing metrics");
        let drawn = line.drawn(60, line.since + Duration::from_secs(61));
        assert_eq!(drawn, "  computing metrics         ⠹  1m 1s so far");
    }
}
