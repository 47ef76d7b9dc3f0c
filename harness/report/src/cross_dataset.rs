//! The cross-dataset matrix: what a model that was trained on one data set gives on each. The figure of it is in `heat_map`.

use std::collections::{BTreeMap, BTreeSet};

use harness_results::ReportDataset;
use harness_tables::{Frame, Values};

use crate::measure::{Measure, cell, paper_score, place, rule};
use crate::sheet::{Sheet, Table};
use crate::{ReportError, SummaryRow};

/// What marks a number by the detection heads where the target's own score would be the map's maximum.
pub(crate) const BY_DETECTION: &str = "‡";

/// What one matrix is of, in the order to print.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Of {
    rule: (usize, String),
    place: (usize, String),
    pub(crate) backend: String,
    pub(crate) precision: String,
    pub(crate) shots: u32,
    pub(crate) measure: Measure,
}

impl Of {
    pub(crate) fn selection(&self) -> &str {
        &self.rule.1
    }

    pub(crate) fn variant(&self) -> &str {
        &self.place.1
    }
}

/// One number of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Number {
    /// As the table prints it.
    pub(crate) words: String,
    pub(crate) mean: Option<f64>,
    pub(crate) deviation: Option<f64>,
    pub(crate) count: u64,
    image_score: &'static str,
}

/// A line a source, a column a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) of: Of,
    pub(crate) sources: Vec<String>,
    pub(crate) targets: Vec<String>,
    /// `[sources][targets]`.
    pub(crate) numbers: Vec<Vec<Number>>,
}

/// The matrices of an experiment; none where every cell was scored on the data set it was trained on.
pub(crate) fn matrices(rows: &[SummaryRow], datasets: &[ReportDataset], variants: &[String]) -> Vec<Matrix> {
    if rows.iter().all(|row| row.dataset == row.trained_on) {
        return Vec::new();
    }
    let named = |of: fn(&SummaryRow) -> &str| -> Vec<&ReportDataset> {
        let names: BTreeSet<&str> = rows.iter().map(of).collect();
        datasets.iter().filter(|dataset| names.contains(dataset.name.as_str())).collect()
    };
    let (sources, targets) = (named(|row| &row.trained_on), named(|row| &row.dataset));
    let mut groups: BTreeMap<Of, BTreeMap<(&str, &str), Vec<&SummaryRow>>> = BTreeMap::new();
    for row in rows {
        for measure in Measure::ALL {
            let (rule, place) = (rule(&row.selection), place(variants, &row.variant));
            let of = Of {
                rule: (rule.0, rule.1.to_owned()),
                place: (place.0, place.1.to_owned()),
                backend: row.backend.clone(),
                precision: row.precision.clone(),
                shots: row.shots,
                measure,
            };
            groups.entry(of).or_default().entry((&row.trained_on, &row.dataset)).or_default().push(row);
        }
    }
    let matrix = |(of, cells): (Of, BTreeMap<(&str, &str), Vec<&SummaryRow>>)| {
        // Segmentation of images without masks can't be measured: such targets are no column.
        let targets: Vec<&&ReportDataset> =
            targets.iter().filter(|target| target.masks || of.measure == Measure::Ac).collect();
        let number = |source: &ReportDataset, target: &ReportDataset| {
            let group = cells.get(&(source.name.as_str(), target.name.as_str())).map_or(&[][..], Vec::as_slice);
            number(group, of.measure, source, target)
        };
        let numbers: Vec<Vec<Number>> =
            sources.iter().map(|source| targets.iter().map(|target| number(source, target)).collect()).collect();
        let names = |datasets: &mut dyn Iterator<Item = &ReportDataset>| datasets.map(|d| d.name.clone()).collect();
        Matrix {
            sources: names(&mut sources.iter().copied()),
            targets: names(&mut targets.iter().map(|target| **target)),
            numbers,
            of,
        }
    };
    let all = groups.into_iter().map(matrix);
    all.filter(|matrix| matrix.numbers.iter().flatten().any(|number| number.mean.is_some())).collect()
}

