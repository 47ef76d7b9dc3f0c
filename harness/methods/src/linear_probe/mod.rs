//! `linear-probe`: a logistic regression of patch tokens a tap, and one of class tokens. A closed problem: no seed, no
//! order, no epoch.

mod logistic;
mod probe;

use harness_method::declaring::*;
use harness_method::parameters::{Initial, Parameter};
use harness_method::{Layout, Link, Part};

pub use self::logistic::{Logistic, logistic};
pub use self::probe::{Probe, fit, score};
use crate::closed::{Closed, Desk, Prepared, SupportSet};
use crate::declared::method_options;
use crate::error::Error;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::settings::{Encoding, Sees, Sentences, Settings, Support};
use crate::taps::{Taps, lesion_shares};

named_enum! {
    /// Where a probe's options start.
    #[derive(Default)]
    pub enum Preset {
        /// The textbook probe.
        #[default]
        Plain = "plain",
    }
}

named_enum! {
    /// What stands for an image.
    pub enum ImageFeature {
        /// Its class token.
        Class = "class",
        /// Its class token and the mean of its patch tokens.
        Both = "both",
    }
}

named_enum! {
    /// Which taps the image score is learned on.
    pub enum ImageTaps {
        /// The last.
        Last = "last",
        /// Each; logits are added.
        All = "all",
    }
}

method_options! {
    /// What stands for an image: its class token, or that and the mean of its patch tokens
    image_feature: ImageFeature {
        released: ImageFeature::Class,
    }
    /// Which taps the image score is learned on; of several the logits are added
    image_taps: ImageTaps {
        released: ImageTaps::Last,
    }
    /// Penalty on the squared length of a regression's weights
    strength: Real {
        released: Real(0.1),
        values: "positive number",
        check: |options, _| (!(options.strength.0.is_finite() && options.strength.0 > 0.0)).then(|| {
            format!("`strength` is {}; choose a positive number, such as 0.1", options.strength)
        }),
    }
}

/// Newton's method takes about so many steps.
const STEPS: f64 = 12.0;

impl Options {
    /// The regressions of each tap: its number, and whether it has one of images and one of tokens.
    fn regressions(&self, has_masks: bool) -> impl Iterator<Item = (usize, bool, bool)> + '_ {
        let last = self.taps.last().copied();
        self.taps.iter().map(move |&tap| (tap, self.image_taps == ImageTaps::All || Some(tap) == last, has_masks))
    }

    fn image_width(&self, arch: &Arch) -> usize {
        if self.image_feature == ImageFeature::Both { 2 * arch.width } else { arch.width }
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "linear probe";
    const VERSION: u32 = 1;
    const TRAINED: bool = false;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Both
    }

    fn sentences(&self) -> Sentences {
        Sentences::default()
    }

    fn depends_on_seed(&self) -> bool {
        false
    }

    fn maps(&self, has_masks: bool) -> Option<Layout> {
        has_masks.then_some(Part { link: Link::Sigmoid, grids: self.taps.len() }.into())
    }

    fn losses(&self, _: bool) -> &'static [&'static str] {
        &[]
    }

    fn tensors(&self, support: Support<'_>) -> Vec<Parameter> {
        let mut tensors = Vec::new();
        for (tap, image, token) in self.regressions(support.has_masks) {
            let mut regression = |kind: &str, width: usize| {
                for (part, length) in [("weight", width), ("bias", 1)] {
                    let name = format!("probe.{tap}.{kind}.{part}");
                    tensors.push(Parameter { name, shape: vec![length], initial: Initial::Constant(0.0) });
                }
            };
            if image {
                regression("image", self.image_width(support.arch));
            }
            if token {
                regression("token", support.arch.width);
            }
        }
        tensors
    }

    fn fit_work(&self, arch: &Arch, images: u64) -> f64 {
        let tokens = images as f64 * arch.grid(self.image_size).pow(2) as f64;
        self.taps.len() as f64 * STEPS * tokens * (arch.width as f64).powi(2)
    }

    fn score_work(&self, arch: &Arch, _: u64) -> f64 {
        (2 * self.taps.len() * arch.tokens(self.image_size) * arch.width) as f64
    }
}

impl Closed for Options {
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error> {
        // Order of a support list: abnormal images, then normal ones.
        let pixels = [support.abnormal, support.normal].concat();
        let image = 3 * self.image_size * self.image_size;
        let (abnormal, all) = (support.abnormal.len() / image, pixels.len() / image);
        let values = desk.encode(&pixels)?;
        let arch = desk.arch();
        let grid = arch.grid(self.image_size);
        let taps = Taps::new(values.iter().map(Vec::as_slice).collect(), all, grid, arch.width)?;
        let labels: Vec<f32> = (0..all).map(|image| if image < abnormal { 1.0 } else { 0.0 }).collect();
        let lesions = match support.masks {
            Some(masks) => {
                let mut shares = lesion_shares(masks, self.image_size, arch.patch)?;
                shares.resize(all * grid * grid, 0.0);
                Some(shares)
            }
            None => None,
        };
        let mut state = Vec::new();
        for probe in fit(self, &taps, &labels, lesions.as_deref())? {
            for regression in [probe.image, probe.token].into_iter().flatten() {
                state.extend([regression.weight, vec![regression.bias]]);
            }
        }
        Ok(state)
    }

    fn prepare(&self, state: &[&[f32]], _: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error> {
        let (mut tensors, has_masks) = (state.iter(), desk.has_masks());
        let mut next = |wanted: bool| {
            let weight = if wanted { tensors.next()? } else { return None };
            Some(Logistic { weight: weight.to_vec(), bias: *tensors.next()?.first()? })
        };
        let probes =
            self.regressions(has_masks).map(|(_, image, token)| Probe { image: next(image), token: next(token) });
        Ok(Box::new(Ready { options: self.clone(), probes: probes.collect() }))
    }
}

struct Ready {
    options: Options,
    probes: Vec<Probe>,
}

impl Prepared for Ready {
    fn score(&mut self, taps: &Taps<'_>, _: &mut dyn Nearest) -> Result<Scores, Error> {
        score(&self.options, &self.probes, taps)
    }
}
