//! `zero-shot`: how much more a token is like the text of the abnormal class than like that of the normal one. Nothing is
//! learned, so one cell stands for every support set.

mod similarity;

use harness_method::declaring::*;
use harness_method::parameters::Parameter;
use harness_method::prompts::States;
use harness_method::{Layout, Link, Part};

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
    }
}

method_options! {
    /// The abnormal class's phrases in fixed sentences: MadCLIP's seven, or the five that MVFA and APRIL-GAN have
    states: States {
        released: States::Mvfa,
    }
}

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
        Sentences::FIXED
    }

    fn depends_on_seed(&self) -> bool {
        false
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        Some(Part { link: Link::Sigmoid, grids: 1 }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn tensors(&self, _: Support<'_>) -> Vec<Parameter> {
        Vec::new()
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        (2 * arch.tokens(self.image_size) * arch.width * arch.embed) as f64
    }
}

impl Closed for Options {
    fn fit(&self, _: &SupportSet<'_>, _: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        Ok(Vec::new())
    }

    fn prepare(&self, _: &[&[f32]], object: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let [normal, abnormal] = desk.texts(self.states, object)?;
        let difference = abnormal.iter().zip(normal).map(|(abnormal, normal)| abnormal - normal).collect();
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
