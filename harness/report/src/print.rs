//! How a report's tables print numbers and names, by the experiment's `[report]`.

use std::collections::HashMap;

use harness_experiment::{Line, Numbers};
use harness_method::Selection;
use harness_results::ReportInput;

use crate::words::{dagger, line};

/// Fractions or percent, the names of variants, and what tables must fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Print {
    percent: bool,
    labels: HashMap<String, String>,
    /// Backends in the order of the experiment.
    backends: Vec<String>,
    /// Every table says that it is no result.
    pub(crate) smoke: bool,
    /// Width of a LaTeX table in millimetres.
    pub(crate) millimetres: f64,
    /// Columns that are left out.
    pub(crate) hide: Vec<String>,
}

/// What every table of a smoke test says.
pub(crate) const SMOKE: &str = "Smoke test: not a result";

impl Print {
    pub(crate) fn of(input: &ReportInput) -> Self {
        Self {
            percent: input.printing.numbers == Numbers::Percent,
            labels: input.labels.iter().cloned().collect(),
            backends: input.backend_names.clone(),
            smoke: input.smoke,
            millimetres: match input.printing.table_width {
                Line::Column => 85.0,
                Line::Page => 120.0,
            },
            hide: input.printing.hide.clone(),
        }
    }

    /// What a variant is called in print.
    pub(crate) fn variant<'a>(&'a self, name: &'a str) -> &'a str {
        self.labels.get(name).map_or(name, String::as_str)
    }

    /// The place of a backend in the experiment; what is not there follows by name.
    pub(crate) fn backend<'a>(&self, name: &'a str) -> (usize, &'a str) {
        crate::measure::rank(&self.backends, name)
    }

    /// A fraction with the mark of what it was chosen by.
    pub(crate) fn fraction(&self, value: f64, selection: impl Into<Option<Selection>>) -> String {
        self.number(value) + dagger(selection)
    }

    /// A mean with its standard deviation, where it has one, and the mark of what it was chosen by.
    pub(crate) fn mean(&self, mean: f64, deviation: Option<f64>, selection: impl Into<Option<Selection>>) -> String {
        match deviation {
            // No line ends beside the sign.
            Some(deviation) => {
                format!("{}\u{a0}±\u{a0}{}{}", self.number(mean), self.number(deviation), dagger(selection))
            }
            None => self.fraction(mean, selection),
        }
    }

    /// A difference of fractions, signed, with a true minus.
    pub(crate) fn signed(&self, value: f64) -> String {
        let words = if self.percent { format!("{:+.1}", value * 100.0) } else { format!("{value:+.3}") };
        // What rounds to zero has no sign.
        match words.trim_start_matches(['+', '-']) {
            zero if zero.chars().all(|c| "0.".contains(c)) => zero.to_owned(),
            _ => words.replace('-', "−"),
        }
    }

    /// What a table says of its fractions.
    pub(crate) fn unit(&self) -> Option<String> {
        self.percent.then(|| "Metrics and their differences in percent.".to_owned())
    }

    fn number(&self, value: f64) -> String {
        if self.percent { format!("{:.1}", value * 100.0) } else { format!("{value:.3}") }
    }
}

/// Why numbers are missing, each reason once, below the table that has their marks.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Vec<String>);

/// Reasons that a table tells; what fails for another is listed in the report alone.
const MOST: usize = 8;

impl Reasons {
    /// A word with the mark of its reason.
    pub(crate) fn marked(&mut self, word: &str, reason: &str) -> String {
        let reason = line(reason);
        let reason = reason.trim().trim_end_matches('.');
        let at = self.0.iter().position(|known| known == reason).unwrap_or_else(|| {
            if self.0.len() < MOST {
                self.0.push(reason.to_owned());
            }
            self.0.len()
        });
        match at {
            at if at < self.0.len() => format!("{word} ({})", at + 1),
            _ if self.0.last().is_some_and(|last| last == reason) => format!("{word} ({})", self.0.len()),
            _ => word.to_owned(),
        }
    }

    /// The note below the table; `None` without a reason.
    pub(crate) fn note(&self) -> Option<String> {
        let all: Vec<String> =
            self.0.iter().enumerate().map(|(at, reason)| format!("({}) {reason}.", at + 1)).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_has_a_digit_less_and_zero_no_sign() {
        let percent = Print { percent: true, ..Print::default() };
        assert_eq!(percent.mean(0.93449, Some(0.009), Selection::BestOnTest), "93.4\u{a0}±\u{a0}0.9†");
        assert_eq!([-0.0312, 0.0004, -0.0004].map(|v| percent.signed(v)), ["−3.1", "0.0", "0.0"]);
        let plain = Print::default();
        assert_eq!([-0.0312, 0.0004, -0.0004].map(|v| plain.signed(v)), ["−0.031", "0.000", "0.000"]);
    }

    #[test]
    fn equal_reasons_have_one_mark_and_there_are_not_too_many() {
        let mut reasons = Reasons::default();
        assert_eq!(reasons.marked("failed", "timeout: 60 s"), "failed (1)");
        assert_eq!(reasons.marked("failed", "numeric: loss"), "failed (2)");
        assert_eq!(reasons.marked("failed", "timeout: 60 s"), "failed (1)");
        assert_eq!(reasons.note().as_deref(), Some("(1) timeout: 60 s. (2) numeric: loss."));
        (0..20).for_each(|i| {
            reasons.marked("failed", &format!("other {i}"));
        });
        assert_eq!(reasons.marked("failed", "yet another"), "failed");
    }
}
