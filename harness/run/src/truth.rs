//! What is true of a test set: labels, lesions, and who belongs together when it is resampled. Read here and nowhere else in a
//! run.

use harness_data::{Dataset, FileHashes, Item, MaskValues, items_hash};
use harness_metrics::{PixelTruth, Resampling};
use harness_records::{RESAMPLING_SEED, TruthId};
use rayon::prelude::*;

use crate::error::Error;

/// What is true of a test set.
#[derive(Debug)]
pub struct Truth {
    /// Hash of labels, images and masks in order, and of the side masks are taken at.
    pub hash: String,
    /// True for an abnormal image, in test order.
    pub labels: Vec<bool>,
    /// The lesions; `None` without masks.
    pub pixels: Option<PixelTruth>,
    /// How it is drawn again, by patient where the dataset's entry says who they are; `None` for a fold, and where a class has fewer
    /// than two images or patients.
    pub resampling: Option<Resampling>,
}

impl Truth {
    /// What metrics made of it say they were made of.
    pub fn id(&self) -> TruthId {
        let pairing = self.resampling.as_ref().map_or(0, Resampling::fingerprint);
        TruthId { hash: self.hash.clone(), pairing }
    }

    /// Reads the labels and, where the dataset has any, the masks of some of its images at S = `size`. `resampled` names the
    /// test set by its images, so that variants draw alike; a fold has no name and is not resampled.
    ///
    /// # Errors
    /// Images or masks that can't be read, a mask of an abnormal image that is empty.
    pub fn read(
        dataset: &Dataset,
        items: &[Item],
        size: usize,
        hashes: &FileHashes,
        resampled: Option<&str>,
    ) -> Result<Self, Error> {
        let values = dataset.mask_values();
        let hash = items_hash(items, values, &|source| hashes.of_source(source))?;
        let pixels = if dataset.has_masks() { Some(pixels(items, size, values)?) } else { None };
        let labels: Vec<bool> = items.iter().map(|item| item.abnormal).collect();
        let patients: Vec<Option<&str>> = items.iter().map(|item| item.patient.as_deref()).collect();
        let resampling = resampled.map(|name| resampling(name, &labels, &patients)).transpose()?.flatten();
        Ok(Self { hash: format!("{hash}-{size}"), labels, pixels, resampling })
    }
}

/// The lesions of images, read on all threads.
fn pixels(items: &[Item], size: usize, values: MaskValues) -> Result<PixelTruth, Error> {
    let masks: Vec<Option<Vec<u8>>> = items
        .par_iter()
        .map(|item| item.abnormal.then(|| item.truth(size, values)).transpose())
        .collect::<Result<_, _>>()?;
    let mut truth = PixelTruth::new(size, size)?;
    for mask in masks {
        match mask {
            Some(mask) => truth.push(&mask)?,
            None => truth.push_normal(),
        }
    }
    Ok(truth)
}

/// `None` where a class has too few to vary.
fn resampling(name: &str, labels: &[bool], patients: &[Option<&str>]) -> Result<Option<Resampling>, Error> {
    match Resampling::of_patients(name, RESAMPLING_SEED, Resampling::RESAMPLES, labels, patients) {
        Ok(resampling) => Ok(Some(resampling)),
        Err(harness_metrics::Error::TooFew { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
