//! The trained part of the model: parameters, a training step, and scores (docs/method.md sections 7 and 8).

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use burn::backend::Autodiff;
use burn::tensor::{ElementConversion, Tensor, backend::Backend};
use harness_method::parameters::{Parameter, parameters};
use harness_method::{Arch, Options, losses};

use crate::adam::Moments;
use crate::adapters::drops_class_token;
use crate::kernels::Kernels;
use crate::parameters::{Parameters, Trainable};
use crate::prompts::{Sentences, Text};
use crate::segmentation::Term;
use crate::similarity::Similarity;
use crate::tensors::{HostTensor, Tensors, to_device, to_host};
use crate::{ModelError, Recorded, TextTower, detection, segmentation, similarity};

/// Gradients by the name of their tensor, flat.
type Gradients<B> = BTreeMap<String, Tensor<B, 1>>;

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

/// Support images on the device.
struct Support<B: Backend> {
    /// One `[N, T', W]` a tap.
    taps: Vec<Vec<Tensor<B, 3>>>,
    labels: Vec<f32>,
    masks: Vec<u8>,
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
    learning_rate: f64,
    /// Names of the losses: detection, then those of the terms.
    losses: &'static [&'static str],
    terms: Vec<Term>,
    text: Text<Autodiff<B>, Recorded<K>>,
    /// The text vectors under the present parameters, once somebody asked: a state scores many batches with them.
    vectors: OnceLock<[Tensor<B, 1>; 2]>,
    parameters: Parameters<B>,
    moments: BTreeMap<String, Moments<B>>,
    steps: u32,
    upsampling: Tensor<B, 2>,
    support: Support<B>,
    device: B::Device,
    kernels: PhantomData<fn() -> K>,
}

