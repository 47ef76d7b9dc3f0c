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
const BAR: [char; 2] = ['━', '─'];

/// What moves where there is no bar.
fn is_spinner(character: char) -> bool {
    ('\u{2800}'..='\u{28ff}').contains(&character)
}

/// A terminal that a run writes to.
struct Screen {
    parser: Parser,
    columns: u16,
    process: u32,
    terminal: File,
}

impl Screen {
    fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Nothing that stands on it wraps: not even a bar fills its row.
    #[track_caller]
    fn nothing_wraps(&self) {
        let screen = self.parser.screen();
        for number in 0..ROWS {
            assert!(!screen.row_wrapped(number), "row {number} wraps:\n{}", self.text());
        }
    }

    /// Makes the window as wide as this.
    fn resize(&mut self, columns: u16) {
        let mut command = Command::new("stty");
        command.args(["cols", &columns.to_string()]).stdin(Stdio::from(self.terminal.try_clone().unwrap()));
        assert!(command.status().unwrap().success());
        self.columns = columns;
    }
}

/// A run on a terminal of so many columns. `seen` gets the screen after everything that is drawn. Returns the exit code
/// and the last screen.
fn on_terminal(
    place: &Place,
    columns: u16,
    arguments: &[&str],
    mut seen: impl FnMut(&mut Screen),
) -> (Option<i32>, Screen) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None::<&nix::sys::termios::Termios>).unwrap();
    let mut command = place.command(arguments);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command.stdout(Stdio::from(terminal.slave.try_clone().unwrap())).stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    // Else this process would keep the terminal open, and reading would never end.
    drop(command);
    let parser = Parser::new(NonZero::new(ROWS).unwrap(), NonZero::new(columns).unwrap(), 0);
    let mut screen = Screen { parser, columns, process: child.id(), terminal: File::from(terminal.master) };
    let mut bytes = [0; 4096];
    // The end is an error: nobody has the terminal open any more.
    while let Ok(count @ 1..) = screen.terminal.read(&mut bytes) {
        // A drawing begins where the cursor returns: up to there the last one is complete.
        for piece in bytes[..count].split_inclusive(|byte| *byte == b'\r') {
            screen.parser.process(piece);
            if piece.ends_with(b"\r") {
                screen.nothing_wraps();
                seen(&mut screen);
            }
        }
    }
    screen.nothing_wraps();
    (child.wait().unwrap().code(), screen)
}

fn arguments() -> [&'static str; 6] {
    ["run", "small.toml", "--cache", "cache", "--out", "out"]
}

/// Two variants, two seeds.
fn ablation() -> Place {
    let place = Place::new();
    place.edit("seeds = [0]", "seeds = [0, 100]");
    place.edit("selection = [\"last\", \"best-on-test\"]", "selection = [\"last\"]");
    place.edit("[train]", "[variants.contrastive]\nloss = \"contrastive\"\n\n[train]");
    place
}

/// What stands on a screen, without what no two runs share: times, ids, and decimals, which depend on the processor.
fn masked(screen: &Screen) -> String {
    let mut text = String::new();
    for line in screen.text().trim_end().lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.split(' ') {
            let is_id = word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit());
            let bare = word.trim_end_matches(['.', ';', ',']);
            let is_time = bare.ends_with('s') && bare[..bare.len() - 1].parse::<u32>().is_ok();
            words.push(match word {
                _ if is_id => "<id>".to_owned(),
                _ if is_time => word.replace(bare, "<time>"),
                _ => decimals(word),
            });
        }
        text += words.join(" ").trim_end();
        text.push('\n');
    }
    text
}

/// A word with `#` for each digit of a fraction, its sign and its marks.
fn decimals(word: &str) -> String {
    let Some((before, after)) = word.split_once("0.") else { return word.to_owned() };
    let digits = after.chars().take_while(char::is_ascii_digit).count();
    if digits == 0 {
        return word.to_owned();
    }
    let rest = decimals(&after[digits..]);
    format!("{}0.{}{rest}", before.replace(['+', '−'], "±"), "#".repeat(digits))
}