fn number(group: &[&SummaryRow], measure: Measure, source: &ReportDataset, target: &ReportDataset) -> Number {
    let own = paper_score(target.masks);
    let score = if measure == Measure::Ac && target.masks && !source.masks && measure.find(group, own).is_none() {
        paper_score(false)
    } else {
        own
    };
    let row = measure.find(group, score);
    let untrained =
        measure == Measure::As && !source.masks && group.first().is_some_and(|head| head.failed + head.not_run == 0);
    let words = match row {
        None if untrained => "source has no masks".to_owned(),
        Some(_) if score != own => cell(group, measure, score) + BY_DETECTION,
        _ => cell(group, measure, score),
    };
    Number {
        words,
        mean: row.and_then(|row| row.mean),
        deviation: row.and_then(|row| row.deviation),
        count: row.map_or(0, |row| row.count),
        image_score: score,
    }
}

/// The matrices below one another; `None` where there are none.
pub(crate) fn cross_dataset(matrices: &[Matrix]) -> Result<Option<Table>, ReportError> {
    let Some(widest) = matrices.iter().map(|matrix| &matrix.targets).max_by_key(|targets| targets.len()) else {
        return Ok(None);
    };
    let mut sheet = Sheet::new(&["selection", "variant", "backend", "precision"], &["K"]);
    sheet.words_after(&["measure", "trained on"]);
    sheet.numbers_after(&widest.iter().map(String::as_str).collect::<Vec<_>>());
    for matrix in matrices {
        sheet.block();
        let of = &matrix.of;
        for (source, numbers) in matrix.sources.iter().zip(&matrix.numbers) {
            let mut words = vec![
                of.selection().to_owned(),
                of.variant().to_owned(),
                of.backend.clone(),
                of.precision.clone(),
                of.shots.to_string(),
                of.measure.name().to_owned(),
                source.clone(),
            ];
            words.extend(widest.iter().map(|target| {
                let at = matrix.targets.iter().position(|name| name == target);
                at.and_then(|at| numbers.get(at)).map_or_else(|| "no masks".to_owned(), |number| number.words.clone())
            }));
            sheet.push(words);
        }
    }
    let mut notes = vec![
        "AC: image AUROC, by the map's maximum where the target has masks, else by the detection heads; AS: pixel AUROC. Mean \
         ± sample standard deviation over draws and seeds. On the diagonal, source and target are the same data set."
            .to_owned(),
    ];
    if matrices.iter().flat_map(|matrix| matrix.numbers.iter().flatten()).any(|n| n.words.contains(BY_DETECTION)) {
        notes.push(format!(
            "{BY_DETECTION} by the detection heads: the source has no masks, so its segmentation heads are untrained."
        ));
    }
    let (sheet, everywhere) = sheet.without_constant(&["selection", "variant", "backend", "precision", "K", "measure"]);
    notes.splice(0..0, everywhere);
    Ok(Some(Table {
        name: "cross-dataset",
        heading: "Cross-dataset",
        sentence: "Trained on the data set of the line, scored on the test set of the column.".to_owned(),
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: long(matrices)?,
    }))
}

/// One number a row.
fn long(matrices: &[Matrix]) -> Result<Frame, ReportError> {
    let mut text: [Vec<String>; 9] = Default::default();
    let (mut shots, mut counts, mut means, mut deviations) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for matrix in matrices {
        let of = &matrix.of;
        for (source, numbers) in matrix.sources.iter().zip(&matrix.numbers) {
            for (target, number) in matrix.targets.iter().zip(numbers) {
                let message = if number.mean.is_some() { "" } else { &number.words };
                let words = [
                    of.selection(),
                    of.variant(),
                    &of.backend,
                    &of.precision,
                    of.measure.name(),
                    source,
                    target,
                    number.image_score,
                    message,
                ];
                text.iter_mut().zip(words).for_each(|(column, word)| column.push(word.to_owned()));
                shots.push(u64::from(of.shots));
                counts.push(number.count);
                means.push(number.mean);
                deviations.push(number.deviation);
            }
        }
    }
    let names =
        ["selection", "variant", "backend", "precision", "measure", "trained_on", "dataset", "image_score", "message"];
    let mut columns: Vec<(String, Values)> =
        names.into_iter().zip(text).map(|(name, values)| (name.to_owned(), Values::Text(values))).collect();
    columns.extend([
        ("shots".to_owned(), Values::Count(shots)),
        ("mean".to_owned(), Values::Number(means)),
        ("deviation".to_owned(), Values::Number(deviations)),
        ("count".to_owned(), Values::Count(counts)),
    ]);
    Ok(Frame::new(columns)?)
}
