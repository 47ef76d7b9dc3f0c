//! A run as people follow it, on standard error: a line an event, and one line that moves where there is a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use harness_run::{Notice, Observer};

/// Without a terminal, how often progress is worth a line.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Prints events.
pub(crate) struct Terminal {
    moving: bool,
    shown: bool,
    last: Instant,
    epoch: Option<(u32, f64)>,
    epochs: u32,
}

impl Terminal {
    /// On standard error.
    pub(crate) fn new() -> Self {
        let moving = std::io::stderr().is_terminal();
        Self { moving, shown: false, last: Instant::now(), epoch: None, epochs: 0 }
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, text: &str) {
        self.clear();
        // Nobody may be there to read; a run goes on.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Takes the moving line away.
    pub(crate) fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
            self.shown = false;
        }
    }

    fn progress(&mut self, text: &str, ended: bool) {
        if self.moving {
            let _ = write!(std::io::stderr(), "\r\x1b[2K  {text}");
            let _ = std::io::stderr().flush();
            self.shown = true;
        } else if !ended && self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            self.line(&format!("  {text}"));
        }
    }
}

impl Observer for Terminal {
    fn notice(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Waiting { holder } => {
                self.line(&format!("the results folder is in use ({holder}); waiting for it, Ctrl-C to give up"));
            }
            Notice::Begun { plan, out, cells, reused } => {
                if plan.smoke {
                    self.line("smoke test: it shows that everything runs; its numbers say nothing about the method");
                }
                let out = out.display();
                let reused = if *reused > 0 { format!(", {reused} of them done already") } else { String::new() };
                self.line(&format!("{}: {cells} cells{reused}, results in {out}", plan.name));
            }
            Notice::Training { training, variants, number, of } => {
                (self.epoch, self.epochs, self.last) = (None, training.epochs, Instant::now());
                let (dataset, shots, draw, seed) = (&training.dataset, training.shots, training.draw, training.seed);
                let (variants, backend) = (variants.join(", "), &training.backend.name);
                self.line(&format!(
                    "[{number}/{of}] {variants}: {dataset}, K {shots}, draw {draw}, seed {seed}, {backend}"
                ));
            }
            Notice::Progress { phase, done, total, rate, left } => {
                let epoch = match self.epoch {
                    Some((epoch, loss)) => format!(", epoch {} of {}, loss {loss:.4}", epoch + 1, self.epochs),
                    None => String::new(),
                };
                let phase_left = Duration::from_secs_f64((total - done) as f64 / rate.max(1e-9));
                let mut text = format!(
                    "{}: {done}/{total} {}, {rate:.1}/s, {} left{epoch}",
                    phase.name(),
                    phase.unit(),
                    duration(phase_left)
                );
                if let Some(left) = left {
                    text += &format!("; the run {} left", duration(*left));
                }
                self.progress(&text, done == total);
            }
            Notice::Epoch { epoch, loss } => self.epoch = Some((*epoch, *loss)),
            Notice::Measuring { .. } => self.progress("computing metrics", true),
            Notice::Retrying { record, message } => {
                self.line(&format!("  the {record} failed and is tried once more: {message}"));
            }
            Notice::Done { cell, values } => {
                let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
                let mark = if cell.selection == harness_experiment::Selection::BestOnTest { "†" } else { "" };
                self.line(&format!(
                    "  done   {} {}, {}{mark}: {}",
                    cell.id,
                    cell.variant,
                    cell.selection,
                    values.join(", ")
                ));
            }
            Notice::Failed { cell, message } => {
                self.line(&format!("  failed {} {}, {}: {message}", cell.id, cell.variant, cell.selection));
            }
            Notice::Warning(message) => self.line(&format!("warning: {message}")),
            _ => {}
        }
    }
}

/// A duration for people.
pub(crate) fn duration(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        3600..172_800 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} days", secs / 86_400),
    }
}
