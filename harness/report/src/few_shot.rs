//! The few-shot table: a line a variant and K, columns of data sets, a block a selection rule, and what others published below.

use std::collections::{BTreeMap, BTreeSet};

use harness_results::ReportDataset;
use harness_tables::{DifferenceRow, Frame, PublishedRow, Values};

use crate::best::{Mark, NOTE, marks};
use crate::measure::{Measure, cell, fraction, paper_score, place, rule};
use crate::published_lines::{Context, Other, Published};
use crate::sheet::{Sheet, Table};
use crate::{ReportError, SummaryRow};

/// What lines of one variant, rule and K share, in the order to print.
type Key<'a> = ((usize, &'a str), (usize, &'a str), &'a str, &'a str, bool, u32);

/// A line's summary rows by data set.
type Line<'a> = BTreeMap<&'a str, Vec<&'a SummaryRow>>;

/// Columns before the first number.
const FIRST: usize = 7;

/// The few-shot table of cells that were scored on the data set they were trained on; `None` where none is done.
pub(crate) fn few_shot(
    rows: &[SummaryRow],
    datasets: &[ReportDataset],
    variants: &[String],
    published: &[PublishedRow],
    differences: &[DifferenceRow],
) -> Result<Option<Table>, ReportError> {
    let mut lines: BTreeMap<Key<'_>, Line<'_>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.dataset == row.trained_on) {
        let key = (
            rule(&row.selection),
            place(variants, &row.variant),
            row.backend.as_str(),
            row.precision.as_str(),
            row.allow_overlap,
            row.shots,
        );
        lines.entry(key).or_default().entry(&row.dataset).or_default().push(row);
    }
    let datasets: Vec<&ReportDataset> =
        datasets.iter().filter(|dataset| lines.values().any(|line| line.contains_key(dataset.name.as_str()))).collect();
    let measured = |line: &Line<'_>| {
        let of = |dataset: &&ReportDataset| numbers(line, dataset).next().is_some();
        datasets.iter().any(of)
    };
    if !lines.values().any(measured) {
        return Ok(None);
    }
    let columns = columns(&datasets);
    let mut sheet = Sheet::new(&["selection", "method", "backend", "precision", "overlap"], &["K", "n"]);
    for dataset in &datasets {
        let names: Vec<&str> = measures(dataset).map(Measure::name).collect();
        sheet.under(&dataset.name, &names);
    }
    let means: Vec<Measure> = Measure::ALL.into_iter().filter(|measure| averaged(&datasets, *measure)).collect();
    if !means.is_empty() {
        let names: Vec<&str> = means.iter().map(|measure| measure.name()).collect();
        sheet.under("mean", &names);
    }
    let marked = marked(&lines, &datasets, (&columns, &means), differences);
    let mut last = None;
    for (key, line) in &lines {
        let (selection, variant, backend, precision, overlap, shots) = key;
        if last != Some(selection) {
            sheet.block();
            last = Some(selection);
        }
        let mut words = vec![
            selection.1.to_owned(),
            variant.1.to_owned(),
            (*backend).to_owned(),
            (*precision).to_owned(),
            if *overlap { "allowed" } else { "none" }.to_owned(),
            shots.to_string(),
            count(line, &datasets),
        ];
        for (dataset, measure) in &columns {
            let group = line.get(dataset.name.as_str()).map_or(&[][..], Vec::as_slice);
            words.push(cell(group, *measure, paper_score(dataset.masks)));
        }
        words.extend(means.iter().map(|measure| mean(line, &datasets, *measure, selection.1)));
        let marks = marked.get(key).map_or(&[][..], Vec::as_slice);
        words.iter_mut().skip(FIRST).zip(marks).for_each(|(word, mark)| word.push_str(mark.sign()));
        sheet.push(words);
        let best = marks.iter().enumerate().filter(|(_, mark)| **mark == Mark::Best);
        best.for_each(|(at, _)| sheet.embolden(FIRST + at));
    }
    let shots: BTreeSet<u32> = lines.keys().map(|key| key.5).collect();
    let context = Context { rows: published, datasets: &datasets, shots: &shots };
    let others = context.lines();
    if !others.is_empty() {
        sheet.block();
    }
    for (other, values) in &others {
        let blank = || String::new();
        let mut words =
            vec![other.protocol(), other.name(), blank(), blank(), blank(), other.shots.to_string(), blank()];
        words.extend(columns.iter().map(|(dataset, measure)| other.cell(values, dataset, *measure)));
        words.extend(means.iter().map(|measure| other.mean(values, &datasets, *measure)));
        sheet.push(words);
    }
    let mut notes = vec![
        "AC: image AUROC, by the map's maximum where the data set has masks, else by the detection heads. AS: pixel AUROC. \
         Mean ± sample standard deviation over draws and seeds; n counts the trainings behind each number."
            .to_owned(),
    ];
    if !means.is_empty() {
        notes.push(
            "mean: the mean over data sets of their means; seeds and draws are not counted as data sets.".to_owned(),
        );
    }
    if marked.values().flatten().any(|mark| *mark != Mark::None) {
        notes.push(format!("Marked are variants at one K in a block, published lines aside. {NOTE}"));
    }
    if !others.is_empty() {
        notes.push(
            "Lines marked \"not run here\" are published numbers under their own protocols; sources are in the table of \
             published numbers."
                .to_owned(),
        );
    }
    let (sheet, everywhere) = sheet.without_constant(&["selection", "backend", "precision", "overlap"]);
    notes.splice(0..0, everywhere);
    Ok(Some(Table {
        name: "few-shot",
        heading: "Few-shot detection and segmentation",
        sentence: "Each variant at each K, trained and scored on the same data set, a block for each rule that chose the epoch."
            .to_owned(),
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: long(&lines, &columns, &others, &marked)?,
    }))
}

