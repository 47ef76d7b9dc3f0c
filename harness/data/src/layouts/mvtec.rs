//! Layout `mvtec`: `train/good`, `test/good`, `test/<defect>`, `ground_truth/<defect>/<stem>_mask.png`. It has no
//! abnormal images outside the test folder, so support lists name some of those, and whatever any list of the dataset
//! names is left out of the test set: one test set for all shots and draws.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness_method::options::Side;

use super::{Listing, folder};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::item::{Item, Source};
use crate::layout::Split;
use crate::support_list;

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
        if defect != "good" {
            images(dataset, &format!("test/{defect}"), true, &mut listing)?;
        }
    }
    if split == Split::Test {
        let held_out = held_out(dataset)?;
        let keep = |item: &Item| {
            let file_name = item.name.rsplit('/').next().unwrap_or_default();
            !held_out.contains(&item.name) && !held_out.contains(file_name)
        };
        listing.normal.retain(keep);
        listing.abnormal.retain(keep);
    }
    Ok(listing)
}

/// Every name in every support list of the dataset.
fn held_out(dataset: &Dataset) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let Some(pattern) = dataset.lists() else { return Ok(names) };
    for file in support_list::existing(dataset.folder(), pattern)? {
        let list = support_list::read(&file.path, None, true)?;
        // Normal supports come from train/good, whose file names the test folder uses again.
        names.extend(list.abnormal.into_iter().map(|listed| listed.image));
    }
    Ok(names)
}

/// Adds the images of one folder below the root.
fn images(dataset: &Dataset, below: &str, abnormal: bool, listing: &mut Listing) -> Result<()> {
    let path = dataset.folder().join(below);
    let images = folder::read(&path)?;
    if images.names.is_empty() {
        listing.problems.push(DataError::EmptyFolder {
            dataset: dataset.name().to_owned(),
            folder: path.clone(),
            what: if images.exists { "no image in this folder" } else { "no such folder" },
            layout: "mvtec",
        });
    }
    listing.problems.extend(images.problems);
    let mask_name = |name: &str| {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        format!("{stem}_mask.png")
    };
    let masks_folder = below.strip_prefix("test/").map(|defect| dataset.folder().join("ground_truth").join(defect));
    let masks = match &masks_folder {
        Some(masks_folder) if abnormal && dataset.has_masks() => {
            let found = folder::read(masks_folder)?;
            listing.problems.extend(found.problems);
            let expected: BTreeSet<String> = images.names.iter().map(|name| mask_name(name)).collect();
            for name in found.names.iter().filter(|name| !expected.contains(*name)) {
                let stem = name.strip_suffix("_mask.png").unwrap_or(name);
                let expected = path.join(format!("{stem}.png"));
                listing.problems.push(DataError::MaskWithoutImage { mask: masks_folder.join(name), expected });
            }
            Some((masks_folder, found.names))
        }
        _ => None,
    };
    for name in images.names {
        let image = path.join(&name);
        let mask = match &masks {
            None => None,
            Some((masks_folder, names)) => {
                let mask = mask_name(&name);
                let expected = masks_folder.join(&mask);
                if names.binary_search(&mask).is_err() {
                    listing.problems.push(DataError::MissingMask { image, expected });
                    continue;
                }
                Some(Source::File(expected))
            }
        };
        let patient = dataset.patient_of(&name);
        let item = Item { name: format!("{below}/{name}"), abnormal, image: Source::File(image), mask, patient };
        if abnormal { listing.abnormal.push(item) } else { listing.normal.push(item) }
    }
    Ok(())
}
