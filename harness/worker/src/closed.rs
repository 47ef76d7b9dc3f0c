//! Methods without steps of training: a support set to a state, and what a worker lends them.

use std::path::Path;
use std::time::Instant;

use harness_data::{Dataset, Item, MaskValues, augment_class, augment_masks, jitter_factors, load_image};
use harness_experiment::{EpochRange, Training};
use harness_method::prompts::{self, States};
use harness_method::{Arch, Side, Variants};
use harness_methods::{Closed, Desk, DeskError, Prepared, Projection, SupportSet, class_text};
use harness_records::{Class, Cost, StateTensor, TrainingRecord, state, state_file, state_metadata, write_toml};
use harness_tables::write_curve;
use rayon::prelude::*;

use crate::encoding::{Encoding, finish, writers};
use crate::error::{Error, failed};
use crate::events::Events;
use crate::lab::{Images, Lab};
use crate::protocol::Phase;

/// Makes the one state of a training, and fills `folder` with the record.
pub(crate) fn fit(
    lab: &mut Lab,
    method: &dyn Closed,
    training: &Training,
    keep: EpochRange,
    folder: &Path,
    events: &mut Events,
) -> Result<Cost, Error> {
    let start = Instant::now();
    let (normal, abnormal, masks) = match &training.support {
        Some(support) => seen(lab, training, &support.to_string())?,
        None => Seen::default(),
    };
    let compute = Instant::now();
    let support = SupportSet { normal: &normal, abnormal: &abnormal, masks: masks.as_deref() };
    let mut desk = OfWorker::new(lab, training);
    let values = method.fit(&support, &mut desk).map_err(failed)?;
    let compute_secs = compute.elapsed().as_secs_f64();
    events.progress(Phase::Train, (1, 1), lab.encoded());
    let layout = state::initial(training);
    if layout.len() != values.len() {
        return Err(Error::internal(format!("a state of {} tensors, {} planned", values.len(), layout.len())));
    }
    let fitted: Vec<StateTensor> =
        layout.into_iter().zip(values).map(|(tensor, values)| StateTensor { values, ..tensor }).collect();
    if fitted.iter().any(|tensor| tensor.values.iter().any(|value| !value.is_finite())) {
        return Err(not_finite(training));
    }
    let states = folder.join("states");
    std::fs::create_dir_all(&states).map_err(Error::file("create", &states))?;
    state::write(&fitted, &state_metadata::describe(training, 0)?, &state_file(folder, 0))?;
    write_curve(&[], &folder.join("curve.parquet"))?;
    let cost = lab.cost(compute_secs, start.elapsed().as_secs_f64());
    write_toml(&TrainingRecord::new(training.clone(), keep, cost), &folder.join("training.toml"))?;
    Ok(cost)
}

/// What a method sees of its support set, less what a fold holds out: normal and abnormal images, and masks of these.
type Seen = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

/// Loads what is seen of the support set whose hash is `hash`.
fn seen(lab: &Lab, training: &Training, hash: &str) -> Result<Seen, Error> {
    let dataset = Dataset::open(&lab.registry, &training.dataset)?;
    let set = dataset.support(training.shots, training.draw)?;
    let changed = || Error::Changed { what: format!("[{}]: a support image or mask", training.dataset) };
    if set.hash != hash {
        return Err(changed());
    }
    let held_out = training.fold.as_ref().map_or(&[][..], |fold| &fold.held_out);
    let shots = set.abnormal.len();
    let kept = |items: Vec<Item>, from: usize| -> Vec<Item> {
        let there = |index: usize| !held_out.contains(&((from + index) as u32));
        items.into_iter().enumerate().filter(|(index, _)| there(*index)).map(|(_, item)| item).collect()
    };
    let (abnormal, normal) = (kept(set.abnormal, 0), kept(set.normal, shots));
    let size = training.options.image_size();
    let variants = training.options.variants();
    let masks = if training.has_masks { Some(masks(&abnormal, size, dataset.mask_values(), variants)?) } else { None };
    let (abnormal, normal) = (pixels(&abnormal, size)?, pixels(&normal, size)?);
    // After reading, so that a change between the two is seen.
    if dataset.support(training.shots, training.draw)?.hash != hash {
        return Err(changed());
    }
    Ok((normal, abnormal, masks))
}