/// The measures a data set has.
fn measures(dataset: &ReportDataset) -> impl Iterator<Item = Measure> {
    let masks = dataset.masks;
    Measure::ALL.into_iter().filter(move |measure| masks || *measure == Measure::Ac)
}

fn columns<'a>(datasets: &[&'a ReportDataset]) -> Vec<(&'a ReportDataset, Measure)> {
    datasets.iter().flat_map(|dataset| measures(dataset).map(|measure| (*dataset, measure))).collect()
}

/// Whether a measure has a mean: more than one data set has it.
fn averaged(datasets: &[&ReportDataset], measure: Measure) -> bool {
    datasets.iter().filter(|dataset| measures(dataset).any(|m| m == measure)).count() > 1
}

/// A line's numbers on a data set.
fn numbers<'a>(line: &'a Line<'a>, dataset: &'a ReportDataset) -> impl Iterator<Item = &'a SummaryRow> {
    let group = line.get(dataset.name.as_str()).map_or(&[][..], Vec::as_slice);
    measures(dataset).filter_map(move |measure| measure.find(group, paper_score(dataset.masks)))
}

fn count(line: &Line<'_>, datasets: &[&ReportDataset]) -> String {
    let counts: BTreeSet<u64> = datasets.iter().flat_map(|d| numbers(line, d).map(|row| row.count)).collect();
    match (counts.first(), counts.last()) {
        (Some(low), Some(high)) if low < high => format!("{low} to {high}"),
        (Some(count), _) => count.to_string(),
        _ => "0".to_owned(),
    }
}

/// A line's number on a data set.
fn number(line: &Line<'_>, dataset: &ReportDataset, measure: Measure) -> Option<f64> {
    let group = line.get(dataset.name.as_str()).map_or(&[][..], Vec::as_slice);
    measure.find(group, paper_score(dataset.masks)).and_then(|row| row.mean)
}

/// The mean over all data sets that have the measure, or which are missing.
fn mean(line: &Line<'_>, datasets: &[&ReportDataset], measure: Measure, selection: &str) -> String {
    let mean = over(datasets, measure, |dataset| number(line, dataset, measure));
    mean.map_or_else(|missing| missing, |mean| fraction(mean, selection))
}

/// The mean of a value over the data sets that have the measure, or which of them are missing.
pub(crate) fn over(
    datasets: &[&ReportDataset],
    measure: Measure,
    value: impl Fn(&ReportDataset) -> Option<f64>,
) -> Result<f64, String> {
    let having: Vec<&&ReportDataset> = datasets.iter().filter(|d| measures(d).any(|m| m == measure)).collect();
    let (mut sum, mut missing) = (0.0, Vec::new());
    for dataset in &having {
        match value(dataset) {
            Some(value) => sum += value,
            None => missing.push(dataset.name.as_str()),
        }
    }
    match missing.as_slice() {
        [] => Ok(sum / having.len() as f64),
        [_] | [_, _] => Err(format!("{} missing", missing.join(", "))),
        _ => Err(format!("{} missing", missing.len())),
    }
}

/// The marks of each line's numbers, of data sets, then of means. Compared are lines that differ in the variant alone.
fn marked<'a>(
    lines: &BTreeMap<Key<'a>, Line<'a>>,
    datasets: &[&ReportDataset],
    (columns, means): (&[(&ReportDataset, Measure)], &[Measure]),
    differences: &[DifferenceRow],
) -> BTreeMap<Key<'a>, Vec<Mark>> {
    let mut blocks: BTreeMap<_, Vec<(Key<'a>, &Line<'a>)>> = BTreeMap::new();
    for (key, line) in lines {
        let (selection, _, backend, precision, overlap, shots) = *key;
        blocks.entry((selection, backend, precision, overlap, shots)).or_default().push((*key, line));
    }
    let mut marked: BTreeMap<Key<'a>, Vec<Mark>> = BTreeMap::new();
    let mut add = |block: &[(Key<'a>, &Line<'a>)], found: Vec<Mark>| {
        block.iter().zip(found).for_each(|((key, _), mark)| marked.entry(*key).or_default().push(mark));
    };
    for block in blocks.values() {
        for (dataset, measure) in columns {
            let place = Some((dataset.name.as_str(), paper_score(dataset.masks)));
            add(block, column(block, differences, (place, *measure), |line| number(line, dataset, *measure)));
        }
        for measure in means {
            let place = mean_score(datasets, *measure).map(|score| ("", score));
            let value = |line: &Line<'_>| over(datasets, *measure, |dataset| number(line, dataset, *measure)).ok();
            add(block, column(block, differences, (place, *measure), value));
        }
    }
    marked
}