/// What stands on a terminal of so many columns when all is done, [`masked`]: what is short, then what is wrapped.
fn done_at(columns: usize) -> String {
    let (title, answer) = match columns {
        60 => (
            "Small, K = 2, 1 draw, 2 seeds, 12 test images, selection\nlast",
            "\
Against base on Small, K = 2, 1 draw, 2 seeds, 12 test
images: contrastive was not shown to differ (AC, AC by
detection, AS; Holm). Largest: contrastive AC ±0.###
[±0.###, ±0.###], p = 0.###.
One support set: the intervals know test images and other
seeds, but no other support set.

4 cells done in <time>.
Report: out/report.md
The encoder is synthetic and untrained: these numbers say
nothing about the method with real weights.
",
        ),
        80 => (
            "Small, K = 2, 1 draw, 2 seeds, 12 test images, selection last",
            "\
Against base on Small, K = 2, 1 draw, 2 seeds, 12 test images: contrastive was
not shown to differ (AC, AC by detection, AS; Holm). Largest: contrastive AC
±0.### [±0.###, ±0.###], p = 0.###.
One support set: the intervals know test images and other seeds, but no other
support set.

4 cells done in <time>.
Report: out/report.md
The encoder is synthetic and untrained: these numbers say nothing about the
method with real weights.
",
        ),
        _ => (
            "Small, K = 2, 1 draw, 2 seeds, 12 test images, selection last",
            "\
Against base on Small, K = 2, 1 draw, 2 seeds, 12 test images: contrastive was not shown to differ (AC, AC by detection,
AS; Holm). Largest: contrastive AC ±0.### [±0.###, ±0.###], p = 0.###.
One support set: the intervals know test images and other seeds, but no other support set.

4 cells done in <time>.
Report: out/report.md
The encoder is synthetic and untrained: these numbers say nothing about the method with real weights.
",
        ),
    };
    format!(
        "\
small: 4 cells; results go to out
[1/4] base: Small, K 2, draw 0, seed 0, flex
  done   <id> base, last: AC 0.###, AS 0.###
[2/4] base: Small, K 2, draw 0, seed 100, flex
  done   <id> base, last: AC 0.###, AS 0.###
[3/4] contrastive: Small, K 2, draw 0, seed 0, flex
  done   <id> contrastive, last: AC 0.###, AS 0.###
[4/4] contrastive: Small, K 2, draw 0, seed 100, flex
  done   <id> contrastive, last: AC 0.###, AS 0.###

{title}
variant      AC              AS
base         0.###≈          0.###≈
contrastive  0.###●  ±0.###  0.###●  ±0.###
● best; ≈ not shown to be worse than the best

{answer}"
    )
}

#[test]
fn a_run_leaves_few_lines_on_terminals_of_60_80_and_120_columns_and_none_wraps() {
    let place = ablation();
    for columns in [60, 80, 120] {
        let _ = std::fs::remove_dir_all(place.file("out"));
        let (code, screen) = on_terminal(&place, columns, &arguments(), |_| {});
        assert_eq!(code, Some(0), "{}", screen.text());
        assert_eq!(masked(&screen), done_at(columns.into()), "{columns} columns:\n{}", screen.text());
    }
}

#[test]
fn bars_move_on_a_terminal_and_leave_no_trace_also_where_the_window_becomes_narrower() {
    let place = Place::new();
    place.edit("epochs = 2", "epochs = 120");
    place.edit("seeds = [0]", "seeds = [0, 1]");
    let (mut epochs, mut runs, mut narrow) = (false, false, false);
    let (code, screen) = on_terminal(&place, 120, &arguments(), |screen| {
        let text = screen.text();
        let bar = |name: &str| text.lines().any(|line| line.contains(name) && line.contains('─'));
        epochs |= bar("epoch ") && text.contains("/s") && text.contains(" left");
        runs |= bar("training 2 of 2") && text.contains(" so far");
        if epochs && screen.columns == 120 {
            // The emulator keeps its width: what is drawn from now on has to fit into less.
            screen.resize(70);
        }
        let longest = text.lines().filter(|line| line.contains(BAR)).map(|line| line.chars().count()).max();
        narrow |= screen.columns == 70 && longest.is_some_and(|longest| longest < 70);
    });
    let text = screen.text();
    assert_eq!(code, Some(0), "{text}");
    assert!(epochs && runs && narrow, "{epochs} {runs} {narrow}\n{text}");
    assert!(!text.contains(BAR) && !text.contains(is_spinner), "a bar is left:\n{text}");
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
    let (code, screen) = on_terminal(&place, 80, &arguments(), |screen| {
        if !asked && screen.text().contains("epoch ") {
            asked = true;
            let status = Command::new("kill").args(["-INT", &screen.process.to_string()]).status();
            assert!(status.unwrap().success());
        }
    });
    let text = screen.text();
    assert_eq!(code, Some(130), "{text}");
    let message = "stopping cleanly; press Ctrl-C again to stop now";
    assert!(text.lines().any(|line| line == message), "{text}");
    assert!(!text.contains(BAR), "a bar is left:\n{text}");
}

#[test]
fn without_a_terminal_there_are_plain_lines_alone() {
    let ended = Place::new().run(&[]).expect(0);
    assert!(!ended.err.contains(['\r', '\x1b', '━', '─']), "{:?}", ended.err);
    assert!(!ended.out.contains('\x1b'), "{:?}", ended.out);
    ended.says(&["small: 2 cells; results go to out\n[1/1] base: Small, K 2, draw 0, seed 0, flex\n  done   "]);
}

#[test]
fn colours_and_how_much_is_said_are_chosen() {
    let place = Place::new();
    let loud = place.run(&["--verbose", "--color", "always"]).expect(0);
    loud.says(&["\x1b[32m  done\x1b[0m", "  epoch 2/2: loss ", "  encoding supports: "]);
    assert!(loud.out.contains("\x1b["), "{}", loud.out);
    let quiet = place.run(&["-q"]).expect(0);
    assert_eq!(
        quiet.err,
        "The encoder is synthetic and untrained: these numbers say nothing about the method with real weights.\n"
    );
    assert!(quiet.out.contains("base") && !quiet.out.contains("\x1b["), "{}", quiet.out);
    place.run(&["-q", "-v"]).expect(2).says(&["cannot be used with"]);
}

#[test]
fn with_json_nothing_but_events_is_printed() {
    let ended = Place::new().run(&["--json"]).expect(0);
    assert_eq!(ended.err, "");
    assert!(ended.out.lines().all(|line| line.starts_with("{\"event\":") || line.starts_with('{')), "{}", ended.out);
}
