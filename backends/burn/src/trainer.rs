//! A model in training on an open device.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness_backend_abi::plugin::{
    Failure, Outputs, ScoreBuffers, Tensors, Trainer, TrainerOptions, TrainerShape, parse,
};
use harness_method::heads::{Heads, Model};
use harness_method::options::{Prompts, Side};
use harness_method::parameters::Parameter;
use harness_method::{Arch, Options};
use madclip::prompts::Sentences;
use madclip::{HeldTaps, HostTensor, heads, trainer};

use crate::failure::{of_model, on_device, settled};
use crate::tensors::{Weights, indices};
use crate::{BurnBackend, BurnTextTower};

/// A trainer, or a trained state that scores.
pub struct BurnTrainer<D: BurnBackend> {
    device: Arc<D>,
    model: Trained<D>,
    shape: TrainerShape,
    /// Sets of taps on the device, by number.
    held: BTreeMap<u64, HeldTaps<D::Backend>>,
}

/// What is trained.
enum Trained<D: BurnBackend> {
    Madclip(Box<madclip::Trainer<D::Backend, D::Kernels>>),
    Heads(Box<heads::HeadsTrainer<D::Backend, D::Kernels>>),
}

/// The same call of either model.
macro_rules! either {
    ($model:expr, $inner:ident => $result:expr) => {
        match $model {
            Trained::Madclip($inner) => $result,
            Trained::Heads($inner) => $result,
        }
    };
}

