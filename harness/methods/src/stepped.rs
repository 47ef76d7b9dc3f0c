//! What a method whose heads a backend trains is to a worker: the heads and their fixed text; then, of what the trained
//! heads say of images, the method's scores.

use harness_method::heads::Heads;
use harness_method::parameters::{Initial, Parameter};
use harness_method::prompts::States;

use crate::closed::Desk;
use crate::error::Error;
use crate::nearest::Nearest;
use crate::scores::Scores;
use crate::taps::Taps;

/// The name of the state's tensor of normal supports, `[n, 3, S, S]`, 0 to 255: what a bank is made of when a state
/// scores.
pub const NORMAL: &str = "support.normal";

/// A method whose heads a backend trains. Its state holds the heads' tensors, then the normal supports ([`NORMAL`]).
pub trait Stepped {
    /// What the backend trains.
    fn heads(&self) -> Heads;

    /// The abnormal class's phrases in the fixed text, whose difference from the normal class's the heads learn.
    fn states(&self) -> States;

    /// Makes ready what completes the scores of images. `normal` are the normal supports `[n, 3, S, S]`, `direction` is
    /// the abnormal text less the normal one, `[embed]`.
    ///
    /// # Errors
    /// Supports that no bank can be made of; the worker's.
    fn prepare(&self, normal: &[u8], direction: &[f32], desk: &mut dyn Desk) -> Result<Box<dyn Completes>, Error>;
}

/// Completes what a backend says of images.
pub trait Completes {
    /// The scores of images of which these are the heads' grids `[n, Heads::grids, G, G]`. `device` compares tokens
    /// with a bank where there is one beside the heads'.
    ///
    /// # Errors
    /// Grids or taps of another size; those of `device`.
    fn complete(&mut self, grids: &[f32], taps: &Taps<'_>, device: &mut dyn Nearest) -> Result<Scores, Error>;

    /// Whether that reads the taps' values. Where it doesn't, `taps` may have none.
    fn reads_taps(&self) -> bool {
        true
    }
}

/// The tensor of normal supports in a state.
pub(crate) fn normal_supports(images: usize, side: usize) -> Parameter {
    Parameter { name: NORMAL.to_owned(), shape: vec![images, 3, side, side], initial: Initial::Constant(0.0) }
}