/// Makes a state ready to score images of an object.
pub(crate) fn prepare(
    lab: &mut Lab,
    method: &dyn Closed,
    training: &Training,
    object: &str,
    state: &[StateTensor],
) -> Result<Box<dyn Prepared>, Error> {
    let tensors: Vec<&[f32]> = state.iter().map(|tensor| tensor.values.as_slice()).collect();
    method.prepare(&tensors, object, &mut OfWorker::new(lab, training)).map_err(failed)
}

fn pixels(items: &[Item], size: usize) -> Result<Vec<u8>, Error> {
    let images: Vec<Vec<u8>> = items.par_iter().map(|item| load_image(&item.image, size)).collect::<Result<_, _>>()?;
    Ok(images.concat())
}

/// Masks of variants, variant by variant.
fn masks(items: &[Item], size: usize, values: MaskValues, variants: Variants) -> Result<Vec<u8>, Error> {
    // A lesion that is lost in resizing can't be learned from; `soft_truth` refuses it.
    let masks: Vec<Vec<f32>> = items.par_iter().map(|item| item.soft_truth(size, values)).collect::<Result<_, _>>()?;
    Ok(augment_masks(&masks, size, variants).concat())
}

pub(crate) fn not_finite(training: &Training) -> Error {
    let message = format!("the method `{}` came to a number that is not finite", training.method);
    Error::Job { class: Class::Numeric, message }
}

/// What a worker lends.
pub(crate) struct OfWorker<'a> {
    lab: &'a mut Lab,
    training: &'a Training,
}

impl<'a> OfWorker<'a> {
    pub(crate) fn new(lab: &'a mut Lab, training: &'a Training) -> Self {
        Self { lab, training }
    }

    /// Images `[n, 3, S, S]` under some encodings, their tensors one after the other.
    fn encoded(&mut self, images: &[u8], encodings: &[Encoding]) -> Result<Vec<Vec<f32>>, Error> {
        let size = 3 * self.training.options.image_size().pow(2);
        self.stored(&Images::U8(images.chunks_exact(size).map(<[u8]>::to_vec).collect()), encodings)
    }

    /// The same from the store, or to it.
    fn stored(&mut self, images: &Images, encodings: &[Encoding]) -> Result<Vec<Vec<f32>>, Error> {
        let store = std::rc::Rc::clone(&self.lab.store);
        let label = format!("{} support", self.training.dataset);
        let mut writers = writers(&store, encodings, images.len(), &label)?;
        let mut tensors = Vec::new();
        for (number, encoding) in encodings.iter().enumerate() {
            tensors.extend(self.lab.taps(self.training, encoding, images, writers.get_mut(number))?.1);
        }
        finish(writers)?;
        Ok(tensors)
    }

    fn class_text(&mut self, states: States, side: Side, object: &str) -> Result<Vec<f32>, Error> {
        let sentences = prompts::fixed_of(states, side, object, self.training.arch.context)?;
        let features = self.lab.encode_sentences(self.training, &sentences)?;
        Ok(class_text(&features, self.training.arch.embed))
    }
}

impl Desk for OfWorker<'_> {
    fn arch(&self) -> &Arch {
        &self.training.arch
    }

    fn has_masks(&self) -> bool {
        self.training.has_masks
    }

    fn seed(&self) -> u64 {
        self.training.seed
    }

    fn encode(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError> {
        Ok(self.encoded(images, &[Encoding::of(self.training)?])?)
    }

    fn encode_variants(&mut self, images: &[u8], class: Side, variants: Variants) -> Result<Vec<Vec<f32>>, DeskError> {
        if variants == Variants::None {
            return self.encode(images);
        }
        let size = self.training.options.image_size();
        let unit = |image: &[u8]| image.iter().map(|&value| f32::from(value) / 255.0).collect::<Vec<f32>>();
        let images: Vec<Vec<f32>> = images.chunks_exact(3 * size * size).map(unit).collect();
        let jitter = jitter_factors(class, self.training.seed);
        let images = Images::F32(augment_class(&images, None, size, variants, jitter).images);
        Ok(self.stored(&images, &[Encoding::of(self.training)?])?)
    }

    fn windows(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError> {
        Ok(self.encoded(images, &Encoding::of_windows(self.training)?)?)
    }

    fn projection(&mut self) -> Result<Projection, DeskError> {
        Ok(self.lab.projection(self.training)?)
    }

    fn texts(&mut self, states: States, object: &str) -> Result<[Vec<f32>; 2], DeskError> {
        let normal = self.class_text(states, Side::Normal, object)?;
        Ok([normal, self.class_text(states, Side::Abnormal, object)?])
    }
}
