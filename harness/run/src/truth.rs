//! What is true of a test set: labels, lesions, and who belongs together when it is resampled. Read here and nowhere
//! else in a run.

use harness_data::{DataError, Dataset, FileHashes, Item, MaskValues, items_hash};
use harness_metrics::{PixelTruth, Resampling};
use harness_records::{RESAMPLING_SEED, TruthId};
use harness_text::{count, group};
use rayon::prelude::*;

use crate::error::Error;

/// What is true of a test set.
#[derive(Debug)]
pub struct Truth {
    /// Hash of labels, images and masks in order, and of the side masks are taken at.
    pub hash: String,
    /// Names of the images, in the order in which they are scored.
    pub images: Vec<String>,
    /// True for an abnormal image, in the same order.
    pub labels: Vec<bool>,
    /// The lesions; `None` without masks.
    pub pixels: Option<PixelTruth>,
    /// Abnormal images whose lesions leave no pixel at this size: they count as abnormal images without lesion pixels.
    pub lost: usize,
    /// How it is drawn again, by patient where the dataset's entry says who they are; `None` for a fold, and where a
    /// class has fewer than two images or patients.
    pub resampling: Option<Resampling>,
    /// Whether every resample has a lesion pixel, so that pixel metrics can be resampled too.
    pub pixels_resampled: bool,
}

impl Truth {
    /// What metrics made of it say they were made of.
    pub fn id(&self) -> TruthId {
        let pairing = self.resampling.as_ref().map_or(0, Resampling::fingerprint);
        TruthId { hash: self.hash.clone(), pairing }
    }

    /// What to say of lesions that leave no pixel.
    pub(crate) fn lost_lesions(&self, dataset: &str, size: usize) -> Option<String> {
        let abnormal = self.labels.iter().filter(|label| **label).count();
        let images = count(abnormal as u64, "abnormal test image");
        let told = match self.lost {
            0 => return None,
            1 => format!(
                "[{dataset}]: the lesion of 1 of {images} vanishes at {size} x {size} pixels; it counts as an abnormal image \
                 without lesion pixels"
            ),
            lost => format!(
                "[{dataset}]: the lesions of {} of {images} vanish at {size} x {size} pixels; they count as abnormal images \
                 without lesion pixels",
                group(lost as u64)
            ),
        };
        let without = "; pixel metrics have no intervals, as some resamples would hold no lesion pixel";
        Some(told + if self.pixels_resampled { "" } else { without })
    }

    /// Reads the labels and, where the dataset has any, the masks of some of its images at S = `size`. `resampled`
    /// names the test set by its images, so that variants draw alike; a fold has no name and is not resampled.
    ///
    /// # Errors
    /// [`Error::TestSet`]: images or masks that can't be read, an empty mask of an abnormal image, lesions of which
    /// none is left at this size, or of a fold one.
    pub fn read(
        dataset: &Dataset,
        items: &[Item],
        size: usize,
        hashes: &FileHashes,
        resampled: Option<&str>,
    ) -> Result<Self, Error> {
        let values = dataset.mask_values();
        let name = dataset.name();
        let hash = items_hash(items, values, &|source| hashes.of_source(source));
        let hash = hash.map_err(|error| Error::test_set(name, error))?;
        let labels: Vec<bool> = items.iter().map(|item| item.abnormal).collect();
        let lesions = if dataset.has_masks() { Some(lesions(name, items, size, values)?) } else { None };
        let lost = lesions.as_ref().map_or(0, |lesions| lesions.lost());
        let abnormal = labels.iter().filter(|label| **label).count();
        if lost > 0 && (lost == abnormal || resampled.is_none()) {
            let what = format!(
                "the lesions of {lost} of {abnormal} abnormal images are too small to leave a pixel at {size} x {size} pixels; \
                 use a larger `image_size`, or `masks = false` for image metrics alone"
            );
            return Err(Error::test_set(name, what));
        }
        let patients: Vec<Option<&str>> = items.iter().map(|item| item.patient.as_deref()).collect();
        let resampling = resampled.map(|name| resampling(name, &labels, &patients)).transpose()?.flatten();
        let pixels_resampled = match (&lesions, &resampling) {
            (Some(lesions), Some(resampling)) if lost > 0 => lesions.are_in_every_resample(resampling),
            _ => true,
        };
        let images = items.iter().map(|item| item.name.clone()).collect();
        let (hash, pixels) = (format!("{hash}-{size}"), lesions.map(|lesions| lesions.pixels));
        Ok(Self { hash, images, labels, pixels, lost, resampling, pixels_resampled })
    }
}

/// The lesions of images.
struct Lesions {
    pixels: PixelTruth,
    /// Whether each image has any pixel of one; `None` for a normal image.
    left: Vec<Option<bool>>,
}

impl Lesions {
    /// Abnormal images without a lesion pixel.
    fn lost(&self) -> usize {
        self.left.iter().filter(|left| **left == Some(false)).count()
    }

    fn are_in_every_resample(&self, resampling: &Resampling) -> bool {
        (0..resampling.resamples()).into_par_iter().all(|resample| {
            let weights = resampling.weights(resample);
            self.left.iter().zip(weights).any(|(left, weight)| *left == Some(true) && weight > 0)
        })
    }
}

/// The lesions of images, read on all threads.
fn lesions(name: &str, items: &[Item], size: usize, values: MaskValues) -> Result<Lesions, Error> {
    let read = |item: &Item| item.abnormal.then(|| item.truth(size, values)).transpose();
    let masks: Vec<Result<Option<Vec<u8>>, DataError>> = items.par_iter().map(read).collect();
    // The first in order, whichever thread met one first.
    let unusable = masks.iter().filter(|mask| mask.is_err()).count();
    let (mut pixels, mut left) = (PixelTruth::new(size, size)?, Vec::with_capacity(items.len()));
    for mask in masks {
        match mask {
            Ok(Some(mask)) => {
                left.push(Some(mask.iter().any(|value| *value > 0)));
                pixels.push(&mask)?;
            }
            Ok(None) => {
                left.push(None);
                pixels.push_normal();
            }
            Err(error) => return Err(Error::test_set(name, and_more(error, unusable, "masks"))),
        }
    }
    Ok(Lesions { pixels, left })
}

/// The first of `count` reasons.
pub(crate) fn and_more(first: impl std::fmt::Display, count: usize, what: &str) -> String {
    match count {
        0 | 1 => first.to_string(),
        many => format!("{first}; and {} more of the {what} can't be used", many - 1),
    }
}

/// `None` where a class has too few to vary.
fn resampling(name: &str, labels: &[bool], patients: &[Option<&str>]) -> Result<Option<Resampling>, Error> {
    match Resampling::of_patients(name, RESAMPLING_SEED, Resampling::RESAMPLES, labels, patients) {
        Ok(resampling) => Ok(Some(resampling)),
        Err(harness_metrics::Error::TooFew { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
