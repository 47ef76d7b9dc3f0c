//! A small correct backend behind the faults: deterministic, with arbitrary numbers that are in range.

use std::collections::BTreeMap;

use harness_backend_abi::plugin::{
    Capability, Description, Failure, ImageTower, ImageTowerOptions, ImageTowerShape, Images, Outputs, Plugin,
    ScoreBuffers, Session, SessionOptions, Tensors, TextTower, TextTowerOptions, TextTowerShape, Trainer,
    TrainerOptions, TrainerShape,
};
use harness_backend_abi::tensor::OwnedTensor;

use crate::fault::{Garbage, strike};
use crate::name;

pub(crate) struct Faulty;
pub(crate) struct Open;
pub(crate) struct Images2Taps(ImageTowerShape);
pub(crate) struct Sentences2Features(TextTowerShape);

/// Parameters that fall by the rate at each step, labels of the support, and taps that are held: tap by tap.
pub(crate) struct Falling {
    shape: TrainerShape,
    rate: f32,
    state: Vec<OwnedTensor>,
    labels: Vec<u8>,
    held: BTreeMap<u64, Vec<Vec<f32>>>,
}

impl Plugin for Faulty {
    const CAPABILITIES: &'static [Capability] =
        &[Capability::ImageTower, Capability::TextTower, Capability::Trainer, Capability::Resume, Capability::HeldTaps];
    type Session = Open;

    fn describe() -> Description {
        // A description can't fail and holds no numbers to spoil.
        drop(strike("describe", 1));
        Description {
            name: name::of_this_library().unwrap_or_else(|| "faulty".into()),
            version: env!("CARGO_PKG_VERSION").into(),
            devices: vec!["cpu".into()],
            precisions: vec!["f32".into()],
            note: Some("misbehaves on purpose, for tests".into()),
            ..Description::default()
        }
    }

    fn open(options: SessionOptions) -> Result<Open, Failure> {
        strike("session_open", 1)?;
        if options.device != "cpu" {
            return Err(Failure::invalid(format!("device `{}`: expected `cpu`", options.device)));
        }
        Ok(Open)
    }
}

impl Session for Open {
    type ImageTower = Images2Taps;
    type TextTower = Sentences2Features;
    type Trainer = Falling;

    fn load_image_tower(&mut self, options: &ImageTowerOptions, _: &Tensors<'_>) -> Result<Images2Taps, Failure> {
        strike("image_tower_load", 1)?;
        options.shape().map(Images2Taps)
    }

    fn load_text_tower(&mut self, options: &TextTowerOptions, _: &Tensors<'_>) -> Result<Sentences2Features, Failure> {
        strike("text_tower_load", 1)?;
        options.shape().map(Sentences2Features)
    }

    fn create_trainer(
        &mut self,
        options: &TrainerOptions,
        _: Option<&Sentences2Features>,
        _: &Tensors<'_>,
        state: &Tensors<'_>,
    ) -> Result<Falling, Failure> {
        strike("trainer_create", 1)?;
        let (shape, rate) = (options.shape()?, options.learning_rate as f32);
        Ok(Falling { shape, rate, state: owned(state)?, labels: Vec::new(), held: BTreeMap::new() })
    }

    fn gemm_rate(&mut self) -> Result<f64, Failure> {
        strike("gemm_rate", 1)?;
        Ok(1.0)
    }
}

impl ImageTower for Images2Taps {
    fn shape(&self) -> ImageTowerShape {
        self.0
    }

    /// Every element is the image's mean in 0..1, with a wave over channels.
    fn encode(&mut self, images: Images<'_>, batch: usize, taps: &mut [&mut [f32]]) -> Result<(), Failure> {
        let garbage = strike("image_tower_encode", batch)?;
        let pixels = 3 * self.0.image_size * self.0.image_size;
        let (tokens, width) = (self.0.tokens, self.0.width);
        for tap in taps {
            let before = tap.last().copied().unwrap_or_default();
            for (image, out) in tap.chunks_exact_mut(tokens * width).enumerate() {
                let range = image * pixels..(image + 1) * pixels;
                let mean = match images {
                    Images::U8(all) => all[range].iter().map(|&x| f32::from(x) / 255.0).sum::<f32>(),
                    Images::F32(all) => all[range].iter().sum::<f32>(),
                } / pixels as f32;
                for (channel, out) in out.iter_mut().enumerate() {
                    *out = mean + 0.1 * ((channel % width) as f32).sin();
                }
            }
            spoil(garbage, tap, before);
        }
        Ok(())
    }
}

impl TextTower for Sentences2Features {
    fn shape(&self) -> TextTowerShape {
        self.0
    }

    /// Every element is the mean of the sentence's vectors, with a wave over channels.
    fn encode(&mut self, embedded: &[f32], eot: &[u32], _: bool, out: &mut [f32]) -> Result<(), Failure> {
        let garbage = strike("text_tower_encode", eot.len())?;
        let TextTowerShape { context, width, embed } = self.0;
        let before = out.last().copied().unwrap_or_default();
        for (out, sentence) in out.chunks_exact_mut(embed).zip(embedded.chunks_exact(context * width)) {
            let mean = sentence.iter().sum::<f32>() / sentence.len() as f32;
            out.iter_mut().enumerate().for_each(|(channel, out)| *out = mean + 0.1 * (channel as f32).cos());
        }
        spoil(garbage, out, before);
        Ok(())
    }
}

impl Trainer for Falling {
    fn shape(&self) -> TrainerShape {
        self.shape
    }

    fn append_support(&mut self, _: &[&[f32]], labels: &[u8], _: Option<&[u8]>) -> Result<(), Failure> {
        strike("trainer_append_support", labels.len())?;
        self.labels.extend(labels);
        Ok(())
    }

