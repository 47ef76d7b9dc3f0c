//! The images of a split, for each layout in its own file.

mod csv;
pub(crate) mod folder;
mod masks;
mod mvfa;
mod mvtec;
mod near;
mod phantom;

use std::collections::BTreeMap;

use harness_method::options::Side;

use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::foreign;
use crate::item::Item;
use crate::layout::{Layout, Split};

/// The images of a split, each class byte-sorted by name, and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) normal: Vec<Item>,
    pub(crate) abnormal: Vec<Item>,
    /// In the order found; an item with a problem may be missing above.
    pub(crate) problems: Vec<DataError>,
    /// Masks that are not there, by their images' names. The images are listed: such a mask fails what needs it, like
    /// one that can't be read.
    pub(crate) missing: BTreeMap<String, DataError>,
    /// Abnormal images that are left out of a test set because lists name them.
    pub(crate) held_out: usize,
    /// What is worth knowing of it.
    pub(crate) notes: Vec<String>,
}

impl Listing {
    /// The listing, if nothing is wrong with it.
    ///
    /// # Errors
    /// The first problem; of masks that are not there only where not a single one is.
    pub(crate) fn complete(mut self) -> Result<Self> {
        if self.problems.is_empty() {
            let none =
                !self.abnormal.is_empty() && self.abnormal.iter().all(|item| self.missing.contains_key(&item.name));
            return match self.missing.pop_first().filter(|_| none) {
                Some((_, first)) => Err(first),
                None => Ok(self),
            };
        }
        let first = self.problems.remove(0);
        Err(self.other_kinds(&first).unwrap_or(first))
    }

    /// What a folder without an image holds instead, where that is known.
    fn other_kinds(&self, problem: &DataError) -> Option<DataError> {
        let DataError::EmptyFolder { dataset, folder, .. } = problem else { return None };
        let others = self.problems.iter().filter_map(|other| match other {
            DataError::NotAnImage { path, .. } if path.parent() == Some(folder) => Some(path.as_path()),
            _ => None,
        });
        let what = foreign::of_names(others)?;
        Some(DataError::OtherKinds { dataset: dataset.clone(), folder: folder.clone(), what })
    }

    fn sort(&mut self) {
        self.normal.sort_by(|a, b| a.name.cmp(&b.name));
        self.abnormal.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Lists a split.
///
/// # Errors
/// What makes listing impossible; what is wrong with single files is in [`Listing::problems`].
pub(crate) fn list(dataset: &Dataset, split: Split) -> Result<Listing> {
    let mut listing = match dataset.entry().layout {
        Layout::Mvfa => mvfa::list(dataset, split)?,
        Layout::Mvtec => mvtec::list(dataset, split)?,
        Layout::Csv => csv::list(dataset, split)?,
        Layout::Phantom => phantom::list(dataset, split),
    };
    listing.sort();
    Ok(listing)
}

/// Where the images of a class are looked for, for messages.
pub(crate) fn location(dataset: &Dataset, split: Split, side: Side) -> String {
    match dataset.entry().layout {
        Layout::Mvfa => mvfa::folder(dataset, split, side).display().to_string(),
        Layout::Mvtec => mvtec::folder(dataset, split, side).display().to_string(),
        Layout::Csv => format!("split {} of {}", split.name(), dataset.folder().join(&dataset.entry().csv).display()),
        Layout::Phantom => format!("split {} of the phantom", split.name()),
    }
}
