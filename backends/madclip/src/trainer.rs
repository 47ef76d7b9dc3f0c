//! The trained part of the model: parameters, a training step, and scores (docs/method.md sections 7 and 8).

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::OnceLock;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, backend::Backend};
use harness_method::parameters::{Parameter, parameters};
use harness_method::{Arch, Options};

use crate::adam::Moments;
use crate::adapters::{Wanted, drops_class_token};
use crate::kernels::Kernels;
use crate::prompts::{Sentences, Text};
use crate::tensors::{HostTensor, Tensors, to_device, to_host};
use crate::{ModelError, Recorded, TextTower, detection, segmentation, similarity};

/// Trainable tensors by name. They are kept flat and shaped where they are used, so that update, gradient and state
/// are the same few lines for every rank.
#[derive(Clone, Debug)]
pub(crate) struct Parameters<B: Backend>(BTreeMap<String, (Vec<usize>, Tensor<B, 1>)>);

impl<B: Backend> Parameters<B> {
    /// A tensor in its own shape.
    pub(crate) fn get<const D: usize>(&self, name: &str) -> Tensor<B, D> {
        match self.0.get(name) {
            Some((shape, values)) => values.clone().reshape(<[i32; D]>::from(Dims(shape))),
            None => unreachable!("`{name}` is in the list of trainable tensors"),
        }
    }
}

struct Dims<'a>(&'a [usize]);

impl<const D: usize> From<Dims<'_>> for [i32; D] {
    fn from(dims: Dims<'_>) -> Self {
        std::array::from_fn(|i| dims.0[i] as i32)
    }
}

/// The three terms of a training step's loss, each summed over taps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    /// Detection loss.
    pub detection: f32,
    /// Focal loss; 0 without masks.
    pub focal: f32,
    /// Dice loss; 0 without masks.
    pub dice: f32,
}

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

