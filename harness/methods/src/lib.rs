//! The methods that need no gradient: what they keep of the taps of a support set, and how they score the taps of an image
//! (docs/methods.md). Plain arithmetic on slices: no file, no dataset and no backend is known here.

mod error;
pub mod features;
pub mod linear_probe;
mod logistic;
pub mod memory_bank;
mod nearest;
mod products;
mod scores;
mod taps;
pub mod text_prototypes;
pub mod zero_shot;

pub use error::Error;
pub use features::{Projection, class_text};
pub use logistic::{Logistic, logistic};
pub use nearest::{Nearest, Processor};
pub use scores::{Scores, TEMPERATURE};
pub use taps::{Taps, lesion_shares};
