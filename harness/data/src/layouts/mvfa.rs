//! Layout `mvfa`: `{valid,test}/{good,Ungood}/img` and `{valid,test}/Ungood/anomaly_mask` (docs/method.md section 6). A
//! mask has its image's file name.

use std::path::PathBuf;

use harness_method::options::Side;

use super::{Listing, folder};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::item::{Item, Source};
use crate::layout::Split;

/// The folder of a class below the root.
fn class_folder(split: Split, side: Side) -> String {
    let class = match side {
        Side::Normal => "good",
        Side::Abnormal => "Ungood",
    };
    format!("{}/{class}", split.name())
}

/// The folder of a class's images.
pub(super) fn folder(dataset: &Dataset, split: Split, side: Side) -> PathBuf {
    dataset.folder().join(class_folder(split, side)).join("img")
}

pub(super) fn list(dataset: &Dataset, split: Split) -> Result<Listing> {
    let mut listing = Listing::default();
    for side in Side::BOTH {
        let path = folder(dataset, split, side);
        let images = folder::read(&path)?;
        if images.names.is_empty() {
            listing.problems.push(DataError::EmptyFolder {
                dataset: dataset.name().to_owned(),
                folder: path.clone(),
                what: if images.exists { "no image in this folder" } else { "no such folder" },
                layout: "mvfa",
            });
        }
        listing.problems.extend(images.problems);
        let masks_folder = dataset.folder().join(class_folder(split, side)).join("anomaly_mask");
        let masks =
            if side == Side::Abnormal && dataset.has_masks() {
                let found = folder::read(&masks_folder)?;
                listing.problems.extend(found.problems);
                let without_image = found.names.iter().filter(|name| images.names.binary_search(name).is_err());
                listing.problems.extend(without_image.map(|name| DataError::MaskWithoutImage {
                    mask: masks_folder.join(name),
                    expected: path.join(name),
                }));
                Some(found.names)
            } else {
                None
            };
        for name in images.names {
            let image = path.join(&name);
            let mask = match &masks {
                None => None,
                Some(masks) => {
                    let expected = masks_folder.join(&name);
                    if masks.binary_search(&name).is_err() {
                        listing.problems.push(DataError::MissingMask { image, expected });
                        continue;
                    }
                    Some(Source::File(expected))
                }
            };
            let item = Item {
                patient: dataset.patient_of(&name),
                name: format!("{}/img/{name}", class_folder(split, side)),
                abnormal: side == Side::Abnormal,
                image: Source::File(image),
                mask,
            };
            if item.abnormal { listing.abnormal.push(item) } else { listing.normal.push(item) }
        }
    }
    Ok(listing)
}