/// A model being trained on one support set, or scoring from a trained state.
pub struct Trainer<B: Backend, K: Kernels<B>> {
    options: Options,
    arch: Arch,
    has_masks: bool,
    learning_rate: f64,
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
    /// A trainer that starts from `state`: initial values, or those of a trained epoch.
    ///
    /// # Errors
    /// A tensor of the state is missing or misshapen, sentences do not fit the text tower, or options do not fit the
    /// architecture.
    #[expect(clippy::too_many_arguments, reason = "each is one thing the host decides")]
    pub fn new(
        options: &Options,
        arch: &Arch,
        has_masks: bool,
        learning_rate: f64,
        tower: Option<TextTower<Autodiff<B>, Recorded<K>>>,
        sentences: &[Sentences; 2],
        state: &dyn Tensors,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        if options.taps.is_empty() || arch.grid(options.image_size) == 0 {
            return Err(ModelError::Invalid("no taps, or an image smaller than a patch".into()));
        }
        let mut trainer = Self {
            text: Text::new(options, tower, sentences, device)?,
            vectors: OnceLock::new(),
            parameters: Parameters(BTreeMap::new()),
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

    /// Replaces every trainable tensor and forgets Adam's moments.
    ///
    /// # Errors
    /// A tensor is missing or misshapen; nothing has changed then.
    pub fn write_state(&mut self, state: &dyn Tensors) -> Result<(), ModelError> {
        let mut values = BTreeMap::new();
        for parameter in self.parameters() {
            let n: usize = parameter.shape.iter().product();
            let tensor = state.expect(&parameter.name, &parameter.shape)?;
            let flat = to_device(tensor.data.into_owned(), [n], &self.device);
            values.insert(parameter.name, (parameter.shape, flat));
        }
        self.moments = values
            .iter()
            .map(|(name, (_, flat))| (name.clone(), Moments::zeros(flat.dims()[0], &self.device)))
            .collect();
        self.parameters = Parameters(values);
        self.vectors = OnceLock::new();
        self.steps = 0;
        Ok(())
    }

    /// The trainable tensors as they are now.
    pub fn read_state(&self) -> BTreeMap<String, HostTensor<'static>> {
        let read = |(shape, values): &(Vec<usize>, Tensor<B, 1>)| HostTensor {
            shape: shape.clone(),
            data: to_host(values.clone()).into(),
        };
        self.parameters.0.iter().map(|(name, tensor)| (name.clone(), read(tensor))).collect()
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

    /// One step of Adam on the support images of these indices; the losses are those before the step.
    ///
    /// # Errors
    /// An index is out of range, or a loss is not finite: no tensor has changed then.
    pub fn step(&mut self, indices: &[usize]) -> Result<Losses, ModelError> {
        let (losses, mut gradients) = self.gradients(indices)?;
        self.steps += 1;
        self.vectors = OnceLock::new();
        for (name, (_, value)) in &mut self.parameters.0 {
            let (Some(gradient), Some(moments)) = (gradients.remove(name), self.moments.get_mut(name)) else {
                // No gradient: an unused head keeps its value, as zero gradients and zero moments would leave it.
                continue;
            };
            K::adam(value, gradient, moments, self.steps, self.learning_rate);
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
    ) -> Result<(Losses, BTreeMap<String, HostTensor<'static>>), ModelError> {
        let (losses, gradients) = self.gradients(indices)?;
        let read = |(name, (shape, value)): (&String, &(Vec<usize>, Tensor<B, 1>))| {
            let data = match gradients.get(name) {
                Some(gradient) => to_host(gradient.clone()),
                None => vec![0.0; value.dims()[0]],
            };
            (name.clone(), HostTensor { shape: shape.clone(), data: data.into() })
        };
        Ok((losses, self.parameters.0.iter().map(read).collect()))
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
        let (mut grids, mut detection, mut maps) = (Vec::new(), None, None);
        for (number, tap) in self.options.taps.iter().zip(taps) {
            let s = similarity::of_tap::<B, K>(&self.options, &self.parameters, *number, tap, &text, Wanted::Both);
            let score = detection::score(&self.options, &s.detection);
            detection = Some(match detection {
                Some(sum) => sum + score,
                None => score,
            });
            let Some(segmentation) = s.segmentation else { unreachable!("both heads were asked for") };
            let logits = segmentation.logit().reshape([n, grid, grid]);
            if with_maps {
                let map = segmentation::probability(&self.upsampling, logits.clone());
                maps = Some(match maps {
                    Some(sum) => sum + map,
                    None => map,
                });
            }
            grids.push(logits.unsqueeze_dim::<4>(1));
        }
        let Some(detection) = detection else { unreachable!("there is at least one tap") };
        Ok(Scores { grids: to_host(Tensor::cat(grids, 1)), detection: to_host(detection), maps: maps.map(to_host) })
    }

    fn text_pair(&self) -> [Tensor<B, 1>; 2] {
        self.vectors.get_or_init(|| self.text.pair(&self.leaves(false)).map(Tensor::inner)).clone()
    }

    /// Parameters as leaves of a new graph.
    fn leaves(&self, tracked: bool) -> Parameters<Autodiff<B>> {
        let leaf = |value: &Tensor<B, 1>| {
            let leaf = Tensor::from_inner(value.clone());
            if tracked { leaf.require_grad() } else { leaf }
        };
        Parameters(
            self.parameters.0.iter().map(|(name, (shape, v))| (name.clone(), (shape.clone(), leaf(v)))).collect(),
        )
    }

    fn gradients(&mut self, indices: &[usize]) -> Result<(Losses, BTreeMap<String, Tensor<B, 1>>), ModelError> {
        self.join_support();
        let held = self.support.labels.len();
        if indices.is_empty() || indices.iter().any(|&i| i >= held) {
            return Err(ModelError::Invalid(format!("batch {indices:?} of {held} support images")));
        }
        let n = indices.len();
        let labels: Vec<f32> = indices.iter().map(|&i| self.support.labels[i]).collect();
        let labels = Tensor::from_inner(to_device::<B, 1>(labels, [n], &self.device));
        let masks = self.has_masks.then(|| self.masks(indices));

        let leaves = self.leaves(true);
        let text = self.text.pair(&leaves);
        let wanted = if self.has_masks { Wanted::Both } else { Wanted::Detection };
        let grid = self.arch.grid(self.options.image_size);
        let mut detection: Option<Tensor<Autodiff<B>, 1>> = None;
        let mut surrogate: Option<Tensor<Autodiff<B>, 1>> = None;
        let (mut focal, mut dice) = (0.0, 0.0);
        for (number, taps) in self.options.taps.iter().zip(&self.support.taps) {
            let tap = Tensor::from_inner(K::batch(&taps[0], indices));
            let s = similarity::of_tap::<Autodiff<B>, Recorded<K>>(&self.options, &leaves, *number, tap, &text, wanted);
            detection = add(detection, detection::loss(&self.options, &s.detection, labels.clone()));
            if let (Some(s), Some(masks)) = (s.segmentation, &masks) {
                let logits = s.logit().reshape([n, grid, grid]);
                let part = K::segmentation(&self.upsampling, logits.clone().inner(), masks.clone());
                focal += part.focal.into_scalar_f32();
                dice += part.dice.into_scalar_f32();
                // The gradient is known: a product with it as a constant hands it on to the graph.
                surrogate = add(surrogate, (logits * Tensor::from_inner(part.gradient)).sum());
            }
        }
        let Some(detection) = detection else { unreachable!("there is at least one tap") };
        let losses = Losses { detection: detection.clone().inner().into_scalar_f32(), focal, dice };
        if !(losses.detection + focal + dice).is_finite() {
            return Err(ModelError::NotFinite { detection: losses.detection, focal, dice });
        }
        let total = match surrogate {
            Some(surrogate) => detection + surrogate,
            None => detection,
        };
        let gradients = total.backward();
        let found = leaves.0.iter().filter_map(|(name, (_, leaf))| Some((name.clone(), leaf.grad(&gradients)?)));
        Ok((losses, found.collect()))
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

fn add<B: Backend>(sum: Option<Tensor<B, 1>>, term: Tensor<B, 1>) -> Option<Tensor<B, 1>> {
    Some(match sum {
        Some(sum) => sum + term,
        None => term,
    })
}

trait IntoScalar {
    fn into_scalar_f32(self) -> f32;
}

impl<B: Backend> IntoScalar for Tensor<B, 1> {
    fn into_scalar_f32(self) -> f32 {
        use burn::tensor::ElementConversion;
        self.into_scalar().elem()
    }
}
