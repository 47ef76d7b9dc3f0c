//! The trained part of the model: parameters, a training step, and scores (docs/method.md sections 7 and 8).

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, backend::Backend};
use harness_method::parameters::{Parameter, parameters};
use harness_method::{Arch, Options, losses};

use crate::adapters::drops_class_token;
use crate::kernels::Kernels;
use crate::optimiser::Optimiser;
use crate::parameters::{Gradients, Parameters};
use crate::prompts::{Sentences, Text};
use crate::segmentation::Term;
use crate::similarity::Similarity;
use crate::support::Support;
use crate::tensors::{self, HostTensor, Tensors, all_to_host, to_host};
use crate::{HeldTaps, ModelError, Recorded, TextTower, detection, segmentation, similarity};

/// Scores of a batch of test images.
#[derive(Clone, Debug)]
pub struct Scores {
    /// d = s_ab - s_n of the segmentation heads, `[B, taps, G, G]`.
    pub grids: Vec<f32>,
    /// Sum over taps of the aggregated abnormal probability of the detection heads, `[B]`.
    pub detection: Vec<f32>,
    /// Anomaly maps `[B, S, S]`, where they were asked for.
    pub maps: Option<Vec<f32>>,
}

/// What a trainer is made for.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The model.
    pub options: &'a Options,
    /// Sizes of the CLIP.
    pub arch: &'a Arch,
    /// Whether support images come with masks; without them the loss is detection alone.
    pub has_masks: bool,
    /// Adam's rate.
    pub learning_rate: f64,
}

/// A model being trained on one support set, or scoring from a trained state.
pub struct Trainer<B: Backend, K: Kernels<B>> {
    options: Options,
    arch: Arch,
    has_masks: bool,
    /// Names of the losses: detection, then those of the terms.
    losses: &'static [&'static str],
    terms: Vec<Term>,
    text: Text<Autodiff<B>, Recorded<K>>,
    /// The text vectors under the present parameters, once somebody asked: a state scores many batches with them.
    vectors: OnceLock<[Tensor<B, 1>; 2]>,
    parameters: Parameters<B>,
    optimiser: Optimiser<B>,
    upsampling: Tensor<B, 2>,
    support: Support<B>,
    device: B::Device,
    kernels: PhantomData<fn() -> K>,
}

impl<B: Backend, K: Kernels<B>> Trainer<B, K> {
    /// A trainer that starts from `state`: initial values, or those of a trained epoch. Prompts other than `free` need
    /// a text tower and the `sentences` of both classes.
    ///
    /// # Errors
    /// A tensor of the state is missing or misshapen, sentences do not fit the text tower, or options do not fit the
    /// architecture.
    pub fn new(
        settings: &Settings<'_>,
        tower: Option<TextTower<Autodiff<B>, Recorded<K>>>,
        sentences: &[Sentences; 2],
        state: &dyn Tensors,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let &Settings { options, arch, has_masks, learning_rate } = settings;
        if options.taps.is_empty() || arch.grid(options.image_size) == 0 {
            return Err(ModelError::Invalid("no taps, or an image smaller than a patch".into()));
        }
        let losses = losses::names(options, has_masks);
        let mut trainer = Self {
            terms: segmentation_terms(losses)?,
            losses,
            text: Text::new(options, tower, sentences, device)?,
            vectors: OnceLock::new(),
            parameters: Parameters::empty(),
            optimiser: Optimiser::new(learning_rate),
            upsampling: segmentation::upsampling(arch.grid(options.image_size), options.image_size, device),
            support: Support::new(options.taps.len(), options.image_size),
            options: options.clone(),
            arch: arch.clone(),
            has_masks,
            device: device.clone(),
            kernels: PhantomData,
        };
        trainer.write_state(state)?;
        Ok(trainer)
    }

    /// The model.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sizes of the CLIP.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// Names and shapes of the trainable tensors.
    pub fn parameters(&self) -> Vec<Parameter> {
        parameters(&self.options, &self.arch)
    }