/// The marks of a column in a block; `place` is the data set and image score of its differences, where it can have some. A number
/// that stands alone has none.
fn column<'a>(
    block: &[(Key<'a>, &Line<'a>)],
    differences: &[DifferenceRow],
    (place, measure): (Option<(&str, &str)>, Measure),
    value: impl Fn(&Line<'a>) -> Option<f64>,
) -> Vec<Mark> {
    let numbers: Vec<(&str, Option<f64>)> = block.iter().map(|(key, line)| (key.1.1, value(line))).collect();
    let Some(((selection, _, backend, _, _, shots), _)) = block.first() else { return Vec::new() };
    if numbers.iter().filter(|(_, number)| number.is_some()).count() < 2 {
        return vec![Mark::None; numbers.len()];
    }
    marks(&numbers, |variant, best| {
        let (dataset, score) = place?;
        let same = |row: &&DifferenceRow| {
            (row.variant.as_str(), row.base.as_str()) == (variant, best)
                && (row.dataset.as_str(), row.trained_on.as_str()) == (dataset, dataset)
                && (row.shots, row.backend.as_str(), row.selection.as_str()) == (*shots, *backend, selection.1)
                && measure.is(&row.metric, &row.image_score, score)
        };
        Some(differences.iter().find(same)?.p_holm)
    })
}

/// The image score of a mean over data sets; `None` where it is not the same on all that have the measure.
fn mean_score(datasets: &[&ReportDataset], measure: Measure) -> Option<&'static str> {
    let having = datasets.iter().filter(|dataset| measures(dataset).any(|m| m == measure));
    let scores: BTreeSet<&str> = having.map(|dataset| paper_score(dataset.masks)).collect();
    scores.first().copied().filter(|_| scores.len() == 1)
}

/// One number a row.
fn long(
    lines: &BTreeMap<Key<'_>, Line<'_>>,
    columns: &[(&ReportDataset, Measure)],
    others: &BTreeMap<Other<'_>, Published<'_>>,
    marked: &BTreeMap<Key<'_>, Vec<Mark>>,
) -> Result<Frame, ReportError> {
    let mut text: [Vec<String>; 10] = Default::default();
    let (mut shots, mut means, mut deviations) = (Vec::new(), Vec::new(), Vec::new());
    let (mut counts, mut failed, mut not_run) = (Vec::new(), Vec::new(), Vec::new());
    let mut push = |words: [&str; 10], k: u32, mean, deviation, cells: [u64; 3]| {
        text.iter_mut().zip(words).for_each(|(column, word)| column.push(word.to_owned()));
        shots.push(u64::from(k));
        means.push(mean);
        deviations.push(deviation);
        counts.push(cells[0]);
        failed.push(cells[1]);
        not_run.push(cells[2]);
    };
    for (key, line) in lines {
        let (selection, variant, backend, precision, _, k) = key;
        for (at, (dataset, measure)) in columns.iter().enumerate() {
            let group = line.get(dataset.name.as_str()).map_or(&[][..], Vec::as_slice);
            let score = paper_score(dataset.masks);
            let (row, head) = (measure.find(group, score), group.first());
            let message = head.map_or("not planned", |head| head.message.as_str());
            let mark = marked.get(key).and_then(|marks| marks.get(at)).map_or("", |mark| mark.word());
            let (rule, method, name) = (selection.1, variant.1, dataset.name.as_str());
            let words = ["here", rule, method, backend, precision, name, measure.name(), score, mark, message];
            let cells = [row.map_or(0, |row| row.count), head.map_or(0, |h| h.failed), head.map_or(0, |h| h.not_run)];
            push(words, *k, row.and_then(|row| row.mean), row.and_then(|row| row.deviation), cells);
        }
    }
    for (other, values) in others {
        for (dataset, measure) in columns {
            let Some(value) = other.value(values, dataset, *measure) else { continue };
            let name = other.name();
            let words =
                ["published", other.selection, &name, "", "", &dataset.name, measure.name(), "", "", other.protocol];
            push(words, other.shots, Some(value), None, [0; 3]);
        }
    }
    let names =
        ["run", "selection", "method", "backend", "precision", "dataset", "measure", "image_score", "mark", "message"];
    let mut frame: Vec<(String, Values)> =
        names.into_iter().zip(text).map(|(name, values)| (name.to_owned(), Values::Text(values))).collect();
    let message = frame.pop();
    frame.extend([
        ("shots".to_owned(), Values::Count(shots)),
        ("mean".to_owned(), Values::Number(means)),
        ("deviation".to_owned(), Values::Number(deviations)),
        ("count".to_owned(), Values::Count(counts)),
        ("failed".to_owned(), Values::Count(failed)),
        ("not_run".to_owned(), Values::Count(not_run)),
    ]);
    frame.extend(message);
    Ok(Frame::new(frame)?)
}
