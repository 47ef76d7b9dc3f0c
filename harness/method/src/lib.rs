//! The vocabulary of the method: options, architecture, trainable tensors, random streams and sentences. No tensor
//! library, no files: everything here is a pure function of what an experiment says.

pub mod arch;
pub mod options;
pub mod parameters;
pub mod prompts;
pub mod streams;
pub mod synthetic;
pub mod tokenizer;

pub use arch::Arch;
pub use options::Options;
