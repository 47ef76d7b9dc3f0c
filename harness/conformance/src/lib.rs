//! Golden cases: the numbers that an implementation of the method must reproduce, and how far it may be off
//! (docs/method.md section 10). The implementation is a [`Subject`]; a backend behind the C table is one ready-made.

mod case;
mod check;
mod compare;
mod heads;
mod held;
mod nearest;
mod shapes;
mod suite;
mod table;
mod windows;

pub use case::{Case, CaseError, Sentences, Tensor};
pub use check::{Outcome, check};
pub use compare::{Line, Tolerances, compare, line, worst};
pub use heads::check_heads;
pub use nearest::check_nearest;
pub use shapes::shapes;
pub use suite::Suite;
pub use table::{ThroughTable, through_table};
pub use windows::check_windows;

use std::collections::BTreeMap;

/// What a subject computed for a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Per tap of the options, taps of the first two images, `[2, T, W]`.
    pub taps: Vec<Vec<f32>>,
    /// t_n and t_ab before training, `[2, E]`.
    pub text: Vec<f32>,
    /// Gradients of the first batch.
    pub gradients: BTreeMap<String, Vec<f32>>,
    /// Losses of each step, in the order of [`harness_method::losses::names`].
    pub losses: Vec<Vec<f32>>,
    /// Parameters after the last step.
    pub parameters: BTreeMap<String, Vec<f32>>,
    /// Maps of the test images, scored as one batch, `[N, S, S]`.
    pub maps: Vec<f32>,
    /// Detection scores of the test images.
    pub detection: Vec<f32>,
}

/// An implementation of the method.
pub trait Subject {
    /// Runs a case from its first image to its last score.
    ///
    /// # Errors
    /// Whatever kept it from the end, as text for a person.
    fn run(&mut self, case: &Case) -> Result<Observed, String>;
}
