//! Labels and scores of images, checked and sorted.

use crate::error::Error;

/// The images of a test set, highest score first.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) images: Vec<RankedImage>,
    pub(crate) normal: u64,
    pub(crate) abnormal: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RankedImage {
    pub(crate) score: f64,
    /// Its index in test order.
    pub(crate) image: u32,
    pub(crate) abnormal: bool,
}

impl Ranked {
    /// # Errors
    /// Lists that are empty or differ in length, a score that is not finite, one class alone.
    pub(crate) fn new<T: Copy + Into<f64>>(labels: &[bool], scores: &[T]) -> Result<Self, Error> {
        if labels.len() != scores.len() {
            let why = "one score for each label";
            return Err(Error::Length { what: "image scores", found: scores.len(), expected: labels.len(), why });
        }
        if labels.is_empty() {
            return Err(Error::Empty { what: "images" });
        }
        let images = scores.iter().map(|&score| score.into()).zip(labels).zip(0..);
        let mut images: Vec<RankedImage> =
            images.map(|((score, &abnormal), image)| RankedImage { score, image, abnormal }).collect();
        if let Some(image) = images.iter().position(|image| !image.score.is_finite()) {
            return Err(Error::Score { image, score: images[image].score });
        }
        let abnormal = labels.iter().filter(|abnormal| **abnormal).count() as u64;
        let normal = labels.len() as u64 - abnormal;
        if normal == 0 || abnormal == 0 {
            return Err(Error::OneClass { what: "images", normal, abnormal });
        }
        images.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        Ok(Self { images, normal, abnormal })
    }

    /// The images of each distinct score, highest first. Comparison by `==` makes 0.0 and -0.0 one score.
    pub(crate) fn ties(&self) -> impl Iterator<Item = &[RankedImage]> {
        self.images.chunk_by(|a, b| a.score == b.score)
    }
}