    /// Names of the losses of a step, in order.
    pub fn losses(&self) -> &'static [&'static str] {
        self.losses
    }

    /// Replaces every trainable tensor and forgets Adam's moments.
    ///
    /// # Errors
    /// A tensor is missing or misshapen; nothing has changed then.
    pub fn write_state(&mut self, state: &dyn Tensors) -> Result<(), ModelError> {
        self.parameters = Parameters::read(&self.parameters(), state, &self.device)?;
        self.optimiser.forget();
        self.vectors = OnceLock::new();
        Ok(())
    }

    /// The trainable tensors as they are now.
    pub fn read_state(&self) -> BTreeMap<String, HostTensor<'static>> {
        self.parameters.to_host()
    }

    /// Adam's moments of every trainable tensor, `first.<name>` and `second.<name>`, and the steps they come from.
    pub fn read_moments(&self) -> (BTreeMap<String, HostTensor<'static>>, u32) {
        self.optimiser.to_host(&self.parameters)
    }

    /// Replaces Adam's moments by those that come from so many steps: after the trainable tensors were written that go
    /// with them, the next steps are those that would have followed.
    ///
    /// # Errors
    /// A moment is missing or misshapen; nothing has changed then.
    pub fn write_moments(&mut self, moments: &dyn Tensors, steps: u32) -> Result<(), ModelError> {
        self.optimiser.read(&self.parameters, moments, steps)
    }

    /// Adds `labels.len()` support images: their taps `[n, T, W]` each, class token first, labels (1 = abnormal) and
    /// masks `[n, S, S]` of 0 and 1.
    ///
    /// # Errors
    /// A length does not fit.
    pub fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), ModelError> {
        let taps = self.taps_to_device(taps, labels.len())?;
        self.support.append(taps, labels, masks, self.has_masks)
    }

    /// One step of Adam on the support images of these indices. The losses, in the order of [`Trainer::losses`] and
    /// each summed over taps, are those before the step.
    ///
    /// # Errors
    /// An index is out of range, or a loss is not finite: no tensor has changed then.
    pub fn step(&mut self, indices: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (losses, gradients) = self.gradients(indices)?;
        self.vectors = OnceLock::new();
        self.optimiser.step::<K>(&mut self.parameters, gradients);
        Ok(losses)
    }

    /// Losses and gradients of a batch, without an update; a tensor no loss depends on has zeros.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn read_gradients(
        &mut self,
        indices: &[usize],
    ) -> Result<(Vec<f32>, BTreeMap<String, HostTensor<'static>>), ModelError> {
        let (losses, gradients) = self.gradients(indices)?;
        Ok((losses, self.parameters.gradients_to_host(&gradients)))
    }

    /// The two text vectors `[2, E]` under the present parameters.
    pub fn text(&self) -> Vec<f32> {
        self.text_pair().into_iter().flat_map(to_host).collect()
    }

    /// Scores of a batch of images from their taps, `[n, T, W]` each, class token first.
    ///
    /// # Errors
    /// A length does not fit.
    pub fn score(&self, taps: &[&[f32]], n: usize, with_maps: bool) -> Result<Scores, ModelError> {
        Ok(self.score_taps(self.taps_to_device(taps, n)?, n, with_maps))
    }

    /// Holds the taps of a batch of images on the device, `[n, T, W]` each, class token first.
    ///
    /// # Errors
    /// A length does not fit.
    pub fn hold(&self, taps: &[&[f32]], n: usize) -> Result<HeldTaps<B>, ModelError> {
        Ok(HeldTaps::new(self.taps_to_device(taps, n)?, n))
    }

    /// Scores of some of the images whose taps this trainer made and somebody holds.
    ///
    /// # Errors
    /// No image, or one that is not held.
    pub fn score_held(&self, held: &HeldTaps<B>, images: &[usize], with_maps: bool) -> Result<Scores, ModelError> {
        Ok(self.score_taps(held.some::<K>(images)?, images.len(), with_maps))
    }

    /// Scores of `n` images.
    fn score_taps(&self, taps: Vec<Tensor<B, 3>>, n: usize, with_maps: bool) -> Scores {
        let grid = self.arch.grid(self.options.image_size);
        let text = self.text_pair();
        let size = self.options.image_size;
        let mut detection = Tensor::zeros([n], &self.device);
        let mut maps = with_maps.then(|| Tensor::zeros([n, size, size], &self.device));
        let mut grids = Vec::with_capacity(self.options.taps.len());
        for (number, tap) in self.options.taps.iter().zip(taps) {
            let [image, pixels] = similarity::of_tap::<B, K, 2>(&self.options, &self.parameters, *number, tap, &text);
            detection = detection + detection::score(&self.options, &image);
            let logits = pixels.logit().reshape([n, grid, grid]);
            maps = maps.map(|sum| sum + segmentation::probability(&self.upsampling, logits.clone()));
            grids.push(logits.unsqueeze_dim::<4>(1));
        }
        let points = n * grids.len() * grid * grid;
        let mut values = all_to_host(vec![Tensor::cat(grids, 1).reshape([points]), detection]);
        let detection = values.split_off(points);
        Scores { grids: values, detection, maps: maps.map(to_host) }
    }

    fn text_pair(&self) -> [Tensor<B, 1>; 2] {
        self.vectors.get_or_init(|| self.text.pair(&self.leaves(false)).map(Tensor::inner)).clone()
    }

    /// Parameters as leaves of a new graph.
    fn leaves(&self, tracked: bool) -> Parameters<Autodiff<B>> {
        self.parameters.leaves(|_| tracked)
    }

    fn gradients(&mut self, indices: &[usize]) -> Result<(Vec<f32>, Gradients<B>), ModelError> {
        self.support.join();
        let labels = Tensor::from_inner(self.support.labels(indices, &self.device)?);
        let leaves = self.leaves(true);
        let text = self.text.pair(&leaves);
        let zero = || Tensor::<Autodiff<B>, 1>::zeros([1], &self.device);
        let (mut detection, mut surrogate, mut parts) = (zero(), zero(), Vec::new());
        if self.has_masks {
            let masks = self.support.masks(indices, &self.device);
            let grid = self.arch.grid(self.options.image_size);
            for (number, tap) in self.batch(indices) {
                let [image, pixels] = self.similarities::<2>(&leaves, number, tap, &text);
                detection = detection + detection::loss(&self.options, &leaves, &image, labels.clone());
                let logits = pixels.logit().reshape([indices.len(), grid, grid]);
                let part = K::segmentation(&self.terms, &self.upsampling, logits.clone().inner(), masks.clone());
                parts.extend(part.values);
                // The gradient is known: a product with it as a constant hands it on to the graph.
                surrogate = surrogate + (logits * Tensor::from_inner(part.gradient)).sum();
            }
        } else {
            for (number, tap) in self.batch(indices) {
                let [image] = self.similarities::<1>(&leaves, number, tap, &text);
                detection = detection + detection::loss(&self.options, &leaves, &image, labels.clone());
            }
        }
        let (images, mut values) = tensors::losses(detection.clone().inner(), parts, self.terms.len());
        values.insert(0, images);
        if !values.iter().sum::<f32>().is_finite() {
            return Err(ModelError::NotFinite { losses: self.losses.iter().copied().zip(values).collect() });
        }
        let gradients = (detection + surrogate).backward();
        Ok((values, leaves.gradients(&gradients)))
    }

    /// Numbers of the taps, each with its values for these support images.
    fn batch(&self, indices: &[usize]) -> impl Iterator<Item = (usize, Tensor<B, 3>)> {
        self.options.taps.iter().copied().zip(self.support.batch::<K>(indices))
    }

    fn similarities<const HEADS: usize>(
        &self,
        leaves: &Parameters<Autodiff<B>>,
        number: usize,
        tap: Tensor<B, 3>,
        text: &[Tensor<Autodiff<B>, 1>; 2],
    ) -> [Similarity<Autodiff<B>>; HEADS] {
        similarity::of_tap::<_, Recorded<K>, HEADS>(&self.options, leaves, number, Tensor::from_inner(tap), text)
    }

    /// Taps on the device, without the class token where the adapter allows it.
    fn taps_to_device(&self, taps: &[&[f32]], n: usize) -> Result<Vec<Tensor<B, 3>>, ModelError> {
        let (tokens, width) = (self.arch.tokens(self.options.image_size), self.arch.width);
        if taps.len() != self.options.taps.len() || taps.iter().any(|tap| tap.len() != n * tokens * width) || n == 0 {
            return Err(ModelError::Invalid(format!(
                "taps of {n} images must be {} tensors of [{n}, {tokens}, {width}]",
                self.options.taps.len()
            )));
        }
        let skipped = usize::from(drops_class_token(&self.options));
        Ok(taps.iter().map(|tap| K::taps(tap, [n, tokens, width], skipped, &self.device)).collect())
    }
}

/// The terms of the segmentation loss, from the names of all losses: detection is the first.
fn segmentation_terms(losses: &[&str]) -> Result<Vec<Term>, ModelError> {
    let unknown = |name: &str| ModelError::Invalid(format!("the loss `{name}` is not known here"));
    losses.iter().skip(1).map(|name| Term::named(name).ok_or_else(|| unknown(name))).collect()
}
