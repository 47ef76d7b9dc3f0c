//! The vocabulary of the method: options, architecture, trainable tensors, losses, scores, random streams and
//! sentences. Everything here is a pure function of what an experiment says; no tensor library and no file is needed
//! for it.

pub mod arch;
pub mod backend;
pub mod constants;
pub mod declaring;
pub mod draw;
pub mod heads;
pub mod losses;
pub mod options;
pub mod parameters;
pub mod parts;
pub mod preset;
pub mod prompts;
pub mod scores;
pub mod shots;
pub mod side;
pub mod streams;
pub mod synthetic;
pub mod tokenizer;
pub mod variants;

pub use arch::Arch;
pub use backend::{Backend, BackendInfo, Precision, StorePrecision};
pub use constants::{ADAPTER_HEADS, AUGMENTED_VARIANTS, SCORING_BATCH, keys_kernel};
pub use draw::{Draw, DrawName};
pub use options::{Options, Overrides};
pub use parts::{Combine, Layout, Link, Part};
pub use preset::Preset;
pub use scores::{ImageScore, Selection};
pub use shots::Shots;
pub use side::Side;
pub use variants::Variants;