    fn step(&mut self, indices: &[u32], losses: &mut [f32]) -> Result<(), Failure> {
        let garbage = strike("trainer_step", indices.len())?;
        let abnormal = indices.iter().filter(|&&index| self.labels[index as usize] == 1).count() as f32;
        let level = self.level();
        losses.fill(0.5);
        losses[0] = level + abnormal / indices.len() as f32;
        self.state.iter_mut().flat_map(|tensor| &mut tensor.values).for_each(|value| *value *= 1.0 - self.rate);
        spoil(garbage, losses, f32::NAN);
        Ok(())
    }

    fn read_state(&mut self, out: &mut Outputs<'_>) -> Result<(), Failure> {
        let garbage = strike("trainer_read_state", 1)?;
        for tensor in &self.state {
            let mut values = tensor.values.clone();
            spoil(garbage, &mut values, f32::NAN);
            out.fill(&tensor.name, &tensor.shape, &values)?;
        }
        Ok(())
    }

    fn write_state(&mut self, state: &Tensors<'_>) -> Result<(), Failure> {
        strike("trainer_write_state", 1)?;
        self.state = owned(state)?;
        Ok(())
    }

    /// Its steps have no moments: zeros.
    fn read_moments(&mut self, out: &mut Outputs<'_>) -> Result<u64, Failure> {
        let garbage = strike("trainer_read_moments", 1)?;
        for tensor in &self.state {
            let mut values = vec![0.0; tensor.values.len()];
            spoil(garbage, &mut values, f32::NAN);
            for moment in ["first", "second"] {
                out.fill(&format!("{moment}.{}", tensor.name), &tensor.shape, &values)?;
            }
        }
        Ok(0)
    }

    fn write_moments(&mut self, _: &Tensors<'_>, _: u64) -> Result<(), Failure> {
        strike("trainer_write_moments", 1)?;
        Ok(())
    }

    fn text(&mut self, out: &mut [f32]) -> Result<(), Failure> {
        let garbage = strike("trainer_text", 1)?;
        let before = out.last().copied().unwrap_or_default();
        out.fill(1.0 / (self.shape.embed as f32).sqrt());
        spoil(garbage, out, before);
        Ok(())
    }

    fn score(&mut self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let garbage = strike("trainer_score", batch)?;
        self.fill(taps, batch, out, garbage);
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        drop(strike("trainer_room", 1));
        None
    }

    fn hold_taps(&mut self, set: u64, taps: &[&[f32]], batch: usize) -> Result<(), Failure> {
        strike("trainer_hold_taps", batch)?;
        self.held.insert(set, taps.iter().map(|tap| tap.to_vec()).collect());
        Ok(())
    }

    fn score_held(&mut self, set: u64, indices: &[u32], out: ScoreBuffers<'_>) -> Result<(), Failure> {
        let garbage = strike("trainer_score_held", indices.len())?;
        let length = self.shape.tokens * self.shape.width;
        let held = self.held.get(&set).ok_or_else(|| Failure::internal("a set is gone"))?;
        let some = |tap: &Vec<f32>| -> Vec<f32> {
            indices.iter().flat_map(|&image| &tap[image as usize * length..][..length]).copied().collect()
        };
        let taps: Vec<Vec<f32>> = held.iter().map(some).collect();
        self.fill(&taps.iter().map(Vec::as_slice).collect::<Vec<_>>(), indices.len(), out, garbage);
        Ok(())
    }

    fn release_taps(&mut self, set: u64) -> Result<(), Failure> {
        strike("trainer_release_taps", 1)?;
        self.held.remove(&set);
        Ok(())
    }
}

impl Drop for Falling {
    fn drop(&mut self) {
        drop(strike("trainer_free", 1));
    }
}

impl Falling {
    /// d of a patch is its first channel, between -1 and 1; the image's score follows its class token.
    fn fill(&self, taps: &[&[f32]], batch: usize, out: ScoreBuffers<'_>, garbage: Option<Garbage>) {
        let TrainerShape { grid, tokens, width, taps: count, .. } = self.shape;
        let before = [out.grids.last(), out.detection.last()].map(|last| last.copied().unwrap_or_default());
        for image in 0..batch {
            let token = |tap: usize, token: usize| taps[tap][(image * tokens + token) * width].clamp(-1.0, 1.0);
            for tap in 0..count {
                for patch in 0..grid * grid {
                    out.grids[(image * count + tap) * grid * grid + patch] = token(tap, 1 + patch);
                }
            }
            out.detection[image] = (0..count).map(|tap| 0.5 + 0.5 * token(tap, 0)).sum();
        }
        spoil(garbage, out.grids, before[0]);
        spoil(garbage, out.detection, before[1]);
    }

    /// Mean absolute parameter: it falls with the steps, and so does the loss.
    fn level(&self) -> f32 {
        let (mut sum, mut n) = (0.0, 0_u32);
        for value in self.state.iter().flat_map(|tensor| &tensor.values) {
            sum += f64::from(value.abs());
            n += 1;
        }
        if n == 0 { 0.0 } else { (sum / f64::from(n)) as f32 }
    }
}

fn spoil(garbage: Option<Garbage>, answer: &mut [f32], before: f32) {
    if let Some(garbage) = garbage {
        garbage.spoil(answer, before);
    }
}

fn owned(state: &Tensors<'_>) -> Result<Vec<OwnedTensor>, Failure> {
    state
        .iter()
        .map(|named| {
            let values = named.tensor.f32()?.to_vec();
            Ok(OwnedTensor { name: named.name.to_owned(), shape: named.tensor.shape.to_vec(), values })
        })
        .collect()
}
