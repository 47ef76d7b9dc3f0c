//! Shows a run on standard error: lines that stay, and below them bars on a terminal. Without a terminal, a line now
//! and then says how far it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harness_experiment::{Cell, Selection, Training};
use harness_run::{Notice, Observer, Phase};
use harness_text::{count, duration, seconds};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::output::{bars, can_draw, say};

/// Without a terminal, how often progress is worth a line.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// How often bars move while nothing is reported, so that times stay true.
const TICK: Duration = Duration::from_millis(500);

/// Below 80 columns in all, with room for the longest phase, six digits and a day.
const PHASE: &str = "  {prefix:25} {wide_bar} {pos:>6}/{len:<6} {rate:>8} {remaining:>8} left";
const WITHOUT_COUNT: &str = "  {prefix:25} {spinner}";
const WHOLE_RUN: &str = "  {prefix:25} {wide_bar} {msg}";

/// Prints events and moves bars.
pub(crate) struct Progress {
    /// `None` where there is no terminal to draw on.
    drawn: Option<Drawn>,
    last_line: Instant,
    begun: Instant,
    epochs: u32,
    epoch: Option<(u32, f64)>,
    /// Names of variants with one state, of which no rule chooses.
    without_choice: BTreeSet<String>,
}

/// The bars.
struct Drawn {
    /// What is being done now.
    phase: ProgressBar,
    shown: Option<Phase>,
    /// Trainings of the run, where there are several.
    run: Option<ProgressBar>,
}

impl Progress {
    /// On standard error.
    pub(crate) fn new() -> Self {
        let drawn = can_draw().then(|| Drawn { phase: ProgressBar::hidden(), shown: None, run: None });
        let now = Instant::now();
        Self { drawn, last_line: now, begun: now, epochs: 0, epoch: None, without_choice: BTreeSet::new() }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        if let Some(drawn) = &mut self.drawn {
            drawn.clear();
        }
    }

    fn training(&mut self, number: usize, of: usize) {
        let begun = self.begun;
        let Some(drawn) = self.drawn.as_mut().filter(|_| of > 1) else { return };
        let (name, time) = (format!("training {number} of {of}"), format!("{} so far", duration(begun.elapsed())));
        let bar = drawn.run.get_or_insert_with(|| {
            // Complete before it is first drawn.
            let bar = ProgressBar::new(of as u64).with_style(style(WHOLE_RUN)).with_prefix(name.clone());
            let bar = bars().add(bar.with_message(time.clone()));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_prefix(name);
        bar.set_position(number.saturating_sub(1) as u64);
        bar.set_message(time);
    }

    fn progress(&mut self, phase: Phase, done: u64, total: u64, rate: f64, left: Option<Duration>) {
        let epoch = self.epoch.filter(|_| phase == Phase::Train);
        let name = match epoch {
            Some((epoch, loss)) => format!("epoch {}/{}, loss {loss:.3}", epoch + 1, self.epochs),
            None => phase.name().to_owned(),
        };
        if let Some(drawn) = &mut self.drawn {
            let elapsed = duration(self.begun.elapsed());
            drawn.phase(phase, &name, done, total);
            if let Some(run) = &drawn.run {
                run.set_message(match left {
                    Some(left) => format!("{elapsed} so far, about {} left", duration(left)),
                    None => format!("{elapsed} so far"),
                });
            }
        } else if done < total && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            say(plain(&name, phase.unit(), (done, total), rate, left));
        }
    }
}

/// Progress without a terminal.
fn plain(name: &str, unit: &str, (done, total): (u64, u64), rate: f64, left: Option<Duration>) -> String {
    let rest = seconds(total.saturating_sub(done) as f64 / rate.max(1e-9));
    let run = left.map(|left| format!("; whole run: about {} left", duration(left))).unwrap_or_default();
    format!("  {name}: {done}/{total} {unit}, {rate:.1}/s, {rest} left{run}")
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Drawn {
    fn phase(&mut self, phase: Phase, name: &str, done: u64, total: u64) {
        if self.shown != Some(phase) || self.phase.length() != Some(total) || done < self.phase.position() {
            self.begin(PHASE, name, Some(total));
            self.shown = Some(phase);
        }
        self.phase.set_prefix(name.to_owned());
        self.phase.set_position(done);
    }

    /// Something whose extent is not known.
    fn without_count(&mut self, name: &str) {
        self.begin(WITHOUT_COUNT, name, None);
        self.shown = None;
    }

    /// A fresh bar above that of the run: rates start again.
    fn begin(&mut self, template: &str, name: &str, total: Option<u64>) {
        self.phase.finish_and_clear();
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        // Complete before it is first drawn.
        self.phase = bars().insert(0, bar.with_style(style(template)).with_prefix(name.to_owned()));
        self.phase.enable_steady_tick(TICK);
    }

    fn clear(&mut self) {
        self.phase.finish_and_clear();
        self.shown = None;
        if let Some(run) = self.run.take() {
            run.finish_and_clear();
        }
    }
}

/// A template of the program's own is always read; the default bar stands in for what can't happen.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .progress_chars("━╸─")
        .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{:.1}/s", state.per_sec());
        })
        .with_key("remaining", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = write!(text, "{}", duration(state.eta()));
        })
}

