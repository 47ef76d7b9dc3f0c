//! Images to be scored, in a worker: a dataset's test set or a fold of a support set, and their taps and windows batch
//! by batch.

use std::ops::Range;

use harness_data::{Dataset, Item, Registry, Source, images_hash};
use harness_experiment::{Draw, Evaluation, Fold, Shots, Training};
use harness_features::{EncodingKey, Key, TapSet, TapWriter};

use crate::ahead::Ahead;
use crate::encoding::Encoding;
use crate::error::Error;
use crate::lab::{Images, Lab};

/// Images in the order in which they are scored, under one training's encodings.
pub(crate) struct TestSet {
    which: Which,
    encodings: Vec<EncodingKey>,
    pub(crate) items: Vec<Item>,
    /// By encoding. Known once an image's pixels were seen; its file is not opened again while its taps are stored.
    keys: Vec<Vec<Option<Key>>>,
    ahead: Ahead,
    /// Found to be what the evaluation was planned with.
    checked: bool,
}

/// Which images.
#[derive(Clone, PartialEq)]
enum Which {
    /// A dataset's test set.
    Test(String),
    /// What a fold of a support set holds out: dataset, shots, draw.
    Fold(String, Shots, Draw, Fold),
}

impl Which {
    fn of(evaluation: &Evaluation, training: &Training) -> Self {
        match training.fold.as_ref().filter(|_| evaluation.on_fold) {
            Some(fold) => Self::Fold(training.dataset.clone(), training.shots, training.draw, fold.clone()),
            None => Self::Test(evaluation.dataset.clone()),
        }
    }
}

/// The images that an evaluation scores, in order.
///
/// # Errors
/// A dataset or support set that can't be read; a support set that is not the planned one.
pub fn items(registry: &Registry, evaluation: &Evaluation, training: &Training) -> Result<Vec<Item>, Error> {
    let dataset = Dataset::open(registry, &evaluation.dataset)?;
    let Some(fold) = training.fold.as_ref().filter(|_| evaluation.on_fold) else { return Ok(dataset.test_set()?) };
    let set = dataset.support(training.shots, training.draw)?;
    if set.hash != evaluation.test.to_string() {
        return Err(Error::Changed { what: format!("[{}]: a support image or mask", evaluation.dataset) });
    }
    let all: Vec<Item> = set.abnormal.into_iter().chain(set.normal).collect();
    Ok(fold.held_out.iter().filter_map(|&index| all.get(index as usize).cloned()).collect())
}

impl TestSet {
    /// Lists an evaluation's images. None is opened.
    pub(crate) fn list(
        lab: &Lab,
        evaluation: &Evaluation,
        training: &Training,
        encodings: &[Encoding],
    ) -> Result<Self, Error> {
        let items = items(&lab.registry, evaluation, training)?;
        let which = Which::of(evaluation, training);
        // A support set's hash was compared when it was listed.
        let checked = matches!(which, Which::Fold(..));
        let keys = vec![vec![None; items.len()]; encodings.len()];
        let encodings = encodings.iter().map(|encoding| encoding.key.clone()).collect();
        Ok(Self { which, encodings, keys, ahead: Ahead::default(), items, checked })
    }

    /// Whether it is an evaluation's images under these encodings.
    pub(crate) fn is(&self, evaluation: &Evaluation, training: &Training, encodings: &[Encoding]) -> bool {
        self.encodings.iter().eq(encodings.iter().map(|encoding| &encoding.key))
            && self.which == Which::of(evaluation, training)
    }

    /// A range of images under its encodings, which are these: one tensor `[n, T, W]` a tap, then one
    /// `[n, count, E]` for each side of windows. There is a writer for each encoding, or none. While they are encoded,
    /// as many images behind them are read.
    pub(crate) fn tensors(
        &mut self,
        lab: &mut Lab,
        training: &Training,
        encodings: &[Encoding],
        range: Range<usize>,
        writers: &mut [TapWriter<'_>],
    ) -> Result<Vec<Vec<f32>>, Error> {
        let mut pixels = None;
        let mut tensors = Vec::new();
        for (number, encoding) in encodings.iter().enumerate() {
            if let Some(found) = self.stored(lab, number, encoding, range.clone())? {
                tensors.extend(found);
                continue;
            }
            let size = encoding.tower.image_size;
            let images = match &pixels {
                Some(images) => images,
                None => {
                    let images = self.ahead.take(&self.sources(range.clone()), size)?;
                    let next = range.end..(range.end + range.len()).min(self.items.len());
                    if self.keys.iter().any(|keys| keys[next.clone()].contains(&None)) {
                        self.ahead.begin(self.sources(next), size);
                    }
                    pixels.insert(Images::U8(images))
                }
            };
            let (keys, found) = lab.taps(training, encoding, images, writers.get_mut(number))?;
            for (known, key) in self.keys[number][range.clone()].iter_mut().zip(keys) {
                *known = Some(key);
            }
            tensors.extend(found);
        }
        Ok(tensors)
    }

    fn sources(&self, range: Range<usize>) -> Vec<Source> {
        self.items[range].iter().map(|item| item.image.clone()).collect()
    }

    /// What the store has of a range of images under one of the encodings, where it has all of them.
    fn stored(
        &self,
        lab: &Lab,
        number: usize,
        encoding: &Encoding,
        range: Range<usize>,
    ) -> Result<Option<Vec<Vec<f32>>>, Error> {
        let known: Option<Vec<Key>> = self.keys[number][range].iter().copied().collect();
        let Some(keys) = known else { return Ok(None) };
        let entries: Option<Vec<_>> = lab.store.lookup(&keys, encoding.shape)?.into_iter().collect();
        let Some(entries) = entries else { return Ok(None) };
        let set = TapSet::new(entries)?;
        let images: Vec<usize> = (0..set.len()).collect();
        let gather = |tap| {
            let mut out = vec![0.0; images.len() * encoding.shape.tap_len()];
            set.gather(tap, &images, &mut out)?;
            Ok(out)
        };
        (0..encoding.shape.taps()).map(gather).collect::<Result<_, Error>>().map(Some)
    }

    /// Refuses images that are not those of the plan. After they were read, so that a change between the two is seen.
    pub(crate) fn check(&mut self, evaluation: &Evaluation) -> Result<(), Error> {
        if !self.checked {
            if images_hash(&self.items, &Source::content_hash)? != evaluation.test.to_string() {
                return Err(Error::Changed { what: format!("[{}]: a test image", evaluation.dataset) });
            }
            self.checked = true;
        }
        Ok(())
    }
}
