//! The table of what datasets give for nothing, by controls of random directions.

use harness_tables::{ControlRow, Frame};

use crate::ReportError;
use crate::measure::score_name;
use crate::print::Print;
use crate::sheet::{Sheet, Table};

/// The table of controls; `None` where there is none of several directions.
pub(crate) fn controls(rows: &[ControlRow], print: &Print) -> Result<Option<Table>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let mut sheet = Sheet::new(&["variant", "dataset", "backend", "image score"], &["level", "n"]);
    for row in rows {
        sheet.push(vec![
            print.variant(&row.variant).to_owned(),
            row.dataset.clone(),
            row.backend.clone(),
            score_name(row.image_score).to_owned(),
            print.fraction(row.level, None),
            row.directions.to_string(),
        ]);
    }
    let (sheet, everywhere) = sheet.without_constant(&["backend"]);
    let note = "level: the median over directions of |AUROC - 0.5|, plus 0.5, since a random direction's sign is arbitrary. A method is \
                worth something where its image AUROC is above it. n: directions, one a seed. Other tables have the mean of such a \
                variant over its directions, whose signs cancel: it says nothing of the level.";
    Ok(Some(Table {
        name: "controls",
        heading: "What a dataset gives for nothing",
        sentence: "How well random directions in place of texts part the classes of each dataset.".to_owned(),
        brief: vec!["level: the median over directions of |AUROC - 0.5|, plus 0.5; n: directions.".to_owned()],
        notes: everywhere.into_iter().chain([note.to_owned()]).collect(),
        shown: sheet.frame()?,
        whole: None,
        long: Frame::of(rows)?,
    }))
}
