//! What planning and scheduling ask of a method's options.

use harness_method::options::{Activation, Normalize};
use harness_method::parameters::Parameter;
use harness_method::{Arch, Combine, Layout, Shots, Side, Variants};

/// What of a support set a method learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sees {
    /// Nothing.
    Nothing,
    /// Normal images alone.
    Normal,
    /// Images of both classes, and masks where there are any.
    Both,
}

impl Sees {
    /// The class that it can't do without and that a support set of so many images lacks; the abnormal one where both
    /// are.
    pub const fn lacks(self, shots: Shots) -> Option<Side> {
        match self {
            Self::Both if shots.abnormal == 0 => Some(Side::Abnormal),
            Self::Normal | Self::Both if shots.normal == 0 => Some(Side::Normal),
            _ => None,
        }
    }

    /// What it sees of a support set of so many images.
    #[must_use]
    pub const fn of(self, shots: Shots) -> Shots {
        match self {
            Self::Nothing => Shots { normal: 0, abnormal: 0 },
            Self::Normal => Shots { normal: shots.normal, abnormal: 0 },
            Self::Both => shots,
        }
    }

    /// In tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Normal => "normal",
            Self::Both => "both",
        }
    }
}

/// The options of a method.
pub trait Settings {
    /// The name under which it was published, as in tables of published numbers.
    const PUBLISHED_NAME: &'static str;
    /// Version of its numbers: raised when the same options come to mean other numbers, so that no old result is
    /// reused. Part of every training's id.
    const VERSION: u32;
    /// Whether it is trained epoch by epoch, with a state after each. Others have one state, epoch 0.
    const TRAINED: bool;

    /// How images become taps.
    fn encoding(&self) -> Encoding<'_>;

    /// What it learns from. What it does not see decides nothing and is in no id, so trainings that differ in it alone
    /// are one.
    fn sees(&self) -> Sees;

    /// Whether there must be masks for it to learn anything. Other methods do without where there are none.
    fn needs_masks(&self) -> bool {
        false
    }

    /// Its sentences about an object.
    fn sentences(&self) -> Sentences;

    /// Whether the seed decides anything.
    fn depends_on_seed(&self) -> bool;

    /// What its maps are made of, for supports with or without masks; `None` where it has no map. Masks of images that
    /// it does not see decide nothing.
    fn maps(&self, has_masks: bool) -> Option<Layout>;

    /// How two image scores of a test set become one; `None` where it has one.
    fn joins_scores(&self) -> Option<Combine> {
        None
    }

    /// The variants of a support image that it learns from.
    fn variants(&self) -> Variants {
        Variants::None
    }

    /// Its own schedule of steps; `None` where that of the experiment holds, or there are none.
    fn schedule(&self) -> Option<Schedule> {
        None
    }

    /// The losses that a step reports, in their order; none where nothing is trained by steps.
    fn losses(&self, has_masks: bool) -> &'static [&'static str];

    /// The tensors of a state: names and shapes, and where it is trained their initial values.
    fn tensors(&self, support: Support<'_>) -> Vec<Parameter>;

    /// Floating-point operations of what is kept of a support set of so many images, beyond their encoding, where that
    /// is not trained by steps.
    fn fit_work(&self, _arch: &Arch, _images: u64) -> f64 {
        0.0
    }

    /// Floating-point operations of one pass of the sentences that are trained.
    fn trained_text_work(&self, _arch: &Arch) -> f64 {
        0.0
    }

    /// Floating-point operations of scoring one image, its taps and the sentences encoded already.
    fn score_work(&self, arch: &Arch, support_images: u64) -> f64;
}

/// How heads or adapters are trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Passes over the support images' variants, at least one.
    pub epochs: u32,
    /// Images a step, at least one.
    pub batch: u32,
    /// Step size of Adam.
    pub learning_rate: f64,
}

/// Which sentences about an object a method has: none by default. They must fit the text tower's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sentences {
    /// Fixed ones of the normal and of the abnormal class.
    pub fixed: [bool; 2],
    /// Sentences of either class with so many trained vectors.
    pub learned: [Option<usize>; 2],
}

impl Sentences {
    /// Fixed sentences of both classes.
    pub const FIXED: Self = Self { fixed: [true; 2], learned: [None; 2] };
}

/// The sizes that the tensors of a state depend on.
#[derive(Clone, Copy, Debug)]
pub struct Support<'a> {
    /// Of the towers.
    pub arch: &'a Arch,
    /// Normal supports.
    pub normal: usize,
    /// Abnormal supports.
    pub abnormal: usize,
    /// Whether there are masks.
    pub has_masks: bool,
}

/// How images become taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding<'a> {
    /// `image_size`.
    pub image_size: usize,
    /// `taps`.
    pub taps: &'a [usize],
    /// `activation`.
    pub activation: Activation,
    /// `normalize`.
    pub normalize: Normalize,
    /// Sides, in patches, of the windows that are encoded too, each as a sequence of its own; most methods have none.
    pub windows: &'a [usize],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_need_not_be_there() {
        let lacks = |sees: Sees, normal: u32, abnormal: u32| sees.lacks(Shots { normal, abnormal });
        for sees in [Sees::Nothing, Sees::Normal, Sees::Both] {
            assert_eq!((lacks(sees, 4, 4), lacks(sees, 8, 2)), (None, None));
        }
        assert_eq!([Sees::Nothing, Sees::Normal].map(|sees| lacks(sees, 4, 0)), [None, None]);
        assert_eq!(lacks(Sees::Both, 4, 0), Some(Side::Abnormal));
        assert_eq!(lacks(Sees::Nothing, 0, 4), None);
        assert_eq!([Sees::Normal, Sees::Both].map(|sees| lacks(sees, 0, 4)), [Some(Side::Normal); 2]);
        let seen = [Sees::Nothing, Sees::Normal, Sees::Both].map(|sees| sees.of(Shots { normal: 4, abnormal: 2 }));
        assert_eq!(seen.map(|shots| shots.to_string()), ["0", "4+0", "4+2"]);
    }
}
