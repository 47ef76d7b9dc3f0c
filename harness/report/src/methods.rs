//! The table of methods: what each sees, gives and takes, with the best at each K marked.

use std::collections::BTreeSet;

use harness_metrics::Metric;
use harness_results::ReportDataset;
use harness_tables::{DifferenceRow, Frame, MethodRow};

use crate::best::{BRIEF, Mark, NOTE, marks};
use crate::comparisons::{Condition, Differences};
use crate::means::compared_on;
use crate::measure::{Measure, paper_score, score_name};
use crate::print::Print;
use crate::sheet::{Sheet, Table};
use crate::words::{chosen_by, k_name, rule_name};
use crate::{ReportError, SummaryRow};

/// Columns before the first number that is marked.
const FIRST: usize = 7;

/// A number of a row.
type Of = fn(&MethodRow) -> Option<f64>;

/// The numbers that are marked: each with its metric and the measure whose datasets it is a mean over.
const MARKED: [(Metric, Measure, Of); 3] = [
    (Metric::ImageAuroc, Measure::Ac, |row| row.image_auroc),
    (Metric::PixelAuroc, Measure::As, |row| row.pixel_auroc),
    (Metric::Pro03, Measure::As, |row| row.pro),
];

/// How `sees` says that a method sees no support set.
const NOTHING: &str = "nothing";

/// The table of methods; `None` where all variants have one.
pub(crate) fn methods(
    rows: &[MethodRow],
    datasets: &[ReportDataset],
    summary: &[SummaryRow],
    differences: &[DifferenceRow],
    print: &Print,
) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let own: BTreeSet<&str> =
        summary.iter().filter(|row| row.dataset == row.trained_on).map(|row| row.dataset.as_str()).collect();
    let datasets: Vec<&ReportDataset> = datasets.iter().filter(|dataset| own.contains(dataset.name.as_str())).collect();
    let marked = all_marks(rows, &datasets, &Differences::of(differences));
    let mut sheet = Sheet::new(
        &["variant", "method", "sees", "selection", "backend", "image score"],
        &["K", "AC", "AS", "PRO", "datasets", "n", "fit (s)", "images/s"],
    );
    let mut last = None;
    for (row, marks) in rows.iter().zip(&marked) {
        if last.is_some_and(|last| last != &row.variant) {
            sheet.block();
        }
        last = Some(&row.variant);
        let mut words = vec![
            print.variant(&row.variant).to_owned(),
            if row.transductive { format!("{} ‡", row.method) } else { row.method.clone() },
            row.sees.clone(),
            rule_name(row.selection, row.states == 1).to_owned(),
            row.backend.clone(),
            row.image_score.map_or("of each dataset", |score| score_name(Some(score))).to_owned(),
            k_name(row.shots, row.sees == NOTHING),
        ];
        words.extend(MARKED.iter().zip(marks).map(|((_, _, number), mark)| {
            let share = |value| print.fraction(value, chosen_by(row.selection, row.states == 1)) + mark.sign();
            number(row).map_or_else(|| "–".to_owned(), share)
        }));
        words.extend([
            row.datasets.to_string(),
            row.trainings.to_string(),
            row.fit_secs.map_or_else(|| "–".to_owned(), seconds),
            row.score_rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.0}")),
        ]);
        sheet.push(words);
        let best = marks.iter().enumerate().filter(|(_, mark)| **mark == Mark::Best);
        best.for_each(|(at, _)| sheet.embolden(FIRST + at));
    }
    let (sheet, everywhere) = sheet.without_constant(&["sees", "selection", "backend", "image score", "datasets"]);
    let mut notes: Vec<String> = everywhere.into_iter().collect();
    notes.push(
        "AC, AS and PRO: image AUROC, pixel AUROC and PRO up to 0.3, means of the datasets' means, at the epoch that the rule chose \
         for the image score of AC: the map's maximum on a dataset where the method has maps, else its detection score; –: the method has \
         none. sees: what of a support set it learns from. n: trainings behind a line, each counted once where seeds decide \
         nothing. fit: median seconds of a training beyond encoding; images/s: scored by one state, beyond encoding."
            .to_owned(),
    );
    if rows.iter().any(|row| row.transductive) {
        notes.push("‡ A score depends on the other images of its test set.".to_owned());
    }
    if marked.iter().flatten().any(|mark| *mark != Mark::None) {
        notes.push(format!(
            "Marked are AC, AS and PRO of methods at one K. Not compared, and never the best: a mean over fewer datasets than \
             others at that K. AC by another image score than the best's could not be compared. {NOTE}"
        ));
    }
    let words = |mark: &Mark| mark.word().to_owned();
    let long: Vec<MethodRow> = rows
        .iter()
        .zip(&marked)
        .map(|(row, [image, pixel, pro])| MethodRow {
            image_mark: words(image),
            pixel_mark: words(pixel),
            pro_mark: words(pro),
            ..row.clone()
        })
        .collect();
    Ok(Some(Table {
        name: "methods",
        heading: "Methods",
        sentence: "What each method sees of a support set, what it gives and what it takes.".to_owned(),
        brief: vec![
            "AC: image AUROC; AS: pixel AUROC; PRO: up to a false-positive rate of 0.3; means over datasets; fit: median seconds of \
             a training beyond encoding."
                .to_owned(),
            format!("At one K: {}", BRIEF.replacen("Bold", "bold", 1)),
        ],
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(&long)?,
    }))
}

/// The marks of each row, among the rows of its K.
fn all_marks(rows: &[MethodRow], datasets: &[&ReportDataset], differences: &Differences<'_>) -> Vec<[Mark; 3]> {
    let mut found = vec![[Mark::None; 3]; rows.len()];
    let all: BTreeSet<_> = rows.iter().map(|row| row.shots).collect();
    for shots in all {
        let here: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].shots == shots).collect();
        let most = here.iter().map(|at| rows[*at].datasets).max();
        for (column, (metric, measure, number)) in MARKED.iter().enumerate() {
            let numbers: Vec<(&str, Option<f64>)> = here
                .iter()
                .map(|at| &rows[*at])
                .map(|row| (row.variant.as_str(), number(row).filter(|_| Some(row.datasets) == most)))
                .collect();
            if numbers.iter().filter(|(_, number)| number.is_some()).count() < 2 {
                continue;
            }
            let row = |variant: &str| here.iter().map(|at| &rows[*at]).find(|row| row.variant == variant);
            let p = |variant: &str, best: &str| {
                let (row, best) = (row(variant)?, row(best)?);
                // Pixels are compared at the epoch of an image score, which is the maps' wherever there are maps.
                let image_score = match metric.needs_masks() {
                    true => Some(paper_score(true)),
                    false => row.image_score.filter(|_| row.image_score == best.image_score),
                };
                let dataset = compared_on(datasets, *measure);
                let condition = Condition {
                    dataset,
                    trained_on: dataset,
                    shots,
                    backend: &row.backend,
                    selection: row.selection,
                    metric: *metric,
                    image_score: Some(image_score?),
                };
                Some(differences.get(condition, variant, &best.variant)?.p_holm)
            };
            for (at, mark) in here.iter().zip(marks(&numbers, p)) {
                found[*at][column] = mark;
            }
        }
    }
    found
}

fn seconds(value: f64) -> String {
    match value {
        value if value < 0.0095 => "< 0.01".to_owned(),
        value if value < 0.095 => format!("{value:.2}"),
        value if value < 9.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
