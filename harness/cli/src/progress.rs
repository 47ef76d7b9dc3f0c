//! Shows a run on standard error: lines that stay, and below them bars on a terminal. Without a terminal, a line now
//! and then says how far it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use console::Style;
use harness_experiment::{Cell, Selection, Training};
use harness_metrics::Metric;
use harness_run::{Notice, Observer, Phase};
use harness_text::{count, duration, seconds};

use crate::bars::{Drawn, Line, Remark};
use crate::output::{add, can_draw, insist, say, warn};

/// Without a terminal, how often progress is worth a line.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Parts that the bar of the whole run has.
const PARTS: u64 = 1000;

/// Characters of an id that tell a cell from others.
const ID: usize = 8;

/// Prints events and moves bars.
pub(crate) struct Progress {
    last_line: Instant,
    begun: Instant,
    epochs: u32,
    epoch: Option<(u32, f64)>,
    /// The phase, what it does in words, how much is done, and when it began.
    phase: Option<Shown>,
    /// What is being done now.
    now: Option<Drawn>,
    /// The whole run.
    run: Option<Drawn>,
    /// Trainings that are over, and all.
    trainings: (usize, usize),
    /// Names of variants with one state, of which no rule chooses.
    without_choice: BTreeSet<String>,
}

/// A phase as it was last reported.
struct Shown {
    phase: Phase,
    encodes: bool,
    done: u64,
    since: Instant,
}

impl Progress {
    /// On standard error.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            last_line: now,
            begun: now,
            epochs: 0,
            epoch: None,
            phase: None,
            now: None,
            run: None,
            trainings: (0, 0),
            without_choice: BTreeSet::new(),
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        self.end_phase();
        (self.now, self.run) = (None, None);
    }

    /// Shows what is done now.
    fn show(&mut self, line: Line) {
        match &self.now {
            Some(drawn) => drawn.show(line),
            None if can_draw() => self.now = Some(Drawn::new(line)),
            None => {}
        }
    }

    /// Shows the whole run: how far it is, by time where what is left is known, else by trainings.
    fn show_run(&mut self, left: Option<Duration>) {
        let (over, of) = self.trainings;
        // Nothing but a prediction has no trainings.
        if !can_draw() || of == 0 {
            return;
        }
        let now = Instant::now();
        let so_far = now.saturating_duration_since(self.begun);
        let share = left.map(|left| so_far.as_secs_f64() / (so_far + left).as_secs_f64().max(1e-9));
        let share = share.unwrap_or(over as f64 / of as f64);
        let mut remarks: Vec<Remark> = left.map(|left| Remark::Left(left, now)).into_iter().collect();
        remarks.push(Remark::SoFar);
        let name = if of > 1 { format!("training {} of {of}", over + 1) } else { "whole run".to_owned() };
        let line = Line {
            name,
            extent: Some(((share * PARTS as f64) as u64, PARTS)),
            counts: false,
            remarks,
            colour: Style::new().green(),
            since: self.begun,
        };
        match &self.run {
            Some(drawn) => drawn.show(line),
            None => self.run = Some(Drawn::new(line)),
        }
    }

    fn progress(&mut self, phase: Phase, (done, total): (u64, u64), rate: f64, encodes: bool, left: Option<Duration>) {
        let now = Instant::now();
        let new = self.phase.as_ref().is_none_or(|shown| shown.phase != phase || done < shown.done);
        if new {
            self.end_phase();
        }
        // The first report comes when something is done.
        let before = Duration::try_from_secs_f64(done as f64 / rate.max(1e-9)).unwrap_or_default();
        let since = self.phase.as_ref().map_or(now.checked_sub(before).unwrap_or(now), |shown| shown.since);
        // For the line at its end: a phase that encoded anything is one that encodes.
        let encoded = encodes || self.phase.as_ref().is_some_and(|shown| shown.encodes);
        self.phase = Some(Shown { phase, encodes: encoded, done, since });
        let name = match self.epoch.filter(|_| phase == Phase::Train) {
            Some((epoch, loss)) => format!("epoch {}/{}, loss {loss:.3}", epoch + 1, self.epochs),
            None => phase.name(encodes).to_owned(),
        };
        let rest = Duration::try_from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
        if can_draw() {
            let mut remarks: Vec<Remark> = rest.ok().map(|rest| Remark::Left(rest, now)).into_iter().collect();
            remarks.push(Remark::Words(format!("{rate:.1}/s")));
            let extent = Some((done, total));
            self.show(Line { name, extent, counts: true, remarks, colour: Style::new().cyan(), since });
            self.show_run(left);
        } else if done < total && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = now;
            say(plain(&name, phase.unit(), (done, total), rate, left));
        }
    }

    /// A phase is over; `--verbose` tells how long it took.
    fn end_phase(&mut self) {
        if let Some(Shown { phase, encodes, done, since }) = self.phase.take() {
            let took = since.elapsed();
            add(format!("  {}: {} in {}", phase.name(encodes), count_of(done, phase.unit()), duration(took)));
        }
    }
}

