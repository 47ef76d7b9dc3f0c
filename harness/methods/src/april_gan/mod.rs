//! `april-gan`: a linear map a tap, learned against fixed text, and a bank of the taps themselves (APRIL-GAN, VAND
//! 2023), here trained on the support set.

use harness_method::declaring::*;
use harness_method::heads::{Head, Heads, Learns};
use harness_method::parameters::Parameter;
use harness_method::prompts::States;
use harness_method::{Combine, Layout, Link, Part, Variants};
use harness_metrics::{PredictedMaps, map_maxima};

use crate::closed::Desk;
use crate::declared::stepped_options;
use crate::error::Error;
use crate::features::{Projection, along};
use crate::memory_bank::{self, Bank};
use crate::nearest::Nearest;
use crate::scores::{Scores, TEMPERATURE};
use crate::settings::{Encoding, Schedule, Sees, Sentences, Settings, Support};
use crate::stepped::{Completes, Stepped, normal_supports};
use crate::taps::Taps;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// As released, but for the images that it is trained on.
        #[default]
        AprilGan = "april-gan",
    }
}

stepped_options! {
    epochs: 15, batch: 8;
    /// How the maps of text and of the bank become one
    combine: Combine {
        released: Combine::Sum,
        decides: Stage::Evaluation,
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "APRIL-GAN, trained on supports";
    const VERSION: u32 = 1;
    const TRAINED: bool = true;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Both
    }

    fn needs_masks(&self) -> bool {
        true
    }

    fn sentences(&self) -> Sentences {
        Sentences::FIXED
    }

    fn depends_on_seed(&self) -> bool {
        true
    }

    fn maps(&self, has_masks: bool) -> Option<Layout> {
        let part = |link| Part { link, grids: self.taps.len() };
        let joined = Layout::Joined { zero: part(Link::Sigmoid), few: part(Link::Identity), rule: self.combine };
        has_masks.then_some(joined)
    }

    fn joins_scores(&self) -> Option<Combine> {
        Some(Combine::HalfRange)
    }

    fn variants(&self) -> Variants {
        Variants::Mvfa
    }

    fn schedule(&self) -> Option<Schedule> {
        Some(self.steps())
    }

    fn losses(&self, has_masks: bool) -> &'static [&'static str] {
        self.heads().losses(has_masks)
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let mut tensors = self.heads().parameters(support.arch);
        tensors.push(normal_supports(support.normal, self.image_size));
        tensors
    }

    fn score_work(&self, arch: &Arch, support_images: u64) -> f64 {
        let (tokens, width) = (arch.tokens(self.image_size) as f64, arch.width as f64);
        let taps = self.taps.len() as f64;
        2.0 * tokens * taps * width * (arch.embed as f64 + tokens * support_images as f64 / 2.0)
    }
}

impl Stepped for Options {
    fn heads(&self) -> Heads {
        Heads {
            image_size: self.image_size,
            taps: self.taps.clone(),
            activation: self.activation,
            name: "april".to_owned(),
            heads: vec![Head { name: String::new(), learns: Learns::Pixels }],
            bias: true,
            leaky: false,
            residual: 0.0,
            bank: false,
        }
    }

    fn states(&self) -> States {
        self.states
    }

    fn prepare(&self, normal: &[u8], direction: &[f32], desk: &mut dyn Desk) -> Result<Box<dyn Completes>, Error> {
        let encoded = desk.encode(normal)?;
        let images = normal.len() / (3 * self.image_size * self.image_size).max(1);
        let arch = desk.arch();
        let (grid, width) = (arch.grid(self.image_size), arch.width);
        let taps = Taps::new(encoded.iter().map(Vec::as_slice).collect(), images, grid, width)?;
        let bank = bank(&taps)?;
        let (projection, direction) = (desk.projection()?, direction.to_vec());
        Ok(Box::new(Completing { image_size: self.image_size, taps: self.taps.len(), bank, projection, direction }))
    }
}

/// The bank of normal supports, as they are.
///
/// # Errors
/// No image.
pub fn bank(normal: &Taps<'_>) -> Result<Bank, Error> {
    memory_bank::fit(&memory_bank::Options::default(), None, normal, None)
}

/// From the trained maps' grids of logits `[n, taps, G, G]`, the bank and the class token: the two parts of maps, and
/// the image scores to be joined, the probability of the class token and the largest pixel of both maps together.
///
/// # Errors
/// Grids or taps of another size.
pub fn complete(
    logits: &[f32],
    taps: &Taps<'_>,
    image_size: usize,
    bank: &Bank,
    projection: &Projection,
    direction: &[f32],
    device: &mut dyn Nearest,
) -> Result<Scores, Error> {
    let each = taps.count() * taps.patches();
    let expected = taps.images() * each;
    if logits.len() != expected {
        return Err(Error::Length { what: "the heads' grids", found: logits.len(), expected });
    }
    let near = memory_bank::score(&memory_bank::Options::default(), None, bank, taps, device)?.grids;
    let pairs = logits.chunks_exact(each).zip(near.chunks_exact(each));
    let grids: Vec<f32> = pairs.flat_map(|(logits, near)| logits.iter().chain(near)).copied().collect();
    let part = |link| Part { link, grids: taps.count() };
    let both = Layout::Joined { zero: part(Link::Sigmoid), few: part(Link::Identity), rule: Combine::Sum };
    let few = map_maxima(&PredictedMaps::new(both, &grids, taps.grid(), image_size)?)?;
    let class = projection.project(&taps.class_tokens(taps.last()?));
    let probability = |logit: f32| 1.0 / (1.0 + (-TEMPERATURE * logit).exp());
    let detection = along(&class, direction).into_iter().map(probability).collect();
    Ok(Scores { grids, detection, few })
}

struct Completing {
    image_size: usize,
    taps: usize,
    bank: Bank,
    projection: Projection,
    direction: Vec<f32>,
}

impl Completes for Completing {
    fn complete(&mut self, grids: &[f32], taps: &Taps<'_>, device: &mut dyn Nearest) -> Result<Scores, Error> {
        if taps.count() != self.taps {
            return Err(Error::Length { what: "taps", found: taps.count(), expected: self.taps });
        }
        complete(grids, taps, self.image_size, &self.bank, &self.projection, &self.direction, device)
    }
}
