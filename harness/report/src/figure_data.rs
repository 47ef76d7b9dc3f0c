//! The figures that follow from the material of the tables, with their captions.

use std::collections::{BTreeMap, BTreeSet};

use harness_method::{ImageScore, Selection, Shots};
use harness_metrics::Metric;
use harness_results::ReportDataset;
use harness_tables::{BackendRow, IntervalRow};

use crate::ablation::{Entry, Filled};
use crate::answer::evidence;
use crate::backends::label;
use crate::comparisons::ALPHA;
use crate::cross_dataset::{Entry as MatrixEntry, Matrix, Shared};
use crate::material::Material;
use crate::measure::{Measure, asked_by, dataset_words, paper_score, rank, rule, score_name};
use crate::print::Print;
use crate::words::{NO_CHOICE, range};
use crate::{
    Bar, BarFigure, BarPlot, ForestFigure, ForestPlot, ForestRow, HeatCell, HeatFigure, ShotsFigure, ShotsPlot,
    ShotsPoint,
};

/// What the lines of one figure over K share, in the order to print.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Over<'a> {
    rule: u8,
    selection: Selection,
    backend_rank: usize,
    backend: &'a str,
    is_mean: bool,
    rank: usize,
    dataset: &'a str,
    trained_on: &'a str,
}

/// AUROC over K, a figure for each dataset, rule and backend; none where there is only one K. Support sets of unequal
/// numbers have no place on its axis.
pub(crate) fn over_shots(from: &Material<'_>) -> Vec<ShotsFigure> {
    let mut groups: BTreeMap<Over<'_>, Vec<&IntervalRow>> = BTreeMap::new();
    for row in &from.input.intervals {
        let rank = from.datasets.iter().position(|dataset| dataset.name == row.dataset);
        let over = Over {
            rule: rule(row.selection),
            selection: row.selection,
            backend_rank: from.print.backend(&row.backend).0,
            backend: &row.backend,
            is_mean: row.dataset.is_empty(),
            rank: rank.unwrap_or(from.datasets.len()),
            dataset: &row.dataset,
            trained_on: &row.trained_on,
        };
        groups.entry(over).or_default().push(row);
    }
    let several = groups.keys().map(|key| key.backend).collect::<BTreeSet<_>>().len() > 1;
    groups.into_iter().filter_map(|(key, rows)| over(from, &key, &rows, several)).collect()
}

fn over(from: &Material<'_>, key: &Over<'_>, rows: &[&IntervalRow], several: bool) -> Option<ShotsFigure> {
    let (selection, backend) = (key.selection, key.backend);
    let unequal: BTreeSet<Shots> = rows.iter().map(|row| row.shots).filter(|shots| shots.k().is_none()).collect();
    let rows: Vec<&IntervalRow> = rows.iter().copied().filter(|row| row.shots.k().is_some()).collect();
    let shots: BTreeSet<Shots> = rows.iter().map(|row| row.shots).collect();
    if shots.len() < 2 {
        return None;
    }
    let score = score_of(&from.datasets, key.dataset, &rows);
    let mut names: Vec<&str> = rows.iter().map(|row| row.variant.as_str()).collect();
    names.sort_by_key(|name| rank(&from.input.variants, name));
    names.dedup();
    let mut points: BTreeMap<(&str, Metric), Vec<ShotsPoint>> = BTreeMap::new();
    for row in rows.iter().filter(|row| asked_by(row.metric, row.image_score).contains(&Some(score))) {
        let Some(shots) = row.shots.k() else { continue };
        let point = ShotsPoint { shots, mean: row.mean, interval: (row.low, row.high) };
        points.entry((&row.variant, row.metric)).or_default().push(point);
    }
    points.values_mut().for_each(|points| points.sort_by_key(|point| point.shots));
    let plot = |measure: Measure| {
        let line = |name: &&str| points.get(&(*name, measure.metric())).cloned().unwrap_or_default();
        let lines: Vec<Vec<ShotsPoint>> = names.iter().map(line).collect();
        lines.iter().any(|line| line.len() > 1).then(|| ShotsPlot { measure: measure.words().to_owned(), lines })
    };
    let plots: Vec<ShotsPlot> = Measure::ALL.into_iter().filter_map(plot).collect();
    let head = rows.first().filter(|_| !plots.is_empty())?;
    let title = dataset_words(&from.datasets, key.dataset, key.trained_on, Some(score));
    Some(ShotsFigure {
        name: file(&["shots", &title, if several { backend } else { "" }, selection.name()]),
        caption: format!(
            "AUROC over K: {title}, image score {}, selection {}, {backend}. Points: means over draws and seeds, n = {} trainings \
             each; bars: {:.0} % intervals of the bootstrap.{}{}",
            score.name(),
            selection.name(),
            range(rows.iter().map(|row| row.count)),
            head.level * 100.0,
            left_out(&unequal),
            chosen(from, selection, &names)
        ),
        axis: format!("Support images a class, K{}", in_picture(from, selection, &names)),
        labels: names.iter().map(|name| (*name).to_owned()).collect(),
        plots,
    })
}

