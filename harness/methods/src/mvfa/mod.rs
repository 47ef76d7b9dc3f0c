//! `mvfa`: adapters that feed the tower's stream, learned against fixed text, and a bank of their features (MVFA-AD,
//! CVPR 2024).

mod scores;

use harness_method::declaring::*;
use harness_method::heads::{Head, Heads, Learns};
use harness_method::parameters::Parameter;
use harness_method::prompts::States;
use harness_method::{Combine, Layout, Link, Part, Variants};

pub use self::scores::complete;
use crate::closed::Desk;
use crate::declared::stepped_options;
use crate::error::Error;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::settings::{Encoding, Schedule, Sees, Sentences, Settings, Support};
use crate::stepped::{Completes, Stepped, normal_supports};
use crate::taps::Taps;
use crate::work;

named_enum! {
    /// Where the options start.
    #[derive(Default)]
    pub enum Preset {
        /// As released.
        #[default]
        Mvfa = "mvfa",
        /// The same adapters on frozen taps: they feed nothing.
        Frozen = "mvfa-frozen",
    }
}

stepped_options! {
    epochs: 50, batch: 1;
    /// The share of the tower's stream that each of a tap's two adapters replaces; with 0 taps stay as they are
    residual: Real {
        released: Real(0.1),
        in Preset::Frozen: Real(0.0),
        values: "number from 0 to below 0.5",
        check: |options, _| (!(0.0..0.5).contains(&options.residual.0)).then(|| {
            format!("`residual` is {}; choose 0 for frozen taps, or less than 0.5, as each tap has two adapters", options.residual)
        }),
    }
    /// How the scores of text and of the bank become one
    combine: Combine {
        released: Combine::Range,
        decides: Stage::Evaluation,
    }
}

impl Settings for Options {
    const PUBLISHED_NAME: &'static str = "MVFA";
    const VERSION: u32 = 1;
    const TRAINED: bool = true;

    fn encoding(&self) -> Encoding<'_> {
        self.encoded()
    }

    fn sees(&self) -> Sees {
        Sees::Both
    }

    fn sentences(&self) -> Sentences {
        Sentences::FIXED
    }

    fn depends_on_seed(&self) -> bool {
        true
    }

    fn maps(&self, has_masks: bool) -> Option<Layout> {
        let part = |link| Part { link, grids: self.taps.len() };
        // Without masks the adapters of pixels were never trained.
        let joined = Layout::Joined { zero: part(Link::Sigmoid), few: part(Link::Identity), rule: self.combine };
        has_masks.then_some(joined)
    }

    fn joins_scores(&self) -> Option<Combine> {
        Some(self.combine)
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
        let (tokens, embed) = (arch.tokens(self.image_size) as f64, arch.embed as f64);
        let taps = self.taps.len() as f64;
        let down = 4.0 * tokens * arch.width as f64 * embed * taps;
        let bank = 4.0 * tokens * tokens * embed * taps * support_images as f64 / 2.0 * Variants::Mvfa.count() as f64;
        let (first, last) = (self.taps.first().copied(), self.taps.last().copied());
        let blocks = last.unwrap_or(0).saturating_sub(first.unwrap_or(0));
        let tower = if self.residual.0 > 0.0 { down + work::blocks(blocks, arch, self.image_size) } else { 0.0 };
        down + bank + tower
    }
}

impl Stepped for Options {
    fn heads(&self) -> Heads {
        let head = |name: &str, learns| Head { name: name.to_owned(), learns };
        Heads {
            image_size: self.image_size,
            taps: self.taps.clone(),
            activation: self.activation,
            name: "mvfa".to_owned(),
            heads: vec![head("seg", Learns::Pixels), head("det", Learns::Images)],
            bias: false,
            leaky: true,
            residual: self.residual.0,
            bank: true,
        }
    }

    fn states(&self) -> States {
        self.states
    }

    fn prepare(&self, _: &[u8], _: &[f32], _: &mut dyn Desk) -> Result<Box<dyn Completes>, Error> {
        Ok(Box::new(Completing { taps: self.taps.len(), image_size: self.image_size }))
    }
}

struct Completing {
    taps: usize,
    image_size: usize,
}

impl Completes for Completing {
    fn complete(&mut self, grids: &[f32], taps: &Taps<'_>, _: &mut dyn Nearest) -> Result<Scores, Error> {
        complete(grids, self.taps, taps.grid(), self.image_size)
    }

    fn reads_taps(&self) -> bool {
        false
    }
}
