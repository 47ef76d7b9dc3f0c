//! Heads: what a backend trains of methods that bring the tokens of taps into the space of texts and compare them there
//! with one fixed direction, from the normal to the abnormal text (docs/methods.md). Their description crosses the
//! interface to backends, as MadCLIP's options do.

use serde::{Deserialize, Serialize};

use crate::options::Activation;
use crate::parameters::{Initial, Parameter};
use crate::{Arch, losses};

harness_config::named_enum! {
    /// What a backend's trainer computes.
    #[derive(Default)]
    pub enum Model {
        /// MadCLIP (docs/method.md).
        #[default]
        Madclip = "madclip",
        /// Heads on taps.
        Heads = "heads",
    }
}

harness_config::named_enum! {
    /// What a head learns from.
    pub enum Learns {
        /// Labels of images, by the mean probability of their patch tokens.
        Images = "images",
        /// Masks.
        Pixels = "pixels",
    }
}

/// One of the heads that every tap has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The part of its parameters' names that tells it from others; empty where it is the only one.
    pub name: String,
    /// What it learns from.
    pub learns: Learns,
}

/// Heads on each tap: a linear map of its tokens to the width of texts, trained against one direction there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Side of the images the encoder sees, in pixels.
    pub image_size: usize,
    /// Blocks whose outputs have heads, counted from 1, ascending.
    pub taps: Vec<usize>,
    /// Activation of the tower's blocks.
    pub activation: Activation,
    /// What the names of all parameters begin with.
    pub name: String,
    /// The heads of a tap.
    pub heads: Vec<Head>,
    /// Whether maps have a bias.
    pub bias: bool,
    /// Whether LeakyReLU follows a map.
    pub leaky: bool,
    /// The share r of the stream that each head of a tap replaces, through a map back to the tower's width and another
    /// LeakyReLU: x <- (1 - heads * r) x + r times the sum of what they give. The blocks behind a tap then run on the
    /// changed stream. With 0 taps are used as they are.
    pub residual: f64,
    /// Whether tokens are also compared with those of the normal support images.
    pub bank: bool,
}

impl Heads {
    /// Whether the heads of this tap feed the stream.
    pub fn feeds(&self, tap: usize) -> bool {
        self.residual > 0.0 && self.taps.last() != Some(&tap)
    }

    /// The map of a head, as its parameters' names begin.
    pub fn down(&self, tap: usize, head: &Head) -> String {
        match head.name.as_str() {
            "" => format!("{}.{tap}", self.name),
            head => format!("{}.{tap}.{head}.down", self.name),
        }
    }

    /// The map of a head back to the stream.
    pub fn up(&self, tap: usize, head: &Head) -> String {
        format!("{}.{tap}.{}.up", self.name, head.name)
    }

    /// Names, shapes and initial values of the trained tensors, tap by tap and head by head.
    pub fn parameters(&self, arch: &Arch) -> Vec<Parameter> {
        let parameter = |name: String, shape: Vec<usize>, fan_in: usize| {
            let initial = Initial::Uniform((fan_in as f64).powf(-0.5));
            Parameter { name, shape, initial }
        };
        let mut all = Vec::new();
        for &tap in &self.taps {
            for head in &self.heads {
                let down = self.down(tap, head);
                all.push(parameter(format!("{down}.weight"), vec![arch.embed, arch.width], arch.width));
                if self.bias {
                    all.push(parameter(format!("{down}.bias"), vec![arch.embed], arch.width));
                }
                if self.feeds(tap) {
                    let name = format!("{}.weight", self.up(tap, head));
                    all.push(parameter(name, vec![arch.width, arch.embed], arch.embed));
                }
            }
        }
        all
    }

    /// The losses of a step, in their order: those of images, then those of pixels where there are masks.
    pub fn losses(&self, has_masks: bool) -> &'static [&'static str] {
        let some = |learns: Learns| self.heads.iter().any(|head| head.learns == learns);
        match (some(Learns::Images), some(Learns::Pixels) && has_masks) {
            (true, true) => &[losses::DETECTION, losses::FOCAL, losses::DICE],
            (true, false) => &[losses::DETECTION],
            (false, true) => &[losses::FOCAL, losses::DICE],
            (false, false) => &[],
        }
    }

    /// Whether a head is trained. Without masks those of pixels keep their initial values; they still feed the stream.
    pub fn is_trained(&self, head: &Head, has_masks: bool) -> bool {
        has_masks || head.learns == Learns::Images
    }

    /// Grids that an image has when it is scored: for each head one a tap of logits 100 f . direction of its unit
    /// features, then with a bank for each head one a tap of distances, 1 - the largest cosine.
    pub fn grids(&self) -> usize {
        self.heads.len() * self.taps.len() * if self.bank { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> Heads {
        let head = |name: &str, learns| Head { name: name.to_owned(), learns };
        Heads {
            image_size: 48,
            taps: vec![1, 3],
            activation: Activation::Gelu,
            name: "mvfa".to_owned(),
            heads: vec![head("seg", Learns::Pixels), head("det", Learns::Images)],
            bias: false,
            leaky: true,
            residual: 0.1,
            bank: true,
        }
    }

    #[test]
    fn the_last_tap_feeds_nothing_and_frozen_taps_have_no_way_back() {
        let arch = Arch {
            image_size: 48,
            patch: 8,
            width: 8,
            layers: 3,
            heads: 2,
            embed: 4,
            vocab: 8,
            context: 14,
            text_width: 8,
            text_layers: 1,
            text_heads: 1,
        };
        let names = |heads: &Heads| heads.parameters(&arch).into_iter().map(|p| (p.name, p.shape)).collect::<Vec<_>>();
        let found = names(&heads());
        let up = ("mvfa.1.det.up.weight".to_owned(), vec![8, 4]);
        assert!(found.contains(&up) && found.contains(&("mvfa.3.seg.down.weight".to_owned(), vec![4, 8])));
        assert_eq!(found.len(), 6);
        assert_eq!(names(&Heads { residual: 0.0, ..heads() }).len(), 4);
        let april = Heads {
            name: "april".to_owned(),
            heads: vec![Head { name: String::new(), learns: Learns::Pixels }],
            bias: true,
            residual: 0.0,
            bank: false,
            ..heads()
        };
        let found: Vec<String> = names(&april).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["april.1.weight", "april.1.bias", "april.3.weight", "april.3.bias"]);
        assert_eq!((april.grids(), heads().grids()), (2, 8));
        assert_eq!((april.losses(true), april.losses(false).len()), (&["focal", "dice"][..], 0));
        assert_eq!(heads().losses(false), ["detection"]);
    }
}
