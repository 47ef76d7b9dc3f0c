//! The numbers that a table asks for, found among the rows of the summary.

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_tables::{Query, row};

use crate::measure::{Measure, asked_by, paper_score};
use crate::print::{Print, Reasons};
use crate::words::chosen_by;
use crate::{ReportError, SummaryRow};

/// What stands in place of a number whose cells failed.
pub(crate) const FAILED: &str = "failed";

row! {
    /// A number that a table has a cell for.
    #[derive(Default)]
    Wanted is "wanted" {
        variant: String,
        dataset: String,
        trained_on: String,
        shots: Shots,
        backend: String,
        precision: String,
        allow_overlap: bool,
        selection: Selection,
        metric: Option<Metric>,
        image_score: Option<ImageScore>,
    }
}

row! {
    /// What the summary has of it.
    #[derive(Default)]
    Number is "numbers" {
        selection: Selection,
        metric: Option<Metric>,
        image_score: Option<ImageScore>,
        mean: Option<f64>,
        deviation: Option<f64>,
        count: Option<u64>,
        /// Cells of the group that failed; absent where no cell of it was planned.
        failed: Option<u64>,
        not_run: Option<u64>,
        message: Option<String>,
        no_choice: Option<bool>,
    }
}

/// What the summary has of each number, in the order in which they are wanted. `keys` are the columns that a line and a
/// heading of the table are of; what it has no column for is of the first row that fits.
///
/// # Errors
/// Polars' own.
pub(crate) fn numbers(wanted: &[Wanted], rows: &[SummaryRow], keys: &[&str]) -> Result<Vec<Number>, ReportError> {
    let asked = |row: &SummaryRow| {
        let scores = row.metric.map(|metric| asked_by(metric, row.image_score)).unwrap_or_default();
        let row = row.clone();
        scores.into_iter().map(move |image_score| SummaryRow { image_score, ..row.clone() })
    };
    let asked: Vec<SummaryRow> = rows.iter().flat_map(asked).collect();
    let exact = [keys, &["metric", "image_score"][..]].concat();
    let found = Query::of(&asked)?.first(&exact, &["mean", "deviation", "count"]);
    // Why a number is missing is known of its group.
    let groups = Query::of(rows)?.first(keys, &["failed", "not_run", "message", "no_choice"]);
    Ok(Query::of(wanted)?.join(found, &exact).join(groups, keys).rows()?)
}

impl Number {
    /// As a cell: the number, or why there is none. What more there is to say stands below the table.
    pub(crate) fn words(&self, print: &Print, reasons: &mut Reasons) -> String {
        let Some(value) = self.mean else {
            return match self.why_missing() {
                FAILED => reasons.marked(FAILED, &self.reason()),
                why => why.to_owned(),
            };
        };
        let number = print.mean(value, self.deviation, chosen_by(self.selection, self.has_no_choice()));
        let missing: Vec<String> = [(self.failed, FAILED), (self.not_run, "not run")]
            .into_iter()
            .filter_map(|(count, word)| Some(format!("{} {word}", count.filter(|count| *count > 0)?)))
            .collect();
        if missing.is_empty() { number } else { reasons.marked(&number, &format!("without {}", missing.join(", "))) }
    }

    /// For programs: why there is no number, the whole reason of a failure.
    pub(crate) fn message(&self) -> String {
        match self.why_missing() {
            _ if self.mean.is_some() => String::new(),
            FAILED => format!("{FAILED}: {}", self.reason()),
            why => why.to_owned(),
        }
    }

    fn reason(&self) -> String {
        self.message.clone().filter(|message| !message.is_empty()).unwrap_or_else(|| "no reason recorded".to_owned())
    }

    /// Whether there was one state alone, so that no rule chose it.
    pub(crate) fn has_no_choice(&self) -> bool {
        self.no_choice == Some(true)
    }

    /// Whether no cell of its group failed or was not run.
    pub(crate) fn is_whole(&self) -> bool {
        self.failed.unwrap_or(0) + self.not_run.unwrap_or(0) == 0
    }

    /// Whether cells of its group were planned and all of them are done.
    pub(crate) fn group_is_done(&self) -> bool {
        self.failed == Some(0) && self.not_run == Some(0)
    }

    /// Why there is no number, in a word or two.
    pub(crate) fn why_missing(&self) -> &'static str {
        let (Some(failed), Some(not_run)) = (self.failed, self.not_run) else { return "not planned" };
        if failed > 0 {
            return FAILED;
        }
        if not_run > 0 {
            return "not run";
        }
        match (self.metric.and_then(Measure::of), self.image_score) {
            (Some(Measure::Ac), Some(ImageScore::Detection)) => "no detection",
            (Some(Measure::Ac), _) => "no map-max",
            (_, score) if score == Some(paper_score(true)) => "no maps",
            _ => "no masks",
        }
    }
}
