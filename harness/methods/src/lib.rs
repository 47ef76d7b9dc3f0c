//! Methods: the options of each, what planning asks of them, and the computation of those that need no gradient
//! (docs/methods.md). A method is a folder here and a line in [`Method`]'s list.
//!
//! Computing is plain arithmetic on slices: no file, no dataset and no backend is known here. What a method needs
//! beyond taps, a worker lends it ([`Desk`]).

pub mod april_gan;
mod closed;
mod declared;
mod error;
pub mod features;
pub mod linear_probe;
mod list;
pub mod madclip;
pub mod memory_bank;
pub mod mvfa;
mod nearest;
mod products;
pub mod schema;
mod scores;
mod settings;
pub mod stepped;
pub mod subspace;
mod taps;
pub mod text_prototypes;
pub mod work;
pub mod zero_shot;

pub use closed::{Closed, Desk, Prepared, SupportSet};
pub use error::{DeskError, Error};
pub use features::{Projection, class_text};
pub use list::{Computation, EncodingOverrides, Method, MethodOptions, MethodOverrides};
pub use nearest::{Nearest, Processor};
pub use scores::{Scores, TEMPERATURE};
pub use settings::{Encoding, Schedule, Sees, Sentences, Settings, Support};
pub use stepped::{Completes, Stepped};
pub use taps::{Taps, lesion_shares};
