//! A trainer of heads: parameters, a step, and scores.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use burn::backend::Autodiff;
use burn::tensor::{Tensor, activation, backend::Backend};
use harness_method::Arch;
use harness_method::heads::{Heads, Learns};
use harness_method::parameters::Parameter;

use super::bank::Bank;
use super::features::{Between, logits, of_taps};
use crate::detection::bce_with_logits;
use crate::kernels::Kernels;
use crate::optimiser::Optimiser;
use crate::parameters::{Gradients, Parameters};
use crate::segmentation::Term;
use crate::support::Support;
use crate::tensors::{self, HostTensor, Tensors, load, to_host};
use crate::{HeldTaps, ModelError, Recorded, segmentation};

/// Normal support images whose features are made at once for a bank.
const BANK_BATCH: usize = 16;
/// The fixed direction, from the normal to the abnormal text.
const DIRECTION: &str = "text.direction";

/// What a trainer is made for.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The heads.
    pub heads: &'a Heads,
    /// Sizes of the CLIP.
    pub arch: &'a Arch,
    /// Whether support images come with masks.
    pub has_masks: bool,
    /// Adam's rate.
    pub learning_rate: f64,
}

/// Heads being trained on one support set, or scoring from a trained state.
pub struct HeadsTrainer<B: Backend, K: Kernels<B>> {
    heads: Heads,
    arch: Arch,
    has_masks: bool,
    losses: &'static [&'static str],
    terms: Vec<Term>,
    between: Between<Autodiff<B>, Recorded<K>>,
    /// `[E, 1]`.
    direction: Tensor<Autodiff<B>, 2>,
    parameters: Parameters<B>,
    optimiser: Optimiser<B>,
    upsampling: Tensor<B, 2>,
    support: Support<B>,
    /// Of the present parameters, once somebody scored.
    bank: OnceLock<Bank<B>>,
    device: B::Device,
}

impl<B: Backend, K: Kernels<B>> HeadsTrainer<B, K> {
    /// A trainer that starts from `state`. `given` holds the fixed direction, `text.direction` `[E]`, and where heads
    /// feed the stream the tower's blocks between taps, in OpenAI's names.
    ///
    /// # Errors
    /// A tensor is missing or misshapen, or the heads don't fit the architecture.
    pub fn new(
        settings: &Settings<'_>,
        given: &dyn Tensors,
        state: &dyn Tensors,
        device: &B::Device,
    ) -> Result<Self, ModelError> {
        let &Settings { heads, arch, has_masks, learning_rate } = settings;
        check(heads, arch)?;
        let losses = heads.losses(has_masks);
        let kept = if heads.residual > 0.0 { 1 } else { heads.taps.len() };
        let direction: Tensor<B, 1> = load(given, DIRECTION, [arch.embed], device)?;
        let mut trainer = Self {
            terms: losses.iter().filter_map(|name| Term::named(name)).collect(),
            losses,
            between: Between::load(heads, arch, given, device)?,
            direction: Tensor::from_inner(direction.unsqueeze_dim(1)),
            parameters: Parameters::empty(),
            optimiser: Optimiser::new(learning_rate),
            upsampling: segmentation::upsampling(arch.grid(heads.image_size), heads.image_size, device),
            support: Support::new(kept, heads.image_size),
            bank: OnceLock::new(),
            heads: heads.clone(),
            arch: arch.clone(),
            has_masks,
            device: device.clone(),
        };
        trainer.write_state(state)?;
        Ok(trainer)
    }

