//! Masks of a folder of abnormal images: the one of each, what is missing, what is left over, and what may be meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::{self, Folder};
use super::{Listing, near};
use crate::dataset::Dataset;
use crate::error::DataError;

/// For each of `images`, whether the mask that `expected` names is in `folder`; problems are added to the listing.
pub(super) fn present(
    dataset: &Dataset,
    images: (&Path, &[String]),
    folder: &Path,
    expected: &dyn Fn(&str) -> String,
    listing: &mut Listing,
) -> crate::error::Result<BTreeSet<String>> {
    let (images_folder, images) = images;
    let Folder { exists, names: masks, problems } = folder::read(folder)?;
    listing.problems.extend(problems);
    if images.is_empty() && masks.is_empty() {
        return Ok(BTreeSet::new());
    }
    if masks.is_empty() {
        listing.problems.push(near::empty(dataset, folder, exists, folder::MASKS));
        return Ok(BTreeSet::new());
    }
    let wanted: BTreeMap<String, &String> = images.iter().map(|image| (expected(image), image)).collect();
    let mut left: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for mask in masks.iter().filter(|mask| !wanted.contains_key(*mask)) {
        left.entry(near::key(mask)).or_default().push(mask);
    }
    let mut present = BTreeSet::new();
    let mut keys: BTreeMap<String, &String> = BTreeMap::new();
    for image in images {
        let mask = expected(image);
        if masks.binary_search(&mask).is_ok() {
            keys.insert(near::key(image), image);
            present.insert(image.clone());
            continue;
        }
        let meant = left.remove(&near::key(image)).unwrap_or_default();
        listing.problems.push(DataError::MissingMask {
            image: images_folder.join(image),
            expected: folder.join(mask),
            meant: meant.into_iter().map(|mask| folder.join(mask)).collect(),
        });
    }
    for (key, masks) in left {
        for mask in masks {
            listing.problems.push(DataError::MaskWithoutImage {
                mask: folder.join(mask),
                images: images_folder.to_owned(),
                beside: keys.get(&key).map(|image| folder.join(expected(image))),
            });
        }
    }
    Ok(present)
}
