//! A support set as training sees it: loaded, augmented, in the order that the shuffle runs over.

use std::collections::HashSet;

use harness_method::options::Side;
use harness_method::{Shots, Variants};
use rayon::prelude::*;

use crate::augment::{augment_class, jitter_factors};
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::hashes::items_hash;
use crate::item::{Item, Source, load_image};
use crate::support::SupportSet;

/// The augmented images of a support set, 16 of each image: those of abnormal ones, then those of normal ones, each
/// variant by variant (docs/method.md sections 5 and 6). About 11 MB for each image at 240 px.
#[derive(Clone, Debug)]
pub struct SupportImages {
    /// Images, RGB planar `[3, S, S]`, 0 to 1, before `normalize`.
    pub images: Vec<Vec<f32>>,
    /// Masks `[S, S]`, 0 or 1; `None` for datasets without masks.
    pub masks: Option<Vec<Vec<u8>>>,
    /// Labels, 1 is abnormal.
    pub labels: Vec<u8>,
    /// The support image each one is made of: its index in "abnormal items, then normal items".
    pub origins: Vec<usize>,
    /// Images of each class that they are made of.
    pub shots: Shots,
}

impl SupportImages {
    /// Loads a support set of `dataset` at S = `size` and makes variants of its images, with the jitter of a run with
    /// `seed`.
    ///
    /// # Errors
    /// Those of reading images and masks; [`DataError::Changed`] where files are not those the set was hashed from.
    pub fn load(dataset: &Dataset, set: &SupportSet, size: usize, variants: Variants, seed: u64) -> Result<Self> {
        let values = dataset.mask_values();
        let images_of = |items: &[Item]| -> Result<Vec<Vec<f32>>> {
            let unit = |bytes: Vec<u8>| bytes.into_iter().map(|v| f32::from(v) / 255.0).collect();
            items.par_iter().map(|item| load_image(&item.image, size).map(unit)).collect()
        };
        let (abnormal, normal) = (images_of(&set.abnormal)?, images_of(&set.normal)?);
        let masks = if dataset.has_masks() {
            Some(set.abnormal.par_iter().map(|item| item.soft_truth(size, values)).collect::<Result<Vec<_>>>()?)
        } else {
            None
        };
        // After reading, so that a change between the two is seen.
        if items_hash(set.normal.iter().chain(&set.abnormal), values, &Source::content_hash)? != set.hash {
            return Err(DataError::Changed { what: format!("[{}]: a support image or mask", dataset.name()) });
        }
        let (a, n) = (abnormal.len(), normal.len());
        let abnormal = augment_class(&abnormal, masks.as_deref(), size, variants, jitter_factors(Side::Abnormal, seed));
        let normal = augment_class(&normal, None, size, variants, jitter_factors(Side::Normal, seed));
        let mut images = abnormal.images;
        images.extend(normal.images);
        let masks = masks.is_some().then(|| {
            let mut masks = abnormal.masks;
            masks.extend(normal.masks);
            masks
        });
        let each = variants.count();
        let labels = [vec![1; each * a], vec![0; each * n]].concat();
        let origins = (0..each * a).map(|i| i % a).chain((0..each * n).map(|i| a + i % n)).collect();
        let shots = Shots { normal: n as u32, abnormal: a as u32 };
        Ok(Self { images, masks, labels, origins, shots })
    }

    /// The normal images as they are, without their variants.
    pub fn normal_as_they_are(&self) -> Vec<&[f32]> {
        let mut seen = HashSet::new();
        let normal = self.images.iter().zip(&self.origins).zip(&self.labels).filter(|(_, label)| **label == 0);
        normal.filter(|((_, origin), _)| seen.insert(**origin)).map(|((image, _), _)| image.as_slice()).collect()
    }
}