/// What of the results has no place on an axis of K.
fn left_out(unequal: &BTreeSet<Shots>) -> String {
    if unequal.is_empty() {
        return String::new();
    }
    let names: Vec<String> = unequal.iter().map(Shots::to_string).collect();
    format!(
        " Support sets of unequal numbers ({}, normal+abnormal) are not on this axis; the tables have them.",
        names.join(", ")
    )
}

/// The paper's image score of a dataset where the rows have it. A mean over datasets has the score that all of them
/// have.
fn score_of(datasets: &[ReportDataset], dataset: &str, rows: &[&IntervalRow]) -> ImageScore {
    let has = |score: ImageScore| rows.iter().any(|row| row.image_score == Some(score));
    let known = datasets.iter().find(|known| known.name == dataset);
    let masks = known.map_or_else(|| has(paper_score(true)), |known| known.masks);
    paper_score(masks && has(paper_score(true)))
}

/// Differences from the base, a figure for each block of the ablation table.
pub(crate) fn forests(from: &Material<'_>, compared: &[Filled<'_>]) -> Vec<ForestFigure> {
    let ablation = from.ablation();
    let several = compared.iter().map(|filled| filled.block.backend).collect::<BTreeSet<_>>().len() > 1;
    let figure = |filled: &Filled<'_>| {
        let block = &filled.block;
        let names: Vec<&str> =
            filled.columns.iter().flat_map(|(_, entries)| entries).map(|entry| entry.variant).collect();
        let (mut counts, mut plots) = (BTreeSet::new(), Vec::new());
        for (measure, entries) in &filled.columns {
            let others = || entries.iter().filter(|entry| entry.variant != ablation.base);
            counts.extend(others().filter_map(|entry| Some(entry.difference?.count)));
            if others().any(|entry| entry.difference.is_some()) {
                plots.push(ForestPlot {
                    name: measure.file_name(),
                    ends: Vec::new(),
                    axis: format!(
                        "Difference in {}{}",
                        measure.words_within(),
                        in_picture(from, block.selection, &names)
                    ),
                    rows: others().map(|entry| forest_row(entry, block.dataset.is_empty(), &from.print)).collect(),
                });
            }
        }
        let title = ablation.words(block);
        let level = ablation.differences.first().map_or(0.95, |row| row.level) * 100.0;
        let (selection, backend) = (block.selection, block.backend);
        (!plots.is_empty()).then(|| ForestFigure {
            name: file(&[
                "ablation",
                &title,
                &format!("k{}", block.shots),
                if several { backend } else { "" },
                selection.name(),
            ]),
            caption: format!(
                "Differences from {}: {title}, K = {}, image score {}, selection {}, {backend}; n = {} pairs of trainings each. \
                 Bars: {level:.0} % intervals of the paired bootstrap; filled: p < {ALPHA} after Holm's correction.{}{}",
                from.print.variant(ablation.base),
                block.shots.explained(),
                match block.score {
                    _ if ablation.of_methods() => "by plot",
                    None => "none",
                    score => score_name(score),
                },
                selection.name(),
                range(counts),
                evidence(from.input, block).limit().map(|limit| format!(" {}", limit.sentence())).unwrap_or_default(),
                chosen(from, selection, &names)
            ),
            plots,
        })
    };
    compared.iter().filter_map(figure).collect()
}

fn forest_row(entry: &Entry<'_>, is_mean: bool, print: &Print) -> ForestRow {
    let reason = match entry.difference {
        Some(_) => "",
        None if is_mean => "a dataset is missing",
        None if entry.number.mean.is_some() => "not compared",
        None => entry.number.why_missing(),
    }
    .to_owned();
    ForestRow {
        label: print.variant(entry.variant).to_owned(),
        difference: entry.difference.map(|row| (row.difference, row.low, row.high)),
        significant: entry.difference.is_some_and(|row| row.p_holm < ALPHA),
        reason,
    }
}

