//! The vocabulary of the method: options, architecture, trainable tensors, random streams and sentences. No tensor
//! library, no files: everything here is a pure function of what an experiment says.

pub mod arch;
pub mod backend;
pub mod constants;
pub mod losses;
pub mod method;
pub mod options;
pub mod parameters;
pub mod preset;
pub mod prompts;
pub mod scores;
pub mod side;
pub mod streams;
pub mod synthetic;
pub mod tokenizer;

pub use arch::Arch;
pub use backend::{Backend, BackendInfo, Precision, StorePrecision};
pub use constants::{ADAPTER_HEADS, AUGMENTED_VARIANTS, SCORING_BATCH, keys_kernel};
pub use method::Method;
pub use options::{Options, Overrides};
pub use preset::Preset;
pub use scores::{ImageScore, Selection};
pub use side::Side;