    /// The heads.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Names and shapes of the trainable tensors.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.heads.parameters(&self.arch)
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
        self.bank = OnceLock::new();
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
        self.support.append(taps, labels, masks, self.has_masks)?;
        self.bank = OnceLock::new();
        Ok(())
    }

    /// One step of Adam on the support images of these indices. The losses, in the order of [`HeadsTrainer::losses`]
    /// and each summed over taps, are those before the step.
    ///
    /// # Errors
    /// An index is out of range, or a loss is not finite: no tensor has changed then.
    pub fn step(&mut self, indices: &[usize]) -> Result<Vec<f32>, ModelError> {
        let (losses, gradients) = self.gradients(indices)?;
        self.bank = OnceLock::new();
        self.optimiser.step::<K>(&mut self.parameters, gradients);
        Ok(losses)
    }

    /// Losses and gradients of a batch, without an update; a tensor no loss depends on has zeros.
    ///
    /// # Errors
    /// As [`HeadsTrainer::step`].
    pub fn read_gradients(
        &mut self,
        indices: &[usize],
    ) -> Result<(Vec<f32>, BTreeMap<String, HostTensor<'static>>), ModelError> {
        let (losses, gradients) = self.gradients(indices)?;
        Ok((losses, self.parameters.gradients_to_host(&gradients)))
    }

    /// Grids `[n, grids, G, G]` of a batch of images from their taps, `[n, T, W]` each, in the order of
    /// [`Heads::grids`].
    ///
    /// # Errors
    /// A length does not fit; with a bank, no normal support image is held.
    pub fn score(&mut self, taps: &[&[f32]], n: usize) -> Result<Vec<f32>, ModelError> {
        self.score_taps(&self.taps_to_device(taps, n)?, n)
    }

    /// Holds the taps of a batch of images on the device, `[n, T, W]` each.
    ///
    /// # Errors
    /// A length does not fit.
    pub fn hold(&self, taps: &[&[f32]], n: usize) -> Result<HeldTaps<B>, ModelError> {
        Ok(HeldTaps::new(self.taps_to_device(taps, n)?, n))
    }

    /// Grids of some of the images whose taps this trainer made and somebody holds.
    ///
    /// # Errors
    /// No image, or one that is not held; with a bank, no normal support image is held.
    pub fn score_held(&mut self, held: &HeldTaps<B>, images: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.score_taps(&held.some::<K>(images)?, images.len())
    }

    /// Grids of `n` images.
    fn score_taps(&mut self, taps: &[Tensor<B, 3>], n: usize) -> Result<Vec<f32>, ModelError> {
        let (grid, tokens) = (self.arch.grid(self.heads.image_size), self.between.tokens());
        let features = self.features(taps);
        let count = self.heads.heads.len();
        let as_grid = |values: Tensor<B, 2>| values.reshape([n, 1, grid, grid]);
        let mut grids: Vec<Tensor<B, 4>> = Vec::with_capacity(self.heads.grids());
        for head in 0..count {
            for of_tap in &features {
                let of_head = Tensor::from_inner(of_tap[head].clone());
                grids.push(as_grid(logits::<_, Recorded<K>>(of_head, n, tokens, &self.direction).inner()));
            }
        }
        if self.heads.bank {
            self.support.join();
            let bank = match self.bank.get() {
                Some(bank) => bank,
                None => {
                    let made = self.make_bank()?;
                    self.bank.get_or_init(|| made)
                }
            };
            for head in 0..count {
                for (tap, of_tap) in features.iter().enumerate() {
                    grids.push(as_grid(bank.distances::<K>(tap, head, of_tap[head].clone(), n, tokens)));
                }
            }
        }
        Ok(to_host(Tensor::cat(grids, 1)))
    }

    fn make_bank(&self) -> Result<Bank<B>, ModelError> {
        let normal = self.support.normal();
        if normal.is_empty() {
            return Err(ModelError::Invalid("a bank without a normal support image".into()));
        }
        let chunks = normal.chunks(BANK_BATCH).map(|images| {
            let taps: Vec<Tensor<B, 3>> = self.support.batch::<K>(images).collect();
            self.features(&taps)
        });
        Ok(Bank::new(chunks.collect()))
    }

    /// Features under the present parameters, without a graph.
    fn features(&self, taps: &[Tensor<B, 3>]) -> Vec<Vec<Tensor<B, 2>>> {
        let taps: Vec<Tensor<Autodiff<B>, 3>> = taps.iter().cloned().map(Tensor::from_inner).collect();
        let leaves = self.parameters.leaves(|_| false);
        let found = of_taps::<_, Recorded<K>>(&self.heads, &self.between, &leaves, &taps);
        found.into_iter().map(|heads| heads.into_iter().map(Tensor::inner).collect()).collect()
    }

    fn gradients(&mut self, indices: &[usize]) -> Result<(Vec<f32>, Gradients<B>), ModelError> {
        if self.losses.is_empty() {
            return Err(ModelError::Invalid("these heads learn from masks, and there are none".into()));
        }
        self.support.join();
        let labels: Tensor<Autodiff<B>, 1> = Tensor::from_inner(self.support.labels(indices, &self.device)?);
        let leaves = self.parameters.leaves(|name| self.is_trained(name));
        let taps: Vec<Tensor<Autodiff<B>, 3>> = self.support.batch::<K>(indices).map(Tensor::from_inner).collect();
        let features = of_taps::<_, Recorded<K>>(&self.heads, &self.between, &leaves, &taps);
        let (items, tokens, grid) = (indices.len(), self.between.tokens(), self.arch.grid(self.heads.image_size));
        let masks = self.has_masks.then(|| self.support.masks(indices, &self.device));
        let zero = || Tensor::<Autodiff<B>, 1>::zeros([1], &self.device);
        let (mut detection, mut surrogate, mut parts) = (zero(), zero(), Vec::new());
        for of_tap in features {
            for (head, features) in self.heads.heads.iter().zip(of_tap) {
                match (head.learns, &masks) {
                    (Learns::Images, _) => {
                        let logits = logits::<_, Recorded<K>>(features, items, tokens, &self.direction);
                        let probability = activation::sigmoid(logits).mean_dim(1).squeeze_dims(&[1]);
                        // A probability in the place of a logit, as released.
                        detection = detection + bce_with_logits(probability, labels.clone());
                    }
                    (Learns::Pixels, Some(masks)) => {
                        let logits = logits::<_, Recorded<K>>(features, items, tokens, &self.direction);
                        let logits = logits.reshape([items, grid, grid]);
                        let inner = logits.clone().inner();
                        let part = K::segmentation(&self.terms, &self.upsampling, inner, masks.clone());
                        parts.extend(part.values);
                        // The gradient is known: a product with it as a constant hands it on to the graph.
                        surrogate = surrogate + (logits * Tensor::from_inner(part.gradient)).sum();
                    }
                    (Learns::Pixels, None) => {}
                }
            }
        }
        let images = self.losses.len() - self.terms.len();
        let (value, pixels) = tensors::losses(detection.clone().inner(), parts, self.terms.len());
        let mut values = vec![value; images];
        values.extend(pixels);
        if !values.iter().sum::<f32>().is_finite() {
            return Err(ModelError::NotFinite { losses: self.losses.iter().copied().zip(values).collect() });
        }
        let gradients = (detection + surrogate).backward();
        Ok((values, leaves.gradients(&gradients)))
    }

    /// Whether the tensor of this name is trained.
    fn is_trained(&self, name: &str) -> bool {
        self.heads.taps.iter().any(|&tap| {
            self.heads.heads.iter().filter(|head| self.heads.is_trained(head, self.has_masks)).any(|head| {
                let (down, up) = (self.heads.down(tap, head), self.heads.up(tap, head));
                [down, up].iter().any(|map| name.strip_prefix(map.as_str()).is_some_and(|rest| rest.starts_with('.')))
            })
        })
    }

    /// The taps that are used, on the device.
    fn taps_to_device(&self, taps: &[&[f32]], n: usize) -> Result<Vec<Tensor<B, 3>>, ModelError> {
        let (tokens, width) = (self.between.tokens(), self.arch.width);
        let expected = self.heads.taps.len();
        if taps.len() != expected || taps.iter().any(|tap| tap.len() != n * tokens * width) || n == 0 {
            let what = format!("taps of {n} images must be {expected} tensors of [{n}, {tokens}, {width}]");
            return Err(ModelError::Invalid(what));
        }
        // The blocks behind the first tap run anew.
        let used = if self.heads.residual > 0.0 { &taps[..1] } else { taps };
        Ok(used.iter().map(|tap| K::taps(tap, [n, tokens, width], 0, &self.device)).collect())
    }
}

fn check(heads: &Heads, arch: &Arch) -> Result<(), ModelError> {
    let taps = &heads.taps;
    if taps.is_empty() || arch.grid(heads.image_size) == 0 {
        return Err(ModelError::Invalid("no taps, or an image smaller than a patch".into()));
    }
    if taps[0] == 0 || taps.iter().any(|&tap| tap > arch.layers) || !taps.is_sorted_by(|a, b| a < b) {
        return Err(ModelError::Invalid(format!("taps {taps:?} are not ascending within 1..={}", arch.layers)));
    }
    if heads.heads.is_empty() || !(0.0..1.0).contains(&(heads.residual * heads.heads.len() as f64)) {
        return Err(ModelError::Invalid("no head, or shares of the stream that leave nothing of it".into()));
    }
    if arch.heads == 0 || !arch.width.is_multiple_of(arch.heads) {
        return Err(ModelError::Invalid(format!("{} attention heads don't divide {}", arch.heads, arch.width)));
    }
    Ok(())
}