/// The matrices as figures.
pub(crate) fn heat_maps(from: &Material<'_>) -> Vec<HeatFigure> {
    let matrices = &from.matrices;
    let varies = |word: fn(&Shared) -> String| {
        matrices.iter().map(|matrix| word(&matrix.shared)).collect::<BTreeSet<_>>().len() > 1
    };
    let (variants, backends) = (varies(|shared| shared.variant.clone()), varies(|shared| shared.backend.clone()));
    let (shots, precisions) = (varies(|shared| shared.shots.to_string()), varies(|shared| shared.precision.clone()));
    let figure = |matrix: &Matrix| {
        let shared = &matrix.shared;
        let name = [shared.variant.as_str()];
        let only = |varies: bool, word: &str| if varies { word.to_owned() } else { String::new() };
        let given = || matrix.entries.iter().flatten().filter(|entry| entry.mean.is_some());
        let by_detection = given().any(|entry| entry.by_detection);
        let cell = |entry: &MatrixEntry| HeatCell {
            value: entry.mean,
            reason: if entry.mean.is_some() { String::new() } else { entry.why_missing().to_owned() },
        };
        HeatFigure {
            name: file(&[
                "cross-dataset",
                shared.measure.name(),
                &only(variants, &shared.variant),
                &only(shots, &format!("k{}", shared.shots)),
                &only(backends, &shared.backend),
                &only(precisions, &shared.precision),
                shared.selection.name(),
            ]),
            caption: format!(
                "{} across datasets: variant {}, K = {}, selection {}, {}; means over draws and seeds, n = {} trainings each.{}{}",
                shared.measure.words(),
                from.print.variant(&shared.variant),
                shared.shots.explained(),
                shared.selection.name(),
                shared.backend,
                range(given().map(|entry| entry.count)),
                if by_detection { " Sources without masks: by the detection heads." } else { "" },
                chosen(from, shared.selection, &name)
            ),
            lines: "Trained on".to_owned(),
            columns: "Scored on".to_owned(),
            measure: shared.measure.words().to_owned() + in_picture(from, shared.selection, &name),
            sources: matrix.sources.clone(),
            targets: matrix.targets.clone(),
            cells: matrix.entries.iter().map(|line| line.iter().map(cell).collect()).collect(),
        }
    };
    matrices.iter().map(figure).collect()
}

/// Speeds of backends; `None` where none was measured.
pub(crate) fn backend_bars(rows: &[BackendRow]) -> Option<BarFigure> {
    let plot = |title: &str, value: fn(&BackendRow) -> Option<f64>, reach: fn(&BackendRow) -> Option<f64>| {
        let bar =
            |(at, row): (usize, &BackendRow)| Bar { label: label(rows, at), value: value(row), reach: reach(row) };
        let bars: Vec<Bar> = rows.iter().enumerate().map(bar).collect();
        bars.iter().any(|bar| bar.value.is_some()).then(|| BarPlot { title: title.to_owned(), bars })
    };
    let plots: Vec<BarPlot> = [
        plot("Encode (images/s): longer is faster", |row| row.encode_rate, |_| None),
        plot("Step, median to 95th percentile (ms): shorter is faster", |row| row.step_p50_ms, |row| row.step_p95_ms),
        plot("Score (images/s): longer is faster", |row| row.score_rate, |_| None),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!plots.is_empty()).then(|| BarFigure {
        name: "backends".to_owned(),
        caption: format!(
            "Backends on the same cells (n = {}): images encoded a second, median milliseconds of a training step (thin line: to \
             the 95th percentile), images scored a second.",
            range(rows.iter().map(|row| row.cells))
        ),
        plots,
    })
}

/// A file's name: the parts that are not empty.
fn file(parts: &[&str]) -> String {
    let parts: Vec<String> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.replace(", trained on ", "-from-")).collect();
    parts.join("-").replace(' ', "-")
}

/// The warning in the caption of numbers chosen on the test set. Variants with one state have none to choose.
pub(crate) fn chosen(from: &Material<'_>, selection: Selection, variants: &[&str]) -> String {
    let single: BTreeSet<&str> = variants.iter().copied().filter(|name| from.no_choice.contains(*name)).collect();
    if selection != Selection::BestOnTest || variants.iter().all(|name| single.contains(name)) {
        return String::new();
    }
    let but = match single.len() {
        0 => String::new(),
        _ => format!("; not so {}: one state and {NO_CHOICE}", single.into_iter().collect::<Vec<_>>().join(", ")),
    };
    format!(" † The epoch was chosen on the test set itself: optimistic by construction{but}.")
}

/// The same within a picture, which may be shown without its caption.
pub(crate) fn in_picture(from: &Material<'_>, selection: Selection, variants: &[&str]) -> &'static str {
    if chosen(from, selection, variants).is_empty() { "" } else { " (best-on-test)" }
}