impl<B: Backend, K: Kernels<B>> Trainer<B, K> {
    /// A trainer that starts from `state`: initial values, or those of a trained epoch. Prompts other than `free` need a
    /// text tower and the `sentences` of both classes.
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
            moments: BTreeMap::new(),
            steps: 0,
            upsampling: segmentation::upsampling(arch.grid(options.image_size), options.image_size, device),
            support: Support { taps: vec![Vec::new(); options.taps.len()], labels: Vec::new(), masks: Vec::new() },
            options: options.clone(),
            arch: arch.clone(),
            has_masks,
            learning_rate,
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
        let zeros = |tensor: &Trainable<B>| Moments::zeros(tensor.values.dims()[0], &self.device);
        self.moments = self.parameters.iter().map(|(name, tensor)| (name.to_owned(), zeros(tensor))).collect();
        self.vectors = OnceLock::new();
        self.steps = 0;
        Ok(())
    }

    /// The trainable tensors as they are now.
    pub fn read_state(&self) -> BTreeMap<String, HostTensor<'static>> {
        self.parameters.to_host()
    }

    /// Adds `labels.len()` support images: their taps `[n, T, W]` each, class token first, labels (1 = abnormal) and masks
    /// `[n, S, S]` of 0 and 1.
    ///
    /// # Errors
    /// A length does not fit.
    pub fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), ModelError> {
        let n = labels.len();
        let area = self.options.image_size.pow(2);
        let taps = self.taps_to_device(taps, n)?;
        match masks {
            Some(masks) if masks.len() != n * area => {
                return Err(ModelError::Invalid(format!("{} mask pixels for {n} images", masks.len())));
            }
            None if self.has_masks => return Err(ModelError::Invalid("support images without masks".into())),
            _ => {}
        }
        for (all, new) in self.support.taps.iter_mut().zip(taps) {
            all.push(new);
        }
        self.support.labels.extend(labels.iter().map(|&label| f32::from(label)));
        self.support.masks.extend_from_slice(masks.unwrap_or_default());
        Ok(())
    }

    /// One step of Adam on the support images of these indices. The losses, in the order of [`Trainer::losses`] and each
    /// summed over taps, are those before the step.
    ///
    /// # Errors
    /// An index is out of range, or a loss is not finite: no tensor has changed then.
    pub fn step(&mut self, indices: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (losses, mut gradients) = self.gradients(indices)?;
        self.steps += 1;
        self.vectors = OnceLock::new();
        for (name, tensor) in self.parameters.iter_mut() {
            let (Some(gradient), Some(moments)) = (gradients.remove(name), self.moments.get_mut(name)) else {
                // No gradient: an unused head keeps its value, as zero gradients and zero moments would leave it.
                continue;
            };
            K::adam(&mut tensor.values, gradient, moments, self.steps, self.learning_rate);
        }
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
        let read = |(name, tensor): (&str, &Trainable<B>)| {
            let data = match gradients.get(name) {
                Some(gradient) => to_host(gradient.clone()),
                None => vec![0.0; tensor.values.dims()[0]],
            };
            (name.to_owned(), tensor.shaped(data))
        };
        Ok((losses, self.parameters.iter().map(read).collect()))
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
        let taps = self.taps_to_device(taps, n)?;
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
        Ok(Scores { grids: to_host(Tensor::cat(grids, 1)), detection: to_host(detection), maps: maps.map(to_host) })
    }

    fn text_pair(&self) -> [Tensor<B, 1>; 2] {
        self.vectors.get_or_init(|| self.text.pair(&self.leaves(false)).map(Tensor::inner)).clone()
    }

    /// Parameters as leaves of a new graph.
    fn leaves(&self, tracked: bool) -> Parameters<Autodiff<B>> {
        self.parameters.map(|values| {
            let leaf = Tensor::from_inner(values.clone());
            if tracked { leaf.require_grad() } else { leaf }
        })
    }

    fn gradients(&mut self, indices: &[usize]) -> Result<(Vec<f32>, Gradients<B>), ModelError> {
        self.join_support();
        let held = self.support.labels.len();
        if indices.is_empty() || indices.iter().any(|&i| i >= held) {
            return Err(ModelError::Invalid(format!("batch {indices:?} of {held} support images")));
        }
        let labels: Vec<f32> = indices.iter().map(|&i| self.support.labels[i]).collect();
        let labels = Tensor::from_inner(to_device::<B, 1>(labels, [indices.len()], &self.device));
        let leaves = self.leaves(true);
        let text = self.text.pair(&leaves);
        let zero = || Tensor::<Autodiff<B>, 1>::zeros([1], &self.device);
        let (mut detection, mut surrogate, mut values) = (zero(), zero(), vec![0.0; self.terms.len()]);
        if self.has_masks {
            let (masks, grid) = (self.masks(indices), self.arch.grid(self.options.image_size));
            for (number, tap) in self.batch(indices) {
                let [image, pixels] = self.similarities::<2>(&leaves, number, tap, &text);
                detection = detection + detection::loss(&self.options, &image, labels.clone());
                let logits = pixels.logit().reshape([indices.len(), grid, grid]);
                let part = K::segmentation(&self.terms, &self.upsampling, logits.clone().inner(), masks.clone());
                values.iter_mut().zip(part.values).for_each(|(sum, value)| *sum += scalar(value));
                // The gradient is known: a product with it as a constant hands it on to the graph.
                surrogate = surrogate + (logits * Tensor::from_inner(part.gradient)).sum();
            }
        } else {
            for (number, tap) in self.batch(indices) {
                let [image] = self.similarities::<1>(&leaves, number, tap, &text);
                detection = detection + detection::loss(&self.options, &image, labels.clone());
            }
        }
        values.insert(0, scalar(detection.clone().inner()));
        if !values.iter().sum::<f32>().is_finite() {
            return Err(ModelError::NotFinite { losses: self.losses.iter().copied().zip(values).collect() });
        }
        let gradients = (detection + surrogate).backward();
        let found =
            leaves.iter().filter_map(|(name, leaf)| Some((name.to_owned(), leaf.values.grad(&gradients)?))).collect();
        Ok((values, found))
    }

    /// Numbers of the taps, each with its values for these support images.
    fn batch(&self, indices: &[usize]) -> impl Iterator<Item = (usize, Tensor<B, 3>)> {
        self.options.taps.iter().zip(&self.support.taps).map(|(&number, taps)| (number, K::batch(&taps[0], indices)))
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

    /// Chunks of support taps as one tensor a tap.
    fn join_support(&mut self) {
        for chunks in &mut self.support.taps {
            if chunks.len() > 1 {
                *chunks = vec![Tensor::cat(std::mem::take(chunks), 0)];
            }
        }
    }

    fn masks(&self, indices: &[usize]) -> Tensor<B, 3> {
        let size = self.options.image_size;
        let area = size * size;
        let mut chosen = Vec::with_capacity(indices.len() * area);
        for i in indices {
            chosen.extend(self.support.masks[i * area..][..area].iter().map(|&pixel| f32::from(pixel)));
        }
        to_device(chosen, [indices.len(), size, size], &self.device)
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

fn scalar<B: Backend>(tensor: Tensor<B, 1>) -> f32 {
    tensor.into_scalar().elem()
}
