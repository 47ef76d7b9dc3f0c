//! Heads on taps: features of tokens, their training against a fixed direction, and scores (docs/methods.md).

mod bank;
mod features;
mod trainer;

pub use trainer::{HeadsTrainer, Settings};