impl Observer for Progress {
    fn notice(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Waiting { holder } => {
                say(format!(
                    "another process ({holder}) uses this results folder; waiting for it, press Ctrl-C to give up"
                ));
            }
            Notice::Begun { plan, out, cells, reused } => {
                self.without_choice = plan.without_choice().into_iter().map(str::to_owned).collect();
                if plan.smoke {
                    say("smoke test: it shows that everything runs; its numbers say nothing about the method");
                }
                let reused = if *reused > 0 { format!(", {reused} already done") } else { String::new() };
                say(format!(
                    "{}: {}{reused}; results go to {}",
                    plan.name,
                    count(*cells as u64, "cell"),
                    out.display()
                ));
            }
            Notice::Training { training, variants, number, of } => {
                (self.epoch, self.epochs, self.last_line) = (None, training.epochs, Instant::now());
                let Training { dataset, shots, draw, seed, .. } = training;
                let (variants, backend) = (variants.join(", "), &training.backend.name);
                let set = match training.support {
                    Some(_) => format!("{dataset}, K {shots}, draw {draw}"),
                    None => "no supports".to_owned(),
                };
                say(format!("[{number}/{of}] {variants}: {set}, seed {seed}, {backend}"));
                self.training(*number, *of);
            }
            Notice::Progress { phase, done, total, rate, left } => self.progress(*phase, *done, *total, *rate, *left),
            Notice::Epoch { epoch, loss } => self.epoch = Some((*epoch, *loss)),
            Notice::Measuring { .. } => {
                if let Some(drawn) = &mut self.drawn {
                    drawn.without_count("computing metrics");
                }
            }
            Notice::Retrying { record, message } => {
                say(format!("  the {record} failed and is tried once more: {message}"));
            }
            Notice::Done { cell, values } => {
                let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
                say(format!("  done   {}: {}", self.title(cell), values.join(", ")));
            }
            Notice::Failed { cell, message } => say(format!("  failed {}: {message}", self.title(cell))),
            Notice::Warning(message) => say(format!("warning: {message}")),
            Notice::Remark(message) => say(format!("note: {message}")),
            _ => {}
        }
    }
}

impl Progress {
    /// A cell among those of its training.
    fn title(&self, cell: &Cell) -> String {
        let mark = match cell.selection {
            Selection::Last => "",
            _ if self.without_choice.contains(&cell.variant) => " (no choice)",
            Selection::BestOnTest => "†",
            Selection::BestOnSupport => "",
        };
        let target = if cell.dataset == cell.trained_on { String::new() } else { format!(" on {}", cell.dataset) };
        format!("{} {}{target}, {}{mark}", cell.id, cell.variant, cell.selection)
    }
}

/// Rounds of something, as a bar on a terminal, else a line each.
pub(crate) struct Rounds {
    bar: Option<ProgressBar>,
    rounds: usize,
}

impl Rounds {
    /// Before the first.
    pub(crate) fn new(rounds: usize) -> Self {
        let bar = can_draw().then(|| {
            let bar = bars().add(ProgressBar::new(rounds as u64));
            bar.set_style(style("  {prefix:25} {wide_bar} {pos}/{len} {remaining:>8} left"));
            bar.set_prefix("warming up");
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, rounds }
    }

    /// So many are over, none of them after the warm-up.
    pub(crate) fn done(&self, number: usize) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix("measuring");
                bar.set_position(number as u64);
            }
            None if number == 0 => say("warmed up"),
            None => say(format!("round {number} of {}", self.rounds)),
        }
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_without_a_terminal_is_a_line() {
        let line = plain("training", "steps", (24, 32), 4.0, Some(Duration::from_secs(280)));
        assert_eq!(line, "  training: 24/32 steps, 4.0/s, 2s left; whole run: about 4m 40s left");
        assert_eq!(plain("training", "steps", (1, 2), 0.5, None), "  training: 1/2 steps, 0.5/s, 2s left");
    }
}
