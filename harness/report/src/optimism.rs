//! Two tables of tests: what choosing the epoch on the test set adds, and DeLong's test of single trainings.

use std::collections::BTreeSet;

use harness_method::Selection;
use harness_results::ReportDataset;
use harness_tables::{DeLongRow, DifferenceRow, Frame};

use crate::ReportError;
use crate::measure::{Measure, dataset_words, metric_words, paper_score, rank, score_name};
use crate::print::Print;
use crate::sheet::{Sheet, Table};
use crate::words::{NO_CHOICE, chosen_by, dagger, p_value, rule_name};

/// What best-on-test adds over `last`; `None` where both rules were not run.
pub(crate) fn optimism(
    rows: &[DifferenceRow],
    datasets: &[ReportDataset],
    variants: &[String],
    no_choice: &BTreeSet<String>,
    print: &Print,
) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    // People read the two measures of the other tables; the rest is there for programs.
    let mut ordered: Vec<&DifferenceRow> = rows.iter().filter(|row| Measure::of(row.metric).is_some()).collect();
    ordered.sort_by_key(|row| {
        let mean = row.dataset.is_empty();
        (
            mean,
            &row.dataset,
            &row.trained_on,
            row.shots,
            rank(variants, &row.variant),
            &row.backend,
            row.metric.name(),
            score_name(row.image_score),
        )
    });
    let words = ["dataset", "trained on", "variant", "backend", "metric", "image score"];
    let mut sheet = Sheet::new(&words, &["K", "added", "interval", "p", "pairs"]);
    let mut last = None;
    for row in ordered {
        let block = (&row.dataset, row.shots);
        if last.is_some_and(|last| last != block) {
            sheet.block();
        }
        last = Some(block);
        // Pixel metrics are of datasets with masks, whatever chose the epoch.
        let score = if row.metric.needs_masks() { Some(paper_score(true)) } else { row.image_score };
        let [added, interval, p] = if no_choice.contains(&row.variant) {
            ["0", NO_CHOICE, "–"].map(str::to_owned)
        } else {
            let interval = format!("[{},\u{a0}{}]", print.signed(row.low), print.signed(row.high));
            [print.signed(row.difference) + dagger(Selection::BestOnTest), interval, p_value(row.p_holm)]
        };
        sheet.push(vec![
            dataset_words(datasets, &row.dataset, &row.dataset, score),
            if row.trained_on == row.dataset { "the same".to_owned() } else { row.trained_on.clone() },
            print.variant(&row.variant).to_owned(),
            row.backend.clone(),
            metric_words(row.metric).to_owned(),
            score_name(row.image_score).to_owned(),
            row.shots.to_string(),
            added,
            interval,
            p,
            row.count.to_string(),
        ]);
    }
    let level = rows.first().map_or(0.95, |row| row.level) * 100.0;
    let (sheet, everywhere) =
        sheet.without_constant(&["dataset", "trained on", "variant", "backend", "image score", "K"]);
    Ok(Some(Table {
        name: "optimism",
        heading: "What choosing on the test set adds",
        sentence:
            "Numbers at the epoch chosen by the test labels (best-on-test) minus those at the last epoch of the same \
                   trainings: how much such a choice flatters."
                .to_owned(),
        brief: vec![format!("Brackets: {level:.0} % intervals; p adjusted by Holm.")],
        notes: everywhere
            .into_iter()
            .chain([format!(
                "Intervals: {level:.0} %, paired bootstrap; p: two-sided, adjusted by Holm. pairs: trainings behind each line."
            )])
            .collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}

/// DeLong's test of each pair of trainings; `None` where there is no pair.
pub(crate) fn delong(
    rows: &[DeLongRow],
    no_choice: &BTreeSet<String>,
    print: &Print,
) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let words = ["variant", "base", "dataset", "trained on", "backend", "selection", "image score"];
    let mut sheet = Sheet::new(&words, &["K", "draw", "seed", "AUROC", "base AUROC", "p"]);
    let single = |variant: &String| no_choice.contains(variant);
    for row in rows {
        sheet.push(vec![
            print.variant(&row.variant).to_owned(),
            print.variant(&row.base).to_owned(),
            row.dataset.clone(),
            row.trained_on.clone(),
            row.backend.clone(),
            rule_name(row.selection, single(&row.variant) && single(&row.base)).to_owned(),
            score_name(row.image_score).to_owned(),
            row.shots.to_string(),
            row.draw.to_string(),
            row.seed.to_string(),
            print.fraction(row.auroc, chosen_by(row.selection, single(&row.variant))),
            print.fraction(row.base_auroc, chosen_by(row.selection, single(&row.base))),
            row.p.map_or_else(|| "no variance".to_owned(), p_value),
        ]);
    }
    let (sheet, everywhere) = sheet.without_constant(&["base", "dataset", "trained on", "backend", "selection", "K"]);
    Ok(Some(Table {
        name: "delong",
        heading: "Single trainings: DeLong's test",
        sentence: "Image AUROC of each training against the base's of the same draw and seed, on the same test images.".to_owned(),
        brief: vec!["p: two-sided, not corrected for the number of tests.".to_owned()],
        notes: everywhere.into_iter().chain([
            "p: two-sided test that both trainings have the same AUROC, not corrected for several tests. It says nothing about \
             other draws and seeds; the p-values of the ablation table do."
                .to_owned(),
        ]).collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}
