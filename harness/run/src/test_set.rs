//! A test set in a worker: its images, the keys of their taps once they are known, and the taps batch by batch. What they
//! are scored with is in `evaluating`.

use std::ops::Range;

use harness_data::{Dataset, Item, Source, images_hash, load_image};
use harness_experiment::{Evaluation, Training};
use harness_features::{EncodingKey, Key, TapSet, TapWriter};
use rayon::prelude::*;

use crate::encoding::Encoding;
use crate::error::Error;
use crate::lab::{Images, Lab};

/// The images of a dataset's test split under one encoding.
pub(crate) struct TestSet {
    dataset: String,
    encoding: EncodingKey,
    pub(crate) items: Vec<Item>,
    /// Known once an image's pixels were seen; its file is not opened again while its taps are stored.
    keys: Vec<Option<Key>>,
    /// Found to be what the evaluation was planned with.
    checked: bool,
}

impl TestSet {
    /// Lists a dataset's test images. None is opened.
    pub(crate) fn list(lab: &Lab, dataset: &str, encoding: &Encoding) -> Result<Self, Error> {
        let items = Dataset::open(&lab.registry, dataset)?.test_set()?;
        let keys = vec![None; items.len()];
        Ok(Self { dataset: dataset.to_owned(), encoding: encoding.key.clone(), items, keys, checked: false })
    }

    /// Whether it is this dataset's under this encoding.
    pub(crate) fn is(&self, dataset: &str, encoding: &Encoding) -> bool {
        self.dataset == dataset && self.encoding == encoding.key
    }

    /// Taps of a range of images, one `[n, T, W]` a tap.
    pub(crate) fn taps(
        &mut self,
        lab: &mut Lab,
        training: &Training,
        encoding: &Encoding,
        range: Range<usize>,
        writer: Option<&mut TapWriter<'_>>,
    ) -> Result<Vec<Vec<f32>>, Error> {
        let known: Option<Vec<Key>> = self.keys[range.clone()].iter().copied().collect();
        if let Some(keys) = known {
            let entries: Option<Vec<_>> = lab.store.lookup(&keys, encoding.shape)?.into_iter().collect();
            if let Some(entries) = entries {
                let set = TapSet::new(entries)?;
                let images: Vec<usize> = (0..set.len()).collect();
                let gather = |tap| {
                    let mut out = vec![0.0; images.len() * encoding.shape.tap_len()];
                    set.gather(tap, &images, &mut out)?;
                    Ok(out)
                };
                return (0..encoding.shape.taps()).map(gather).collect();
            }
        }
        let size = encoding.tower.image_size;
        let images = self.items[range.clone()].par_iter().map(|item| load_image(&item.image, size));
        let images = Images::U8(images.collect::<Result<_, _>>()?);
        let (keys, taps) = lab.taps(training, encoding, &images, writer)?;
        for (place, key) in self.keys[range].iter_mut().zip(keys) {
            *place = Some(key);
        }
        Ok(taps)
    }

    /// Refuses images that are not those of the plan. After they were read, so that a change between the two is seen.
    pub(crate) fn check(&mut self, evaluation: &Evaluation) -> Result<(), Error> {
        if !self.checked {
            if images_hash(&self.items, &Source::content_hash)? != evaluation.test.to_string() {
                return Err(Error::Changed { what: format!("[{}]: a test image", self.dataset) });
            }
            self.checked = true;
        }
        Ok(())
    }
}
