//! Two tables of tests: what choosing the epoch on the test set adds, and DeLong's test of single trainings. Their numbers come
//! from the caller.

use harness_results::ReportDataset;
use harness_tables::{DeLongRow, DifferenceRow, Frame};

use crate::ReportError;
use crate::measure::{Measure, dagger, fraction, p_value, paper_score, place, place_words, signed};
use crate::sheet::{Sheet, Table};

/// What best-on-test adds over `last`; `None` where both rules were not run.
pub(crate) fn optimism(
    rows: &[DifferenceRow],
    datasets: &[ReportDataset],
    variants: &[String],
) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    // People read the two measures of the other tables; the rest is there for programs.
    let measured = |row: &&DifferenceRow| Measure::ALL.iter().any(|measure| measure.metric() == row.metric);
    let mut ordered: Vec<&DifferenceRow> = rows.iter().filter(measured).collect();
    ordered.sort_by_key(|row| {
        let mean = row.dataset.is_empty();
        (
            mean,
            &row.dataset,
            &row.trained_on,
            row.shots,
            place(variants, &row.variant),
            &row.backend,
            &row.metric,
            &row.image_score,
        )
    });
    let words = ["data set", "trained on", "variant", "backend", "metric", "image score"];
    let mut sheet = Sheet::new(&words, &["K", "added", "interval", "p", "pairs"]);
    let mut last = None;
    for row in ordered {
        let block = (&row.dataset, row.shots);
        if last.is_some_and(|last| last != block) {
            sheet.block();
        }
        last = Some(block);
        // Pixel metrics are of data sets with masks, whatever chose the epoch.
        let score = if row.metric.starts_with("image") { row.image_score.as_str() } else { paper_score(true) };
        sheet.push(vec![
            place_words(datasets, &row.dataset, &row.dataset, score),
            if row.trained_on == row.dataset { "the same".to_owned() } else { row.trained_on.clone() },
            row.variant.clone(),
            row.backend.clone(),
            row.metric.clone(),
            row.image_score.clone(),
            row.shots.to_string(),
            signed(row.difference) + dagger("best-on-test"),
            format!("[{}, {}]", signed(row.low), signed(row.high)),
            p_value(row.p_holm),
            row.count.to_string(),
        ]);
    }
    let level = rows.first().map_or(0.95, |row| row.level) * 100.0;
    let (sheet, everywhere) =
        sheet.without_constant(&["data set", "trained on", "variant", "backend", "image score", "K"]);
    Ok(Some(Table {
        name: "optimism",
        heading: "What choosing on the test set adds",
        sentence:
            "Numbers at the epoch chosen by the test labels (best-on-test) less those at the last epoch of the same \
                   trainings: what such a choice flatters by."
                .to_owned(),
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
pub(crate) fn delong(rows: &[DeLongRow]) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let words = ["variant", "base", "data set", "trained on", "backend", "selection", "image score"];
    let mut sheet = Sheet::new(&words, &["K", "draw", "seed", "AUROC", "base AUROC", "p"]);
    for row in rows {
        sheet.push(vec![
            row.variant.clone(),
            row.base.clone(),
            row.dataset.clone(),
            row.trained_on.clone(),
            row.backend.clone(),
            row.selection.clone(),
            row.image_score.clone(),
            row.shots.to_string(),
            row.draw.to_string(),
            row.seed.to_string(),
            fraction(row.auroc, &row.selection),
            fraction(row.base_auroc, &row.selection),
            row.p.map_or_else(|| "no variance".to_owned(), p_value),
        ]);
    }
    let (sheet, everywhere) = sheet.without_constant(&["base", "data set", "trained on", "backend", "selection", "K"]);
    Ok(Some(Table {
        name: "delong",
        heading: "Single trainings: DeLong's test",
        sentence: "Image AUROC of each training against the base's of the same draw and seed, on the same test images.".to_owned(),
        notes: everywhere.into_iter().chain([
            "p: two-sided, of equal AUROC given these two trainings, without correction for their number. It says nothing about \
             other draws and seeds; the p-values of the ablation table do."
                .to_owned(),
        ]).collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}
