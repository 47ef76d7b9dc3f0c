//! Masks of a folder of abnormal images: the one of each, what is missing, what is left over, and what may be meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::folder::{self, Folder};
use super::{Listing, near};
use crate::alike::key;
use crate::dataset::Dataset;
use crate::error::DataError;

/// Looks whether the mask that `expected` names for each of `images` is in `folder`, and whether it is the mask of that
/// image alone; what is wrong is added to the listing. `below` leads from the dataset's root to the images. Gives the
/// images that are listed: those with a mask of their own, there or missing.
pub(super) fn of_images(
    dataset: &Dataset,
    (below, images): (&str, &[String]),
    folder: &Path,
    expected: &dyn Fn(&str) -> String,
    listing: &mut Listing,
) -> crate::error::Result<BTreeSet<String>> {
    let images_folder = dataset.folder().join(below);
    let Folder { exists, names: masks, problems } = folder::read(folder)?;
    listing.problems.extend(problems);
    if images.is_empty() && masks.is_empty() {
        return Ok(BTreeSet::new());
    }
    if masks.is_empty() {
        listing.problems.push(near::empty(dataset, folder, exists, folder::MASKS));
        return Ok(BTreeSet::new());
    }
    let mut wanted: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for image in images {
        wanted.entry(expected(image)).or_default().push(image);
    }
    let mut left: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for mask in masks.iter().filter(|mask| !wanted.contains_key(*mask)) {
        left.entry(key(mask)).or_default().push(mask);
    }
    let mut with = BTreeSet::new();
    let mut keys: BTreeMap<String, &String> = BTreeMap::new();
    for image in images {
        let mask = expected(image);
        if let Some([first, ..]) = wanted.get(&mask).map(Vec::as_slice).filter(|images| images.len() > 1) {
            if *first != image {
                let [first, image] = [*first, image].map(|name| images_folder.join(name));
                listing.problems.push(DataError::SharedMask { mask: folder.join(mask), first, image });
            }
            continue;
        }
        with.insert(image.clone());
        if masks.binary_search(&mask).is_ok() {
            keys.insert(key(image), image);
            continue;
        }
        let meant = left.remove(&key(image)).unwrap_or_default();
        let missing = DataError::MissingMask {
            image: images_folder.join(image),
            expected: folder.join(mask),
            meant: meant.into_iter().map(|mask| folder.join(mask)).collect(),
        };
        listing.missing.insert(format!("{below}/{image}"), missing);
    }
    for (left, masks) in left {
        for mask in masks {
            listing.problems.push(DataError::MaskWithoutImage {
                mask: folder.join(mask),
                images: images_folder.clone(),
                beside: keys.get(&left).map(|image| folder.join(expected(image))),
            });
        }
    }
    Ok(with)
}
