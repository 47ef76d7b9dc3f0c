//! MadCLIP over Burn's `Backend`: towers, adapters, prompts, losses, trainer and scores (docs/method.md sections 1 to 4
//! and 7); and the trained heads of other methods (docs/methods.md). It knows neither files nor the backend interface,
//! and draws nothing at random: tensors and options in, tensors out.

pub mod adam;
pub mod adapters;
mod block;
pub mod detection;
mod error;
pub mod heads;
mod held;
pub mod image_tower;
pub mod kernels;
mod narrow;
mod operands;
mod optimiser;
mod parameters;
mod plain;
mod positions;
pub mod prompts;
mod recorded;
pub mod segmentation;
pub mod similarity;
mod support;
pub mod tensors;
#[cfg(test)]
mod testing;
pub mod text_tower;
pub mod trainer;

pub use error::ModelError;
pub use held::HeldTaps;
pub use image_tower::ImageTower;
pub use kernels::{Kernels, Plain};
pub use recorded::Recorded;
pub use tensors::{HostTensor, Tensors};
pub use text_tower::TextTower;
pub use trainer::{Scores, Trainer};
