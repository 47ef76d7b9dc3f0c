//! What a method without steps of training is to a worker: a support set in, a state out; then a state in, and scores
//! of taps.

use harness_method::prompts::States;
use harness_method::{Arch, Side, Variants};

use crate::error::{DeskError, Error};
use crate::features::Projection;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::taps::Taps;

/// A support set, loaded and not augmented.
#[derive(Clone, Copy, Debug)]
pub struct SupportSet<'a> {
    /// Normal images `[n, 3, S, S]`.
    pub normal: &'a [u8],
    /// Abnormal images `[n, 3, S, S]`.
    pub abnormal: &'a [u8],
    /// Masks of the method's variants of the abnormal images, variant by variant, `[count * n, S, S]`, 0 or 1; `None`
    /// for datasets without masks.
    pub masks: Option<&'a [u8]>,
}

/// What a worker lends a method.
pub trait Desk {
    /// Sizes of the towers.
    fn arch(&self) -> &Arch;

    /// Whether the support set has masks.
    fn has_masks(&self) -> bool;

    /// The training's seed; 0 for all where [`Settings::depends_on_seed`](crate::Settings::depends_on_seed) says that
    /// it decides nothing.
    fn seed(&self) -> u64;

    /// Taps of images `[n, 3, S, S]`, one `[n, T, W]` a tap.
    ///
    /// # Errors
    /// The worker's.
    fn encode(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError>;

    /// Taps of variants of supports of a class, `[n, 3, S, S]`: variant by variant, one `[count * n, T, width]` a tap.
    ///
    /// # Errors
    /// The worker's.
    fn encode_variants(&mut self, images: &[u8], class: Side, variants: Variants) -> Result<Vec<Vec<f32>>, DeskError>;

    /// Windows of images `[n, 3, S, S]` as unit vectors in the space of texts, `[n, (G - w + 1)^2, embed]` for each
    /// side w of [`Encoding::windows`](crate::Encoding::windows).
    ///
    /// # Errors
    /// The worker's: a backend that encodes no windows.
    fn windows(&mut self, images: &[u8]) -> Result<Vec<Vec<f32>>, DeskError>;

    /// The tower's last norm and projection.
    ///
    /// # Errors
    /// The worker's: weights that can't be read, or have none.
    fn projection(&mut self) -> Result<Projection, DeskError>;

    /// The fixed texts `[embed]` of the normal and the abnormal class of an object.
    ///
    /// # Errors
    /// The worker's: an encoder without a text tower, a sentence that is too long.
    fn texts(&mut self, states: States, object: &str) -> Result<[Vec<f32>; 2], DeskError>;
}

/// A method without steps of training.
pub trait Closed {
    /// What is kept of a support set: the values of the state's tensors, in their order.
    ///
    /// # Errors
    /// A support set that the method can't learn from; the worker's.
    fn fit(&self, support: &SupportSet<'_>, desk: &mut dyn Desk) -> Result<Vec<Vec<f32>>, Error>;

    /// Makes a state ready to score images of an object.
    ///
    /// # Errors
    /// As [`Closed::fit`].
    fn prepare(&self, state: &[&[f32]], object: &str, desk: &mut dyn Desk) -> Result<Box<dyn Prepared>, Error>;
}

/// A state that scores.
pub trait Prepared {
    /// Scores of the images whose taps these are. `device` compares tokens with a bank where the state has one.
    ///
    /// # Errors
    /// Taps that don't fit the state; those of `device`.
    fn score(&mut self, taps: &Taps<'_>, device: &mut dyn Nearest) -> Result<Scores, Error>;
}
