//! Layout `csv`: a table with columns image, label (0 or 1), split (valid or test) and, optional, mask and patient;
//! paths are relative to the table.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use harness_config::read_text;
use harness_config::suggest::nearest;

use super::Listing;
use crate::alike::{Looked, by_form};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::item::{Item, Source};
use crate::layout::Split;
use crate::names::plain;
use crate::table::Table;

pub(super) fn list(dataset: &Dataset, split: Split) -> Result<Listing> {
    let path = dataset.folder().join(&dataset.entry().csv);
    let text = read_text(&path).map_err(DataError::io("read the table", &path))?;
    let table = Table::parse(&path, &text, &["image", "label", "split"], &["mask", "patient"])?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut listing = Listing::default();
    if !table.unread.is_empty() {
        let columns: Vec<String> = table.unread.iter().map(|name| format!("`{name}`")).collect();
        listing.notes.push(format!("{}: columns that are not read: {}", path.display(), columns.join(", ")));
    }
    let mut near = Looked::default();
    let mut seen = BTreeMap::new();
    for row in table.rows {
        let wrong = |message: String| DataError::List { path: path.clone(), line: row.line, message };
        let (name, of) = (&below(folder, &row.required[0]), row.required[2].as_str());
        let mask = row.optional[0].as_ref().map(|mask| below(folder, mask));
        let abnormal = row.label(&path, 1)?;
        if let Some(first) = seen.insert(name.clone(), row.line) {
            return Err(wrong(format!("`{name}` is listed a second time (first in line {first})")));
        }
        if of != split.name() {
            if ![Split::Valid, Split::Test].iter().any(|known| known.name() == of) {
                let near = if ["train", "training", "val", "validation"].contains(&of.to_lowercase().as_str()) {
                    Some("valid")
                } else {
                    nearest(of, ["valid", "test"])
                };
                let near = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
                return Err(wrong(format!("split `{of}`{near}: must be valid or test")));
            }
            continue;
        }
        for file in [Some(name), mask.as_ref()].into_iter().flatten() {
            if !Path::new(file).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(wrong(format!("`{file}`: must be a path below the table's folder, without `.` and `..`")));
            }
        }
        let image = folder.join(name);
        if !image.is_file() {
            let message = match near.file(&image, false) {
                Some(other) => {
                    let form = by_form(other, name.rsplit('/').next().unwrap_or(name));
                    format!("no image {}; `{other}` is there{form}: write that name", image.display())
                }
                None if name.is_empty() => "the row names no image; write one, or remove the row".to_owned(),
                None => format!("no image {}", image.display()),
            };
            listing.problems.push(wrong(message));
            continue;
        }
        let mask = match (mask, abnormal && dataset.has_masks()) {
            (Some(mask), true) => {
                let mask = folder.join(mask);
                if !mask.is_file() {
                    let missing = match near.file(&mask, true) {
                        Some(other) => {
                            wrong(format!("no mask {}; `{other}` is there: write that name", mask.display()))
                        }
                        None => {
                            let (image, expected) = (image.clone(), mask.clone());
                            DataError::MissingMask { image, expected, meant: Vec::new() }
                        }
                    };
                    listing.missing.insert(name.clone(), missing);
                }
                Some(Source::File(mask))
            }
            (None, true) => {
                let message = format!("`{name}` is abnormal and names no mask; name one, or set `masks = false`");
                listing.problems.push(wrong(message));
                continue;
            }
            (Some(mask), false) if !abnormal => {
                let message =
                    format!("`{name}` is normal (label 0) but names the mask `{mask}`; leave the field empty");
                listing.problems.push(wrong(message));
                continue;
            }
            _ => None,
        };
        let file_name = name.rsplit('/').next().unwrap_or(name);
        let patient = row.optional[1].clone().or_else(|| dataset.patient_of(file_name));
        let item = Item { name: name.clone(), abnormal, image: Source::File(image), mask, patient };
        if abnormal { listing.abnormal.push(item) } else { listing.normal.push(item) }
    }
    Ok(listing)
}

/// A path of the table with `/`, where a file is there by it: Windows writes `\`, and elsewhere that may be in a name.
fn below(folder: &Path, text: &str) -> String {
    let plain = plain(text);
    if text != plain && !folder.join(text).is_file() { plain } else { text.trim_start_matches("./").to_owned() }
}
