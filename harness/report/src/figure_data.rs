//! From the material of tables to the figures of it, with their captions. How a figure is drawn is in the module of its name.

use std::collections::{BTreeMap, BTreeSet};

use harness_tables::{BackendRow, IntervalRow};

use crate::backends::label;
use crate::comparisons::{ALPHA, Block};
use crate::cross_dataset::{BY_DETECTION, Matrix};
use crate::measure::{Measure, cell, paper_score, place, place_words, rule};
use crate::tables::Material;
use crate::{
    Bar, BarFigure, BarPlot, ForestFigure, ForestPlot, ForestRow, HeatCell, HeatFigure, ShotsFigure, ShotsPlot,
    ShotsPoint, SummaryRow,
};

/// What lines of one figure over K share, in the order to print: rule, backend, whether it is the mean, place and names of the
/// data set.
type Over<'a> = ((usize, &'a str), &'a str, bool, usize, &'a str, &'a str);

/// AUROC over K, a figure a data set, rule and backend; none where there is one K alone.
pub(crate) fn over_shots(from: &Material<'_>) -> Vec<ShotsFigure> {
    let mut groups: BTreeMap<Over<'_>, Vec<&IntervalRow>> = BTreeMap::new();
    for row in &from.input.intervals {
        let at = from.datasets.iter().position(|dataset| dataset.name == row.dataset).unwrap_or(from.datasets.len());
        let mean = row.dataset.is_empty();
        let key = (rule(&row.selection), row.backend.as_str(), mean, at, row.dataset.as_str(), row.trained_on.as_str());
        groups.entry(key).or_default().push(row);
    }
    let several = groups.keys().map(|key| key.1).collect::<BTreeSet<_>>().len() > 1;
    groups.into_iter().filter_map(|(key, rows)| over(from, &key, &rows, several)).collect()
}

fn over(from: &Material<'_>, key: &Over<'_>, rows: &[&IntervalRow], several: bool) -> Option<ShotsFigure> {
    let (selection, backend, dataset, source) = (key.0.1, key.1, key.4, key.5);
    let shots: BTreeSet<u32> = rows.iter().map(|row| row.shots).collect();
    if shots.len() < 2 {
        return None;
    }
    // A mean over data sets has the score that all of them have.
    let known = from.datasets.iter().find(|known| known.name == dataset);
    let masks = known.map_or_else(|| rows.iter().any(|row| row.image_score == "map-max"), |known| known.masks);
    let score =
        if rows.iter().any(|row| row.image_score == paper_score(masks)) { paper_score(masks) } else { "detection" };
    let mut names: Vec<&str> = rows.iter().map(|row| row.variant.as_str()).collect();
    names.sort_by_key(|name| place(&from.input.variants, name));
    names.dedup();
    let line = |measure: Measure, name: &str| {
        let mut points: Vec<ShotsPoint> = rows
            .iter()
            .filter(|row| row.variant == name && measure.is(&row.metric, &row.image_score, score))
            .map(|row| ShotsPoint { shots: row.shots, mean: row.mean, interval: (row.low, row.high) })
            .collect();
        points.sort_by_key(|point| point.shots);
        points
    };
    let plot = |measure: Measure| {
        let lines: Vec<Vec<ShotsPoint>> = names.iter().map(|name| line(measure, name)).collect();
        lines.iter().any(|line| line.len() > 1).then(|| ShotsPlot { measure: measure.words().to_owned(), lines })
    };
    let plots: Vec<ShotsPlot> = Measure::ALL.into_iter().filter_map(plot).collect();
    let head = rows.first().filter(|_| !plots.is_empty())?;
    let counts: BTreeSet<u64> = rows.iter().map(|row| row.count).collect();
    let title = place_words(from.datasets, dataset, source, score);
    Some(ShotsFigure {
        name: file(&["shots", &title, if several { backend } else { "" }, selection]),
        caption: format!(
            "AUROC over K: {title}, image score {score}, selection {selection}, {backend}. Points: means over draws and seeds, \
             n = {} trainings each; bars: {:.0} % intervals of the bootstrap.{}",
            range(&counts),
            head.level * 100.0,
            chosen(selection)
        ),
        axis: format!("Support images a class, K{}", in_picture(selection)),
        labels: names.iter().map(|name| (*name).to_owned()).collect(),
        plots,
    })
}

