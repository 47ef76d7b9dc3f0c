//! `zero-shot`: how much more a token is like the text of the abnormal class than like that of the normal one. Nothing
//! is learned, so one record stands for every support set. Its control has a random direction in place of the texts.

mod direction;
mod similarity;

use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::prompts::States;
use harness_method::{Layout, Link, Part};

pub use self::direction::random_direction;
pub use self::similarity::score;
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::features::Projection;
use crate::scores::Scores;
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
use crate::taps::Taps;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// CLIP's similarity of patches.
        #[default]
        Patch = "patch",
        /// The control: no text, a random direction for each seed.
        RandomDirection = "random-direction",
    }
}

named_enum! {
    /// What tokens are compared with.
    pub enum Direction {
        /// The abnormal text less the normal one.
        Text = "text",
        /// A random vector.
        Random = "random",
    }
}

method_options! {
    /// What tokens are compared with: the abnormal text less the normal one, or a random vector that the seed decides
    direction: Direction {
        released: Direction::Text,
        in Preset::RandomDirection: Direction::Random,
    }
    /// The abnormal class's phrases in fixed sentences: MadCLIP's seven, or the five that MVFA and APRIL-GAN have
    states: States {
        released: States::Mvfa,
        effective: |options| options.direction == Direction::Text,
    }
}

const DIRECTION: &str = "direction";

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "CLIP, zero-shot";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Nothing
    }

    fn sentences(&self) -> Sentences {
        if self.direction == Direction::Text { Sentences::FIXED } else { Sentences::default() }
    }

    fn depends_on_seed(&self) -> bool {
        self.direction == Direction::Random
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        Some(Part { link: Link::Sigmoid, grids: 1 }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        match self.direction {
            Direction::Text => Vec::new(),
            Direction::Random => {
                let shape = vec![support.arch.embed];
                vec![Parameter { name: DIRECTION.to_owned(), shape, initial: Initial::Constant(0.0) }]
            }
        }
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        (2 * arch.tokens(self.image_size) * arch.width * arch.embed) as f64
    }
}

impl Closed for Options {
    fn fit(&self, _: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        Ok(match self.direction {
            Direction::Text => Vec::new(),
            Direction::Random => vec![random_direction(desk.seed(), desk.arch().embed)],
        })
    }

    fn prepare(&self, state: &[&[f32]], object: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let difference = match self.direction {
            Direction::Text => {
                let [normal, abnormal] = desk.texts(self.states, object)?;
                abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect()
            }
            Direction::Random => state.first().copied().unwrap_or_default().to_vec(),
        };
        Ok(Box::new(Ready { projection: desk.projection()?, difference }))
    }
}

struct Ready {
    projection: Projection,
    difference: Vec<f32>,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>) -> Result<Scores, Error> {
        score(&self.projection, &self.difference, taps)
    }
}