/// A number of things that are named in the plural.
fn count_of(number: u64, units: &str) -> String {
    count(number, units.trim_end_matches('s'))
}

/// Progress without a terminal.
fn plain(name: &str, unit: &str, (done, total): (u64, u64), rate: f64, left: Option<Duration>) -> String {
    let rest = seconds(total.saturating_sub(done) as f64 / rate.max(1e-9));
    let run = left.map(|left| format!("; whole run: about {} left", duration(left))).unwrap_or_default();
    format!("  {name}: {done}/{total} {unit}, {rate:.1}/s, {rest} left{run}")
}

impl Observer for Progress {
    fn notice(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Waiting { holder } => {
                insist(format!(
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
            Notice::Training { training, variants, number, of, left } => {
                self.end_phase();
                (self.epoch, self.epochs, self.last_line) = (None, training.epochs, Instant::now());
                let Training { dataset, shots, draw, seed, .. } = training;
                let (variants, backend) = (variants.join(", "), &training.backend.name);
                let set = match training.support {
                    Some(_) => format!("{dataset}, K {shots}, draw {draw}"),
                    None => "no supports".to_owned(),
                };
                say(format!("[{number}/{of}] {variants}: {set}, seed {seed}, {backend}"));
                self.trainings = (number.saturating_sub(1), *of);
                self.show(Line::open("starting"));
                self.show_run(*left);
            }
            Notice::Progress { phase, done, total, rate, encodes, left } => {
                self.progress(*phase, (*done, *total), *rate, *encodes, *left);
            }
            Notice::Epoch { epoch, loss } => {
                self.epoch = Some((*epoch, *loss));
                add(format!("  epoch {}/{}: loss {loss:.4}", epoch + 1, self.epochs));
            }
            Notice::Measuring { .. } => {
                self.end_phase();
                self.show(Line::open("computing metrics"));
            }
            Notice::Retrying { record, message } => {
                say(format!("  the {record} failed and is tried once more: {message}"));
            }
            Notice::Done { cell, values } => {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{} {value:.3}", short(name))).collect();
                say(format!("  done   {}: {}", self.title(cell), values.join(", ")));
            }
            Notice::Failed { cell, message } => insist(format!("  failed {}: {message}", self.title(cell))),
            Notice::Warning(message) => warn(message),
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
        let id: String = cell.id.to_string().chars().take(ID).collect();
        format!("{id} {}{target}, {}{mark}", cell.variant, cell.selection)
    }
}

/// A metric as tables for people name it.
fn short(name: &str) -> &str {
    let of = |metric: Metric| name.starts_with(metric.name());
    match name {
        _ if of(Metric::ImageAuroc) => "AC",
        _ if of(Metric::PixelAuroc) => "AS",
        name => name,
    }
}

/// Rounds of something, as a bar on a terminal, else a line each.
pub(crate) struct Rounds {
    bar: Option<Drawn>,
    rounds: usize,
    /// When the warm-up was over.
    begun: std::cell::Cell<Instant>,
}

impl Rounds {
    /// Before the first.
    pub(crate) fn new(rounds: usize) -> Self {
        let bar = can_draw().then(|| Drawn::new(Line::open("warming up")));
        Self { bar, rounds, begun: std::cell::Cell::new(Instant::now()) }
    }

    /// So many are over, none of them after the warm-up.
    pub(crate) fn done(&self, number: usize) {
        let now = Instant::now();
        if number == 0 {
            self.begun.set(now);
        }
        match &self.bar {
            Some(bar) => {
                let each = self.begun.get().elapsed().checked_div(number as u32);
                let left = each.map(|each| Remark::Left(each * self.rounds.saturating_sub(number) as u32, now));
                bar.show(Line {
                    name: "measuring".to_owned(),
                    extent: Some((number as u64, self.rounds as u64)),
                    counts: true,
                    remarks: left.into_iter().collect(),
                    colour: Style::new().cyan(),
                    since: self.begun.get(),
                });
            }
            None if number == 0 => say("warmed up"),
            None => say(format!("round {number} of {}", self.rounds)),
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
