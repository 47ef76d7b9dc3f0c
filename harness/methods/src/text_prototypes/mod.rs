//! `text-prototypes`: the mean of a class's images with a share of its text, without training (SS-Text, arXiv
//! 2506.17500). Image scores alone.

mod prototypes;

use harness_method::Layout;
use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::prompts::States;

pub use self::prototypes::{prototypes, score, sums};
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::features::Projection;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
use crate::taps::Taps;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// As released.
        #[default]
        SsText = "ss-text",
    }
}

method_options! {
    /// What a class's text weighs beside its images, which weigh 100 each; 0 is the nearest class mean
    text_weight: Real {
        released: Real(1.0),
        values: "number from 0",
        check: |options, _| (!(options.text_weight.0.is_finite() && options.text_weight.0 >= 0.0)).then(|| {
            format!("`text_weight` is {}; choose 0 or more", options.text_weight)
        }),
    }
    /// The abnormal class's phrases in fixed sentences: MadCLIP's seven, or the five that MVFA and APRIL-GAN have
    states: States {
        released: States::Mvfa,
        effective: |options| options.text_weight.0 != 0.0,
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "SS-Text";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Both
    }

    fn sentences(&self) -> Sentences {
        if self.text_weight.0 == 0.0 { Sentences::default() } else { Sentences::FIXED }
    }

    fn depends_on_seed(&self) -> bool {
        false
    }

    fn maps(&self, _: bool) -> Option<Layout> {
        None
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let shape = vec![2, support.arch.embed];
        vec![Parameter { name: "sums".to_owned(), shape, initial: Initial::Constant(0.0) }]
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        (2 * arch.width * arch.embed) as f64
    }
}

impl Closed for Options {
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        let image = 3 * self.image_size * self.image_size;
        let mut encode = |images: &[u8]| -> Result<(Vec<Vec<f32>>, usize), Error> {
            let count = images.len() / image;
            Ok((if count > 0 { desk.encode(images)? } else { vec![Vec::new(); self.taps.len()] }, count))
        };
        let (normal, abnormal) = (encode(support.normal)?, encode(support.abnormal)?);
        let (grid, width) = (desk.arch().grid(self.image_size), desk.arch().width);
        let normal = Taps::new(normal.0.iter().map(Vec::as_slice).collect(), normal.1, grid, width)?;
        let abnormal = Taps::new(abnormal.0.iter().map(Vec::as_slice).collect(), abnormal.1, grid, width)?;
        Ok(vec![sums(&desk.projection()?, [&normal, &abnormal])?])
    }

    fn prepare(&self, state: &[&[f32]], object: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let sums = state.first().copied().unwrap_or_default();
        let [normal, abnormal] = if self.sentences() == Sentences::FIXED {
            desk.texts(self.states, object)?
        } else {
            [vec![0.0; sums.len() / 2], vec![0.0; sums.len() / 2]]
        };
        let prototypes = prototypes(sums, [&normal, &abnormal], self.text_weight.0 as f32)?;
        Ok(Box::new(Ready { projection: desk.projection()?, prototypes }))
    }
}

struct Ready {
    projection: Projection,
    prototypes: Vec<f32>,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>, _: &mut dyn Nearest) -> Result<Scores, Error> {
        score(&self.projection, &self.prototypes, taps)
    }
}
