//! A model in training on an open device.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness_backend_abi::plugin::{
    Failure, Outputs, ScoreBuffers, Tensors, Trainer, TrainerOptions, TrainerShape, parse,
};
use harness_method::options::{Prompts, Side};
use harness_method::parameters::parameters;
use harness_method::{Arch, Options};
use madclip::HostTensor;
use madclip::prompts::Sentences;
use madclip::trainer::Settings;

use crate::failure::{of_model, on_device};
use crate::tensors::{Weights, indices};
use crate::{BurnBackend, BurnTextTower};

/// A trainer, or a trained state that scores.
pub struct BurnTrainer<D: BurnBackend> {
    device: Arc<D>,
    trainer: madclip::Trainer<D::Backend, D::Kernels>,
    shape: TrainerShape,
}

impl<D: BurnBackend> BurnTrainer<D> {
    pub(crate) fn create(
        device: Arc<D>,
        given: &TrainerOptions,
        text: Option<&BurnTextTower<D>>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Self, Failure> {
        let (options, arch): (Options, Arch) = (parse("options", &given.options)?, parse("arch", &given.arch)?);
        known(&options, &arch, state)?;
        let tower = text.map(|text| text.tower.clone());
        let [normal, abnormal] = Side::BOTH;
        let sentences = [sentences(&options, normal, prompts)?, sentences(&options, abnormal, prompts)?];
        let (has_masks, learning_rate) = (given.has_masks, given.learning_rate);
        let settings = Settings { options: &options, arch: &arch, has_masks, learning_rate };
        let trainer: madclip::Trainer<D::Backend, D::Kernels> = on_device(&*device, || {
            madclip::Trainer::new(&settings, tower, &sentences, &Weights(state), device.device()).map_err(of_model)
        })?;
        if trainer.losses() != given.losses {
            let (known, asked) = (trainer.losses(), &given.losses);
            return Err(Failure::invalid(format!("the losses of these options are {known:?}, asked for {asked:?}")));
        }
        let shape = TrainerShape {
            image_size: options.image_size,
            grid: arch.grid(options.image_size),
            taps: options.taps.len(),
            tokens: arch.tokens(options.image_size),
            width: arch.width,
            embed: arch.embed,
            has_masks,
            losses: given.losses.len(),
        };
        Ok(Self { device, trainer, shape })
    }
}

impl<D: BurnBackend> Trainer for BurnTrainer<D> {
    fn shape(&self) -> TrainerShape {
        self.shape
    }

    fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), Failure> {
        let trainer = &mut self.trainer;
        on_device(&*self.device, || trainer.append_support(taps, labels, masks).map_err(of_model))
    }

    fn step(&mut self, indices: &[u32], losses: &mut [f32]) -> Result<(), Failure> {
        let (trainer, indices) = (&mut self.trainer, batch(indices));
        losses.copy_from_slice(&on_device(&*self.device, || trainer.step(&indices).map_err(of_model))?);
        Ok(())
    }

    fn gradients(&mut self, indices: &[u32], out: &mut Outputs<'_>) -> Result<(), Failure> {
        let (trainer, indices) = (&mut self.trainer, batch(indices));
        let (_, gradients) = on_device(&*self.device, || trainer.read_gradients(&indices).map_err(of_model))?;
        fill(gradients, out)
    }

    fn read_state(&mut self, out: &mut Outputs<'_>) -> Result<(), Failure> {
        let trainer = &self.trainer;
        fill(on_device(&*self.device, || Ok(trainer.read_state()))?, out)
    }

    fn write_state(&mut self, state: &Tensors<'_>) -> Result<(), Failure> {
        known(self.trainer.options(), self.trainer.arch(), state)?;
        let trainer = &mut self.trainer;
        on_device(&*self.device, || trainer.write_state(&Weights(state)).map_err(of_model))
    }

    fn text(&mut self, out: &mut [f32]) -> Result<(), Failure> {
        let trainer = &self.trainer;
        out.copy_from_slice(&on_device(&*self.device, || Ok(trainer.text()))?);
        Ok(())
    }

    fn score(&mut self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let (trainer, with_maps) = (&self.trainer, out.maps.is_some());
        let scores = on_device(&*self.device, || trainer.score(taps, batch, with_maps).map_err(of_model))?;
        out.grids.copy_from_slice(&scores.grids);
        out.detection.copy_from_slice(&scores.detection);
        if let (Some(maps), Some(found)) = (out.maps, scores.maps) {
            maps.copy_from_slice(&found);
        }
        Ok(())
    }
}

fn batch(indices: &[u32]) -> Vec<usize> {
    indices.iter().map(|&index| index as usize).collect()
}

fn fill(tensors: BTreeMap<String, HostTensor<'static>>, out: &mut Outputs<'_>) -> Result<(), Failure> {
    tensors.iter().try_for_each(|(name, tensor)| out.fill(name, &tensor.shape, &tensor.data))
}

/// Refuses a state with a tensor that the model doesn't have; the model itself finds missing and misshapen ones.
fn known(options: &Options, arch: &Arch, state: &Tensors<'_>) -> Result<(), Failure> {
    let known = parameters(options, arch);
    match state.iter().find(|given| known.iter().all(|parameter| parameter.name != given.name)) {
        Some(given) => Err(Failure::invalid(format!("the model has no parameter `{}`", given.name))),
        None => state.iter().try_for_each(|given| given.tensor.f32().map(drop)),
    }
}

fn sentences(options: &Options, side: Side, prompts: &Tensors<'_>) -> Result<Sentences, Failure> {
    if options.prompts == Prompts::Free {
        return Ok(Sentences::default());
    }
    let learned = options.prompts.learned_sides().contains(&side);
    let name = |what: &str| format!("{}.{}.{what}", if learned { "prompt" } else { "fixed" }, side.name());
    let embedded = name("embedded");
    let embedded = prompts
        .get(&embedded)
        .ok_or_else(|| Failure::invalid(format!("tensor `{embedded}` is missing")))?
        .f32()?
        .to_vec();
    let lengths = if learned { indices(prompts, &name("lengths"))? } else { Vec::new() };
    Ok(Sentences { embedded, eot: indices(prompts, &name("eot"))?, lengths })
}
