//! What a person sees of a run: bars that move on a terminal, plain lines without one, nothing with `--json`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::process::{Command, Stdio};

use common::Place;
use nix::pty::{Winsize, openpty};
use vt100::Parser;

/// Long enough that nothing scrolls out of sight.
const ROWS: u16 = 200;

/// What bars are drawn with.
const BAR: [char; 3] = ['━', '╸', '─'];

/// What moves where there is no bar.
fn is_spinner(character: char) -> bool {
    ('\u{2800}'..='\u{28ff}').contains(&character)
}

/// A run whose standard error is a terminal of 80 columns. `seen` gets the screen after everything that is drawn, and
/// the process. Returns the exit code and the last screen.
fn on_terminal(place: &Place, arguments: &[&str], mut seen: impl FnMut(&Parser, u32)) -> (Option<i32>, Parser) {
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None::<&nix::sys::termios::Termios>).unwrap();
    let mut command = place.command(arguments);
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    // Else this process would keep the terminal open, and reading would never end.
    drop(command);
    let mut screen = Parser::new(NonZero::new(ROWS).unwrap(), NonZero::new(80).unwrap(), 0);
    let (mut terminal, mut bytes) = (File::from(terminal.master), [0; 4096]);
    // The end is an error: nobody has the terminal open any more.
    while let Ok(count @ 1..) = terminal.read(&mut bytes) {
        // A drawing begins where the cursor returns: up to there the last one is complete.
        for piece in bytes[..count].split_inclusive(|byte| *byte == b'\r') {
            screen.process(piece);
            if piece.ends_with(b"\r") {
                nothing_wraps(&screen);
                seen(&screen, child.id());
            }
        }
    }
    (child.wait().unwrap().code(), screen)
}

/// A bar fills its row to the edge and ends in a time, and the row of a spinner is padded to the edge; a line ends
/// before it.
#[track_caller]
fn nothing_wraps(screen: &Parser) {
    let screen = screen.screen();
    for (number, row) in (0..ROWS).zip(screen.rows(0, 80)) {
        let row = row.trim_end();
        let whole = if row.contains(BAR) {
            row.starts_with("  ") && (row.ends_with(" left") || row.ends_with(" so far"))
        } else if row.contains(is_spinner) {
            row.starts_with("  ")
        } else {
            !screen.row_wrapped(number)
        };
        assert!(whole, "row {number} wraps:\n{}", screen.contents());
    }
}

fn arguments() -> [&'static str; 6] {
    ["run", "small.toml", "--cache", "cache", "--out", "out"]
}

#[test]
fn bars_move_on_a_terminal_of_80_columns_and_leave_no_trace() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 120");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    let (mut epochs, mut runs) = (false, false);
    let (code, screen) = on_terminal(&place, &arguments(), |screen, _| {
        let text = screen.screen().contents();
        let bar = |name: &str| text.lines().any(|line| line.contains(name) && line.contains('─') && line.len() > 60);
        epochs |= bar("epoch ") && text.contains("/s") && text.contains(" left");
        runs |= bar("training 2 of 2") && text.contains(" so far");
    });
    let text = screen.screen().contents();
    assert_eq!(code, Some(0), "{text}");
    assert!(epochs && runs, "{epochs} {runs}\n{text}");
    assert!(!text.contains(BAR), "a bar is left:\n{text}");
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (lines("small: 4 cells"), lines("[1/2] base"), lines("[2/2] base"), lines("  done ")),
        (1, 1, 1, 4),
        "{text}"
    );
    assert_eq!(lines("4 cells done in "), 1, "{text}");
}

#[test]
fn a_message_while_bars_move_has_lines_of_its_own() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 20000");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    let mut asked = false;
    let (code, screen) = on_terminal(&place, &arguments(), |screen, process| {
        if !asked && screen.screen().contents().contains("epoch ") {
            asked = true;
            let status = Command::new("kill").args(["-INT", &process.to_string()]).status();
            assert!(status.unwrap().success());
        }
    });
    let text = screen.screen().contents();
    assert_eq!(code, Some(130), "{text}");
    let message = "stopping cleanly; press Ctrl-C again to stop now";
    assert!(text.lines().any(|line| line == message), "{text}");
    assert!(!text.contains(BAR), "a bar is left:\n{text}");
}

#[test]
fn without_a_terminal_there_are_plain_lines_alone() {
    let ended = Place::new().run(&[]).expect(0);
    assert!(!ended.err.contains(['\r', '\x1b', '━', '─', '╸']), "{:?}", ended.err);
    ended.says(&["small: 2 cells; results go to out\n[1/1] base: Small, K 2, draw 0, seed 0, flex\n  done   "]);
}

#[test]
fn with_json_nothing_but_events_is_printed() {
    let ended = Place::new().run(&["--json"]).expect(0);
    assert_eq!(ended.err, "");
    assert!(ended.out.lines().all(|line| line.starts_with("{\"event\":") || line.starts_with('{')), "{}", ended.out);
}
