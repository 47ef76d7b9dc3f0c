//! The images of a dataset: its test set, and those that supports are taken from.

use harness_method::options::Side;

use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::item::Item;
use crate::layout::Split;
use crate::layouts::{self, Listing};

impl Dataset {
    /// The test set: normal images, then abnormal ones, each byte-sorted by name. With layout `mvtec`, without the
    /// images that any support list names.
    ///
    /// # Errors
    /// The first problem of the test split: a missing or empty folder, a mask without image, not a single mask, a file
    /// that is no image, [`DataError::OneClass`]. A mask that is not there fails what needs it.
    pub fn test_set(&self) -> Result<Vec<Item>> {
        let Listing { mut normal, abnormal, held_out, .. } = self.listing(Split::Test)?.complete()?;
        for (items, missing) in [(&normal, Side::Normal), (&abnormal, Side::Abnormal)] {
            if items.is_empty() {
                let location = layouts::location(self, Split::Test, missing);
                let dataset = self.name().to_owned();
                let held_out = if missing == Side::Abnormal { held_out } else { 0 };
                return Err(DataError::OneClass { dataset, missing: missing.name(), location, held_out });
            }
        }
        normal.extend(abnormal);
        Ok(normal)
    }

    /// The images supports may be taken from, normal and abnormal, each byte-sorted by name. With layout `mvtec` the
    /// abnormal ones are the test folder's, which only list files may name.
    ///
    /// # Errors
    /// The first problem of the split, as for [`Dataset::test_set`]; a class may be empty.
    pub fn support_pool(&self) -> Result<(Vec<Item>, Vec<Item>)> {
        let listing = self.listing(Split::Valid)?.complete()?;
        Ok((listing.normal, listing.abnormal))
    }

    /// Everything of a split, with what is wrong with it.
    pub(crate) fn listing(&self, split: Split) -> Result<Listing> {
        layouts::list(self, split)
    }
}