/// Differences from the base, a figure a block of the ablation table.
pub(crate) fn forests(from: &Material<'_>) -> Vec<ForestFigure> {
    let ablation = from.ablation();
    let blocks = ablation.blocks();
    let several = blocks.iter().map(|block| block.backend).collect::<BTreeSet<_>>().len() > 1;
    let figure = |block: &Block<'_>| {
        let mut counts = BTreeSet::new();
        let mut plots = Vec::new();
        for measure in Measure::ALL {
            let variants = ablation.variants(block);
            let row = |variant: &&str| {
                let found = ablation.difference(block, measure, variant, ablation.base);
                counts.extend(found.map(|row| row.count));
                ForestRow {
                    label: (*variant).to_owned(),
                    difference: found.map(|row| (row.difference, row.low, row.high)),
                    significant: found.is_some_and(|row| row.p_holm < ALPHA),
                    reason: if found.is_some() { String::new() } else { reason(from, block, measure, variant) },
                }
            };
            let rows: Vec<ForestRow> = variants.iter().filter(|variant| **variant != ablation.base).map(row).collect();
            if rows.iter().any(|row| row.difference.is_some()) {
                plots.push(ForestPlot {
                    axis: format!("Difference in {}{}", measure.words_within(), in_picture(block.selection())),
                    rows,
                });
            }
        }
        let title = ablation.words(block);
        let level = ablation.differences.first().map_or(0.95, |row| row.level) * 100.0;
        let (selection, backend) = (block.selection(), block.backend);
        (!plots.is_empty()).then(|| ForestFigure {
            name: file(&["ablation", &title, &format!("k{}", block.shots), if several { backend } else { "" }, selection]),
            caption: format!(
                "Differences from {}: {title}, K = {}, image score {}, selection {selection}, {backend}; n = {} pairs of trainings \
                 each. Bars: {level:.0} % intervals of the paired bootstrap; filled: p < {ALPHA} after Holm's correction.{}",
                ablation.base,
                block.shots,
                if block.score.is_empty() { "none" } else { block.score },
                range(&counts),
                chosen(selection)
            ),
            plots,
        })
    };
    blocks.iter().filter_map(figure).collect()
}

fn reason(from: &Material<'_>, block: &Block<'_>, measure: Measure, variant: &str) -> String {
    let of = |row: &&SummaryRow| {
        row.variant == variant && block.has((&row.dataset, &row.trained_on), row.shots, &row.backend, &row.selection)
    };
    let group: Vec<&SummaryRow> = from.rows.iter().filter(of).collect();
    match measure.find(&group, block.score) {
        Some(_) => "not compared".to_owned(),
        None if block.dataset.is_empty() => "a data set is missing".to_owned(),
        None => cell(&group, measure, block.score),
    }
}

/// The matrices as figures.
pub(crate) fn heat_maps(matrices: &[Matrix]) -> Vec<HeatFigure> {
    let varies = |of: &dyn Fn(&Matrix) -> String| matrices.iter().map(of).collect::<BTreeSet<_>>().len() > 1;
    let (variants, backends) = (varies(&|m| m.of.variant().to_owned()), varies(&|m| m.of.backend.clone()));
    let (shots, precisions) = (varies(&|m| m.of.shots.to_string()), varies(&|m| m.of.precision.clone()));
    let figure = |matrix: &Matrix| {
        let of = &matrix.of;
        let only = |varies: bool, word: &str| if varies { word.to_owned() } else { String::new() };
        let counts: BTreeSet<u64> =
            matrix.numbers.iter().flatten().filter(|number| number.mean.is_some()).map(|number| number.count).collect();
        let mut numbers = matrix.numbers.iter().flatten();
        let by_detection = numbers.any(|number| number.mean.is_some() && number.words.contains(BY_DETECTION));
        let cell = |number: &crate::cross_dataset::Number| HeatCell {
            value: number.mean,
            // The table has the whole reason.
            reason: number.words.split(':').next().unwrap_or_default().to_owned(),
        };
        HeatFigure {
            name: file(&[
                "cross-dataset",
                of.measure.name(),
                &only(variants, of.variant()),
                &only(shots, &format!("k{}", of.shots)),
                &only(backends, &of.backend),
                &only(precisions, &of.precision),
                of.selection(),
            ]),
            caption: format!(
                "{} across data sets: variant {}, K = {}, selection {}, {}; means over draws and seeds, n = {} trainings each.{}{}",
                of.measure.words(),
                of.variant(),
                of.shots,
                of.selection(),
                of.backend,
                range(&counts),
                if by_detection { " Sources without masks: by the detection heads." } else { "" },
                chosen(of.selection())
            ),
            lines: "Trained on".to_owned(),
            columns: "Scored on".to_owned(),
            measure: of.measure.words().to_owned() + in_picture(of.selection()),
            sources: matrix.sources.clone(),
            targets: matrix.targets.clone(),
            cells: matrix.numbers.iter().map(|line| line.iter().map(cell).collect()).collect(),
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
    let cells: BTreeSet<u64> = rows.iter().map(|row| row.cells).collect();
    (!plots.is_empty()).then(|| BarFigure {
        name: "backends".to_owned(),
        caption: format!(
            "Backends on the same cells (n = {}): images encoded a second, median milliseconds of a training step (thin line: to \
             the 95th percentile), images scored a second.",
            range(&cells)
        ),
        plots,
    })
}

/// A file's name of the parts that there are.
fn file(parts: &[&str]) -> String {
    let parts: Vec<String> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| part.replace(", trained on ", "-from-")).collect();
    parts.join("-").replace(' ', "-")
}

/// Counts in words.
fn range(counts: &BTreeSet<u64>) -> String {
    match (counts.first(), counts.last()) {
        (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
        (Some(count), _) => count.to_string(),
        _ => "0".to_owned(),
    }
}

/// What a caption says of numbers chosen on the test set.
fn chosen(selection: &str) -> &'static str {
    if selection == "best-on-test" {
        " † The epoch was chosen on the test set itself: optimistic by construction."
    } else {
        ""
    }
}

/// What a picture says of them, where it may stand without its caption.
fn in_picture(selection: &str) -> &'static str {
    if selection == "best-on-test" { " (best-on-test)" } else { "" }
}
