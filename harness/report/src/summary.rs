//! Means over seeds and draws, a row for each metric: `tables/summary.csv` and `.parquet`.

use std::collections::HashSet;

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_tables::{Query, ResultRow, Status, count, distinct, row, values};

use crate::ReportError;
use crate::measure::rank;

row! {
    /// One metric of cells that differ in seed and draw alone.
    #[derive(Default)]
    SummaryRow is "summary" {
        /// Name of the variant.
        variant: String,
        /// Target dataset.
        dataset: String,
        /// Dataset the support images came from.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// Backend that computed.
        backend: String,
        /// Devices that computed, joined by ` + `.
        device: String,
        /// Precision of the encoder and of stored taps.
        precision: String,
        /// Support and test images were allowed to overlap.
        allow_overlap: bool,
        /// Rule that chose the epoch.
        selection: Selection,
        /// The image score; absent for pixel metrics that do not depend on it.
        image_score: Option<ImageScore>,
        /// The metric; absent where no cell of the group is done.
        metric: Option<Metric>,
        /// Mean over the cells that are done.
        mean: Option<f64>,
        /// Sample standard deviation (n - 1); absent for fewer than two.
        deviation: Option<f64>,
        /// Values behind the mean.
        count: u64,
        /// Cells of the group that failed. They are in no mean.
        failed: u64,
        /// Cells of the group that were not run.
        not_run: u64,
        /// Why cells failed, without repetition.
        message: String,
        /// There is one state alone, so every rule reports the same number.
        no_choice: bool,
        /// The method sees no support set, so every K and draw reports the same number.
        no_support: bool,
    }
}

row! {
    /// What the query gathers of a group and one of its metrics.
    Gathered is "gathered" {
        variant: String,
        dataset: String,
        trained_on: String,
        shots: Shots,
        backend: String,
        precision: String,
        allow_overlap: bool,
        no_choice: bool,
        no_support: bool,
        selection: Selection,
        device: Vec<String>,
        failed: u32,
        not_run: u32,
        message: Vec<String>,
        metric: Option<Metric>,
        image_score: Option<ImageScore>,
        value: Vec<f64>,
    }
}

/// Columns that the cells of a group share.
const GROUP: [&str; 11] = [
    "variant",
    "dataset",
    "trained_on",
    "normal_shots",
    "abnormal_shots",
    "backend",
    "precision",
    "allow_overlap",
    "no_choice",
    "no_support",
    "selection",
];

/// The order of the experiment: of each axis the names, which are followed by others in the order of the alphabet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Axes<'a> {
    /// Names of datasets.
    pub datasets: &'a [String],
    /// Names of variants.
    pub variants: &'a [String],
    /// Names of backends.
    pub backends: &'a [String],
}

/// Mean, deviation and count over seeds and draws, per dataset, source, shots, variant, backend, precision, overlap,
/// selection, metric and image score, in that order, each in the order of `axes`. The order of `results` does not show.
///
/// # Errors
/// Polars' own.
pub fn summary(results: &[ResultRow], axes: Axes<'_>) -> Result<Vec<SummaryRow>, ReportError> {
    let cells = Query::of(&counted_once(results))?;
    let (failed, not_run) = (("status", Status::Failed.name()), ("status", Status::NotRun.name()));
    let groups = cells.clone().group_by(
        &GROUP,
        &[
            distinct("device"),
            count("cell").when(failed).named("failed"),
            count("cell").when(not_run).named("not_run"),
            distinct("message").when(failed),
        ],
    );
    let numbers = cells
        .only(("status", Status::Done.name()))
        .with("metric")
        .with("value")
        // Sums of floating-point numbers depend on their order.
        .sort(&["draw", "draw_name", "seed", "cell"])
        .group_by(&[&GROUP[..], &["metric", "image_score"][..]].concat(), &[values("value")]);
    let mut gathered: Vec<Gathered> = groups.join(numbers, &GROUP).rows()?;
    gathered.sort_by(|a, b| order(a, axes).cmp(&order(b, axes)));
    Ok(gathered.into_iter().map(SummaryRow::from).collect())
}

/// Rows without those that repeat a number of the same variant: where a seed or a draw decides nothing, its cells are
/// one.
fn counted_once(results: &[ResultRow]) -> Vec<ResultRow> {
    let mut seen = HashSet::new();
    let key = |row: &ResultRow| {
        let group = (row.variant.clone(), row.dataset.clone(), row.trained_on.clone(), row.shots, row.backend.clone());
        let how = (row.precision.clone(), row.allow_overlap, row.selection);
        (group, how, row.cell.clone(), row.status, row.metric, row.image_score)
    };
    results.iter().filter(|row| seen.insert(key(row))).cloned().collect()
}

/// What rows are ordered by. The experiment's order of variants is not in any column, so this is not the query's.
fn order<'a>(row: &'a Gathered, axes: Axes<'_>) -> impl Ord + use<'a> {
    let metric = Metric::ALL.iter().position(|metric| Some(*metric) == row.metric);
    let rule = row.selection.name();
    (
        (rank(axes.datasets, &row.dataset), rank(axes.datasets, &row.trained_on), row.shots),
        (rank(axes.variants, &row.variant), rank(axes.backends, &row.backend), &row.precision, row.allow_overlap),
        (rule, metric, row.image_score),
    )
}

impl From<Gathered> for SummaryRow {
    fn from(row: Gathered) -> Self {
        let (mean, deviation) = statistics(&row.value);
        Self {
            variant: row.variant,
            dataset: row.dataset,
            trained_on: row.trained_on,
            shots: row.shots,
            backend: row.backend,
            device: row.device.join(" + "),
            precision: row.precision,
            allow_overlap: row.allow_overlap,
            selection: row.selection,
            image_score: row.image_score,
            metric: row.metric,
            mean,
            deviation,
            count: row.value.len() as u64,
            failed: u64::from(row.failed),
            not_run: u64::from(row.not_run),
            message: row.message.join("; "),
            no_choice: row.no_choice,
            no_support: row.no_support,
        }
    }
}

/// Mean and sample standard deviation, summed in the order given.
fn statistics(values: &[f64]) -> (Option<f64>, Option<f64>) {
    if values.is_empty() {
        return (None, None);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (Some(mean), (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}
