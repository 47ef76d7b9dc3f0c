//! Means over seeds and draws, one row a metric: `tables/summary.csv` and `.parquet`. The table people read is in `wide`.

use std::collections::{BTreeMap, BTreeSet};

use harness_tables::{Frame, ResultRow, Status, Values};

use crate::ReportError;

/// One metric of cells that differ in seed and draw alone.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// Name of the variant.
    pub variant: String,
    /// Target data set.
    pub dataset: String,
    /// Data set the support images came from.
    pub trained_on: String,
    /// Support images a class.
    pub shots: u32,
    /// Backend that computed.
    pub backend: String,
    /// Devices that computed, joined by ` + `.
    pub device: String,
    /// Precision of the encoder and of stored taps.
    pub precision: String,
    /// Support and test images were allowed to overlap.
    pub allow_overlap: bool,
    /// Rule that chose the epoch.
    pub selection: String,
    /// `map-max`, `detection`, or empty for pixel metrics.
    pub image_score: String,
    /// Name of the metric; empty where no cell of the group is done.
    pub metric: String,
    /// Mean over the cells that are done.
    pub mean: Option<f64>,
    /// Sample standard deviation (n - 1); absent for fewer than two.
    pub deviation: Option<f64>,
    /// Values behind the mean.
    pub count: u64,
    /// Cells of the group that failed. They are in no mean.
    pub failed: u64,
    /// Cells of the group that were not run.
    pub not_run: u64,
    /// Why cells failed, without repetition.
    pub message: String,
}

/// What cells of one group share. Ordered as the table is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    dataset: String,
    trained_on: String,
    shots: u32,
    /// Place of the variant in the experiment.
    place: usize,
    variant: String,
    backend: String,
    precision: String,
    allow_overlap: bool,
    selection: String,
}

/// A cell within its group.
type Member<'a> = (u64, u64, &'a str);

/// Rank and name of a metric, rank and name of its image score.
type Metric<'a> = (usize, &'a str, usize, &'a str);

#[derive(Default)]
struct Collected<'a> {
    /// Values of each metric by draw, seed and cell.
    values: BTreeMap<Metric<'a>, BTreeMap<Member<'a>, f64>>,
    failed: BTreeSet<Member<'a>>,
    not_run: BTreeSet<Member<'a>>,
    messages: BTreeSet<&'a str>,
    devices: BTreeSet<&'a str>,
}

/// Names of the metrics in the order of tables (docs/method.md section 8); others follow by name.
const METRICS: [&str; 7] =
    ["image_auroc", "image_ap", "image_f1_max", "pixel_auroc", "pixel_ap", "pixel_f1_max", "pro_0_3"];

/// Image scores in the order of tables.
const IMAGE_SCORES: [&str; 2] = ["map-max", "detection"];

/// Mean, deviation and count over seeds and draws, per data set, source, shots, variant, backend, precision, overlap, selection, metric
/// and image score, in that order; variants in the order of `variants`, others after them by name. The order of `results`
/// does not show.
pub fn summary(results: &[ResultRow], variants: &[String]) -> Vec<SummaryRow> {
    let mut groups: BTreeMap<Group, Collected<'_>> = BTreeMap::new();
    for row in results {
        let group = Group {
            dataset: row.dataset.clone(),
            trained_on: row.trained_on.clone(),
            shots: row.shots,
            place: variants.iter().position(|variant| *variant == row.variant).unwrap_or(variants.len()),
            variant: row.variant.clone(),
            backend: row.backend.clone(),
            precision: row.precision.clone(),
            allow_overlap: row.allow_overlap,
            selection: row.selection.clone(),
        };
        let collected = groups.entry(group).or_default();
        let member = (row.draw, row.seed, row.cell.as_str());
        collected.devices.extend(Some(row.device.as_str()).filter(|device| !device.is_empty()));
        match row.status {
            Status::Done => {
                if let (Some(metric), Some(value)) = (&row.metric, row.value) {
                    let rank =
                        |names: &[&str], name: &str| names.iter().position(|n| *n == name).unwrap_or(names.len());
                    let score = row.image_score.as_str();
                    let key = (rank(&METRICS, metric), metric.as_str(), rank(&IMAGE_SCORES, score), score);
                    collected.values.entry(key).or_default().insert(member, value);
                }
            }
            Status::Failed => {
                collected.failed.insert(member);
                collected.messages.extend(Some(row.message.as_str()).filter(|message| !message.is_empty()));
            }
            Status::NotRun => {
                collected.not_run.insert(member);
            }
        }
    }
    groups.into_iter().flat_map(|(group, collected)| rows(group, &collected)).collect()
}

fn rows(group: Group, collected: &Collected<'_>) -> Vec<SummaryRow> {
    let row = |metric: &str, image_score: &str, values: &[f64]| {
        let (mean, deviation) = statistics(values);
        SummaryRow {
            variant: group.variant.clone(),
            dataset: group.dataset.clone(),
            trained_on: group.trained_on.clone(),
            shots: group.shots,
            backend: group.backend.clone(),
            device: joined(&collected.devices, " + "),
            precision: group.precision.clone(),
            allow_overlap: group.allow_overlap,
            selection: group.selection.clone(),
            image_score: image_score.to_owned(),
            metric: metric.to_owned(),
            mean,
            deviation,
            count: values.len() as u64,
            failed: collected.failed.len() as u64,
            not_run: collected.not_run.len() as u64,
            message: joined(&collected.messages, "; "),
        }
    };
    if collected.values.is_empty() {
        return vec![row("", "", &[])];
    }
    let of = |((_, metric, _, score), values): (&Metric<'_>, &BTreeMap<Member<'_>, f64>)| {
        row(metric, score, &values.values().copied().collect::<Vec<_>>())
    };
    collected.values.iter().map(of).collect()
}

fn joined(words: &BTreeSet<&str>, by: &str) -> String {
    words.iter().copied().collect::<Vec<_>>().join(by)
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

/// The rows as a table of the same columns.
///
/// # Errors
/// Polars' own.
pub fn summary_frame(rows: &[SummaryRow]) -> Result<Frame, ReportError> {
    let text = |of: fn(&SummaryRow) -> &str| Values::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let number = |of: fn(&SummaryRow) -> Option<f64>| Values::Number(rows.iter().map(of).collect());
    let count = |of: fn(&SummaryRow) -> u64| Values::Count(rows.iter().map(of).collect());
    let columns = vec![
        ("variant", text(|row| &row.variant)),
        ("dataset", text(|row| &row.dataset)),
        ("trained_on", text(|row| &row.trained_on)),
        ("shots", count(|row| u64::from(row.shots))),
        ("backend", text(|row| &row.backend)),
        ("device", text(|row| &row.device)),
        ("precision", text(|row| &row.precision)),
        ("allow_overlap", text(|row| if row.allow_overlap { "true" } else { "false" })),
        ("selection", text(|row| &row.selection)),
        ("image_score", text(|row| &row.image_score)),
        ("metric", text(|row| &row.metric)),
        ("mean", number(|row| row.mean)),
        ("deviation", number(|row| row.deviation)),
        ("count", count(|row| row.count)),
        ("failed", count(|row| row.failed)),
        ("not_run", count(|row| row.not_run)),
        ("message", text(|row| &row.message)),
    ];
    Ok(Frame::new(columns.into_iter().map(|(name, values)| (name.to_owned(), values)).collect())?)
}
