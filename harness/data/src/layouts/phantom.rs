//! Layout `phantom`: generated images, no files.

use super::Listing;
use crate::dataset::Dataset;
use crate::item::{Item, Source};
use crate::layout::Split;
use crate::phantom::PhantomPlane;

pub(super) fn list(dataset: &Dataset, split: Split) -> Listing {
    let spec = dataset.entry().phantom;
    let count = match split {
        Split::Valid => spec.valid,
        Split::Test => spec.test,
    };
    let class = |abnormal: bool| {
        (0..count)
            .map(|index| {
                let image = PhantomPlane { spec, split, abnormal, index, mask: false };
                let mask = Source::Phantom(PhantomPlane { mask: true, ..image });
                Item {
                    name: image.to_string(),
                    abnormal,
                    image: Source::Phantom(image),
                    mask: (abnormal && dataset.has_masks()).then_some(mask),
                    patient: None,
                }
            })
            .collect()
    };
    Listing { normal: class(false), abnormal: class(true), ..Listing::default() }
}