impl<D: BurnBackend> BurnTrainer<D> {
    pub(crate) fn create(
        device: Arc<D>,
        given: &TrainerOptions,
        text: Option<&BurnTextTower<D>>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Self, Failure> {
        let arch: Arch = parse("arch", &given.arch)?;
        let model = match given.model {
            Model::Madclip => Self::madclip(&device, given, &arch, text, prompts, state)?,
            Model::Heads => Self::heads(&device, given, &arch, prompts, state)?,
        };
        let known = either!(&model, trainer => trainer.losses());
        if known != given.losses {
            let asked = &given.losses;
            return Err(Failure::invalid(format!("the losses of these options are {known:?}, asked for {asked:?}")));
        }
        Ok(Self { device, model, shape: given.shape()?, held: BTreeMap::new() })
    }

    fn madclip(
        device: &Arc<D>,
        given: &TrainerOptions,
        arch: &Arch,
        text: Option<&BurnTextTower<D>>,
        prompts: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Trained<D>, Failure> {
        let options: Options = parse("options", &given.options)?;
        known(&harness_method::parameters::parameters(&options, arch), state)?;
        let tower = text.map(|text| text.tower.clone());
        let [normal, abnormal] = Side::BOTH;
        let sentences = [sentences(&options, normal, prompts)?, sentences(&options, abnormal, prompts)?];
        let (has_masks, learning_rate) = (given.has_masks, given.learning_rate);
        let settings = trainer::Settings { options: &options, arch, has_masks, learning_rate };
        let made = on_device(&**device, || {
            madclip::Trainer::new(&settings, tower, &sentences, &Weights(state), device.device()).map_err(of_model)
        })?;
        Ok(Trained::Madclip(Box::new(made)))
    }

    fn heads(
        device: &Arc<D>,
        given: &TrainerOptions,
        arch: &Arch,
        tensors: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Trained<D>, Failure> {
        let heads: Heads = parse("options", &given.options)?;
        known(&heads.parameters(arch), state)?;
        let (has_masks, learning_rate) = (given.has_masks, given.learning_rate);
        let settings = heads::Settings { heads: &heads, arch, has_masks, learning_rate };
        let made = on_device(&**device, || {
            let (given, state) = (Weights(tensors), Weights(state));
            heads::HeadsTrainer::new(&settings, &given, &state, device.device()).map_err(of_model)
        })?;
        Ok(Trained::Heads(Box::new(made)))
    }
}

impl<D: BurnBackend> Trainer for BurnTrainer<D> {
    fn shape(&self) -> TrainerShape {
        self.shape
    }

    fn append_support(&mut self, taps: &[&[f32]], labels: &[u8], masks: Option<&[u8]>) -> Result<(), Failure> {
        let model = &mut self.model;
        on_device(&*self.device, || {
            either!(model, trainer => trainer.append_support(taps, labels, masks)).map_err(of_model)
        })
    }

    fn step(&mut self, indices: &[u32], losses: &mut [f32]) -> Result<(), Failure> {
        let (model, indices) = (&mut self.model, batch(indices));
        let found = on_device(&*self.device, || either!(model, trainer => trainer.step(&indices)).map_err(of_model))?;
        losses.copy_from_slice(&found);
        Ok(())
    }

    fn gradients(&mut self, indices: &[u32], out: &mut Outputs<'_>) -> Result<(), Failure> {
        let (model, indices) = (&mut self.model, batch(indices));
        let (_, gradients) =
            on_device(&*self.device, || either!(model, trainer => trainer.read_gradients(&indices)).map_err(of_model))?;
        fill(gradients, out)
    }

    fn read_state(&mut self, out: &mut Outputs<'_>) -> Result<(), Failure> {
        let model = &self.model;
        fill(on_device(&*self.device, || Ok(either!(model, trainer => trainer.read_state())))?, out)
    }

    fn write_state(&mut self, state: &Tensors<'_>) -> Result<(), Failure> {
        known(&either!(&self.model, trainer => trainer.parameters()), state)?;
        let model = &mut self.model;
        on_device(&*self.device, || either!(model, trainer => trainer.write_state(&Weights(state))).map_err(of_model))
    }

    fn read_moments(&mut self, out: &mut Outputs<'_>) -> Result<u64, Failure> {
        let model = &self.model;
        let (moments, steps) = on_device(&*self.device, || Ok(either!(model, trainer => trainer.read_moments())))?;
        fill(moments, out)?;
        Ok(steps.into())
    }

    fn write_moments(&mut self, moments: &Tensors<'_>, steps: u64) -> Result<(), Failure> {
        let known = either!(&self.model, trainer => trainer.parameters());
        let of = |name: &str| name.strip_prefix("first.").or(name.strip_prefix("second.")).map(str::to_owned);
        let is_known = |name: &str| of(name).is_some_and(|of| known.iter().any(|parameter| parameter.name == of));
        if let Some(other) = moments.iter().find(|given| !is_known(given.name)) {
            return Err(Failure::invalid(format!("`{}` is no moment of a parameter of the model", other.name)));
        }
        moments.iter().try_for_each(|given| given.tensor.f32().map(drop))?;
        let steps = u32::try_from(steps).map_err(|_| Failure::invalid(format!("{steps} steps are too many")))?;
        let model = &mut self.model;
        on_device(&*self.device, || {
            either!(model, trainer => trainer.write_moments(&Weights(moments), steps)).map_err(of_model)
        })
    }

    fn text(&mut self, out: &mut [f32]) -> Result<(), Failure> {
        let Trained::Madclip(trainer) = &self.model else {
            return Err(Failure::unsupported("heads have no texts of their own"));
        };
        out.copy_from_slice(&on_device(&*self.device, || Ok(trainer.text()))?);
        Ok(())
    }

    fn score(&mut self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let (model, with_maps) = (&mut self.model, out.maps.is_some());
        let scores = on_device(&*self.device, || match model {
            Trained::Madclip(trainer) => trainer.score(taps, batch, with_maps).map_err(of_model),
            Trained::Heads(_) if with_maps => Err(Failure::unsupported("heads give no maps")),
            Trained::Heads(trainer) => trainer.score(taps, batch).map(of_heads).map_err(of_model),
        });
        give(scores?, out);
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        self.device.room()
    }

    fn hold_taps(&mut self, set: u64, taps: &[&[f32]], batch: usize) -> Result<(), Failure> {
        let model = &self.model;
        let held = on_device(&*self.device, || {
            let held = either!(model, trainer => trainer.hold(taps, batch)).map_err(of_model)?;
            // A device may take memory later than it is asked to; whether there is any must show here.
            settled(&*self.device)?;
            Ok(held)
        })?;
        self.held.insert(set, held);
        Ok(())
    }

    fn score_held(&mut self, set: u64, indices: &[u32], out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let Some(held) = self.held.get(&set) else {
            return Err(Failure::internal(format!("the taps of set {set} are gone")));
        };
        let (model, with_maps, indices) = (&mut self.model, out.maps.is_some(), batch(indices));
        let scores = on_device(&*self.device, || match model {
            Trained::Madclip(trainer) => trainer.score_held(held, &indices, with_maps).map_err(of_model),
            Trained::Heads(_) if with_maps => Err(Failure::unsupported("heads give no maps")),
            Trained::Heads(trainer) => trainer.score_held(held, &indices).map(of_heads).map_err(of_model),
        });
        give(scores?, out);
        Ok(())
    }

    fn release_taps(&mut self, set: u64) -> Result<(), Failure> {
        let held = self.held.remove(&set);
        on_device(&*self.device, || {
            drop(held);
            Ok(())
        })
    }
}

/// The scores of heads: grids alone.
fn of_heads(grids: Vec<f32>) -> trainer::Scores {
    trainer::Scores { grids, detection: Vec::new(), maps: None }
}

fn give(scores: trainer::Scores, out: ScoreBuffers<'_>) {
    out.grids.copy_from_slice(&scores.grids);
    out.detection.copy_from_slice(&scores.detection);
    if let (Some(maps), Some(found)) = (out.maps, scores.maps) {
        maps.copy_from_slice(&found);
    }
}

fn batch(indices: &[u32]) -> Vec<usize> {
    indices.iter().map(|&index| index as usize).collect()
}

fn fill(tensors: BTreeMap<String, HostTensor<'static>>, out: &mut Outputs<'_>) -> Result<(), Failure> {
    tensors.iter().try_for_each(|(name, tensor)| out.fill(name, &tensor.shape, &tensor.data))
}

/// Refuses a state with a tensor that the model doesn't have; the model itself finds missing and misshapen ones.
fn known(known: &[Parameter], state: &Tensors<'_>) -> Result<(), Failure> {
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
