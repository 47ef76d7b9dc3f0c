//! The numbers that a table asks for, found among the rows of the summary.

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_tables::{Query, row};

use crate::measure::{Measure, asked_by, paper_score};
use crate::words::{chosen_by, mean, short};
use crate::{ReportError, SummaryRow};

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
    /// As a cell: the number and how many of its cells are missing from it, or why there is none.
    pub(crate) fn words(&self) -> String {
        let Some(value) = self.mean else { return self.why_missing() };
        let missing: Vec<String> = [(self.failed, "failed"), (self.not_run, "not run")]
            .into_iter()
            .filter_map(|(count, word)| Some(format!("{} {word}", count.filter(|count| *count > 0)?)))
            .collect();
        let number = mean(value, self.deviation, chosen_by(self.selection, self.has_no_choice()));
        if missing.is_empty() { number } else { format!("{number} ({})", missing.join(", ")) }
    }

    /// Whether there was one state alone, so that no rule chose it.
    pub(crate) fn has_no_choice(&self) -> bool {
        self.no_choice == Some(true)
    }

    /// Whether cells of its group were planned and all of them are done.
    pub(crate) fn group_is_done(&self) -> bool {
        self.failed == Some(0) && self.not_run == Some(0)
    }

    fn why_missing(&self) -> String {
        const MOST: usize = 40;
        let (Some(failed), Some(not_run)) = (self.failed, self.not_run) else { return "not planned".to_owned() };
        if failed > 0 {
            return format!("failed: {}", short(self.message.as_deref().unwrap_or("no reason recorded"), MOST));
        }
        if not_run > 0 {
            return "not run".to_owned();
        }
        match (self.metric.and_then(Measure::of), self.image_score) {
            (Some(Measure::Ac), score) => format!("no {}", score.map_or("", ImageScore::name)),
            (_, score) if score == Some(paper_score(true)) => "no maps".to_owned(),
            _ => "no masks".to_owned(),
        }
    }
}
