//! Layout `mvtec`: `train/good`, `test/good`, `test/<defect>`, `ground_truth/<defect>/<stem>_mask.png`. It has no
//! abnormal images outside the test folder, so support lists name some of those, and whatever any list of the dataset
//! names is left out of the test set: one test set for all shots and draws.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness_method::options::Side;

use super::{Listing, folder, masks, near};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::item::{Item, Source};
use crate::layout::Split;
use crate::names::Names;
use crate::support_list;

const GOOD: &str = "good";
const TRAIN_GOOD: &str = "train/good";
const TEST_GOOD: &str = "test/good";

/// The folder of a class's images. Abnormal ones to draw supports from are the test folder's.
pub(super) fn folder(dataset: &Dataset, split: Split, side: Side) -> PathBuf {
    dataset.folder().join(match (split, side) {
        (Split::Valid, Side::Normal) => TRAIN_GOOD,
        (Split::Test, Side::Normal) => TEST_GOOD,
        (_, Side::Abnormal) => "test/<defect>",
    })
}

pub(super) fn list(dataset: &Dataset, split: Split) -> Result<Listing> {
    let mut listing = Listing::default();
    let normal = match split {
        Split::Valid => TRAIN_GOOD,
        Split::Test => TEST_GOOD,
    };
    images(dataset, normal, false, &mut listing)?;
    for defect in folder::subfolders(&dataset.folder().join("test"))? {
        if defect == GOOD {
            continue;
        }
        if defect.eq_ignore_ascii_case(GOOD) {
            // Taken for a defect's, its images would count as abnormal.
            let (path, good) = (dataset.folder().join("test").join(&defect), dataset.folder().join(TEST_GOOD));
            listing.problems.push(DataError::Misnamed { path, expected: good });
            continue;
        }
        images(dataset, &format!("test/{defect}"), true, &mut listing)?;
    }
    if split == Split::Test {
        let held_out = held_out(dataset, &listing.abnormal, &mut listing.problems)?;
        let all = listing.abnormal.len();
        listing.abnormal.retain(|item| !held_out.contains(&item.name));
        listing.held_out = all - listing.abnormal.len();
    }
    Ok(listing)
}

/// The abnormal images that any support list of the dataset names. Normal supports come from train/good, so nothing in
/// test/good can be meant, though its files may have the same names.
fn held_out(dataset: &Dataset, abnormal: &[Item], problems: &mut Vec<DataError>) -> Result<BTreeSet<String>> {
    let mut held_out = BTreeSet::new();
    let names = Names::of(abnormal);
    let mut files = Vec::new();
    for (_, pattern) in dataset.all_lists() {
        files.extend(support_list::existing(dataset.folder(), pattern)?);
    }
    for file in files {
        let list = match support_list::read(&file.path, None, true) {
            Ok(list) => list,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        for listed in list.abnormal {
            match names.find(&listed.image) {
                Ok(Some(item)) => _ = held_out.insert(item.name.clone()),
                // Nothing to leave out; a run with this list is refused.
                Ok(None) => {}
                Err(message) => problems.push(DataError::List { path: file.path.clone(), line: listed.line, message }),
            }
        }
    }
    Ok(held_out)
}

/// Adds the images of one folder below the root.
fn images(dataset: &Dataset, below: &str, abnormal: bool, listing: &mut Listing) -> Result<()> {
    let path = dataset.folder().join(below);
    let images = folder::read(&path)?;
    if images.names.is_empty() {
        listing.problems.push(near::empty(dataset, &path, images.exists, folder::IMAGES));
    }
    listing.problems.extend(images.problems);
    let mask_name = |name: &str| {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        format!("{stem}_mask.png")
    };
    let masks_folder = below.strip_prefix("test/").map(|defect| dataset.folder().join("ground_truth").join(defect));
    let masks = match masks_folder {
        Some(folder) if abnormal && dataset.has_masks() => {
            let with = masks::of_images(dataset, (below, &images.names), &folder, &mask_name, listing)?;
            Some((folder, with))
        }
        _ => None,
    };
    for name in images.names {
        let image = path.join(&name);
        let mask = match &masks {
            None => None,
            Some((_, with)) if !with.contains(&name) => continue,
            Some((folder, _)) => Some(Source::File(folder.join(mask_name(&name)))),
        };
        let patient = dataset.patient_of(&name);
        let item = Item { name: format!("{below}/{name}"), abnormal, image: Source::File(image), mask, patient };
        if abnormal { listing.abnormal.push(item) } else { listing.normal.push(item) }
    }
    Ok(())
}
