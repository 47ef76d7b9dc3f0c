//! The table of methods: what each sees, gives and takes.

use harness_tables::{Frame, MethodRow};

use crate::ReportError;
use crate::sheet::{Sheet, Table};
use crate::words::k_name;

/// How `sees` says that a method sees no support set.
const NOTHING: &str = "nothing";

/// The table of methods; `None` where all variants have one.
pub(crate) fn methods(rows: &[MethodRow]) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let mut sheet =
        Sheet::new(&["variant", "method", "sees"], &["K", "AC", "AS", "PRO", "datasets", "n", "fit (s)", "images/s"]);
    let mut last = None;
    for row in rows {
        if last.is_some_and(|last| last != &row.variant) {
            sheet.block();
        }
        last = Some(&row.variant);
        let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        sheet.push(vec![
            row.variant.clone(),
            if row.transductive { format!("{} ‡", row.method) } else { row.method.clone() },
            row.sees.clone(),
            k_name(row.shots, row.sees == NOTHING),
            share(row.image_auroc),
            share(row.pixel_auroc),
            share(row.pro),
            row.datasets.to_string(),
            row.trainings.to_string(),
            row.fit_secs.map_or_else(|| "-".to_owned(), seconds),
            row.score_rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
        ]);
    }
    let (sheet, everywhere) = sheet.without_constant(&["sees", "datasets"]);
    let mut notes: Vec<String> = everywhere.into_iter().collect();
    notes.push(
        "AC, AS and PRO: image AUROC, pixel AUROC and PRO up to 0.3, means of the datasets' means, at the last epoch; `-`: the method has \
         none. sees: what of a support set it learns from. n: trainings behind a line, each counted once where seeds decide nothing. fit: \
         median seconds of a training beyond encoding; images/s: scored by one state, beyond encoding."
            .to_owned(),
    );
    if rows.iter().any(|row| row.transductive) {
        notes.push("‡ A score depends on the other images of its test set.".to_owned());
    }
    Ok(Some(Table {
        name: "methods",
        heading: "Methods",
        sentence: "What each method sees of a support set, what it gives and what it takes.".to_owned(),
        notes,
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}

fn seconds(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}
