//! Layout `mvfa`: `{valid,test}/{good,Ungood}/img` and `{valid,test}/Ungood/anomaly_mask` (docs/method.md section 6). A
//! mask has its image's file name.

use std::path::PathBuf;

use harness_method::options::Side;

use super::{Listing, folder, masks, near};
use crate::dataset::Dataset;
use crate::error::Result;
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
            listing.problems.push(near::empty(dataset, &path, images.exists, folder::IMAGES));
        }
        listing.problems.extend(images.problems);
        let below = format!("{}/img", class_folder(split, side));
        let masks_folder = dataset.folder().join(class_folder(split, side)).join("anomaly_mask");
        let masks = if side == Side::Abnormal && dataset.has_masks() {
            Some(masks::of_images(dataset, (&below, &images.names), &masks_folder, &str::to_owned, &mut listing)?)
        } else {
            None
        };
        for name in images.names {
            let image = path.join(&name);
            let mask = match &masks {
                None => None,
                Some(masks) if !masks.contains(&name) => continue,
                Some(_) => Some(Source::File(masks_folder.join(&name))),
            };
            let item = Item {
                patient: dataset.patient_of(&name),
                name: format!("{below}/{name}"),
                abnormal: side == Side::Abnormal,
                image: Source::File(image),
                mask,
            };
            if item.abnormal { listing.abnormal.push(item) } else { listing.normal.push(item) }
        }
    }
    Ok(listing)
}
