//! CLIP weights, from every file format they are published in, under OpenAI's tensor names and checked against the
//! architecture that their shapes imply (docs/method.md sections 1 and 12). No tensor library and no arithmetic on
//! weights: values leave as plain f32 or f16, one tensor at a time.
//!
//! - [`Weights`] opens files or makes synthetic weights; [`inspect()`] says what a file is, including what is wrong
//!   with it.
//! - [`PickleFile`] reads any file of `torch.save` without running it; [`write_safetensors`] writes.
//! - [`Checkpoint`] is a trained state as MadCLIP's authors save it.
//!
//! Nothing in a file is trusted: lengths are checked against the file before anything is allocated, and a pickle is
//! parsed as data, never executed.

mod arch;
mod bytes;
mod checkpoint;
mod config;
mod difference;
mod error;
mod family;
mod inspect;
mod kind;
mod known;
mod leftover;
mod mapped;
mod naming;
mod opcode;
mod pickle;
mod pickle_machine;
mod reading;
mod safetensors_file;
mod source;
mod tensor;
mod torch_file;
mod weights;
mod write;
mod zip;

pub use arch::Heads;
pub use checkpoint::{Checkpoint, Contents};
pub use difference::Difference;
pub use error::WeightsError;
pub use inspect::{File, NonFinite, Report, Unfit, inspect, inspect_with};
pub use kind::Kind;
pub use safetensors_file::metadata as safetensors_metadata;
pub use tensor::{Dtype, Floats, Tensor};
pub use torch_file::PickleFile;
pub use weights::{Weights, combine_hashes};
pub use write::{write_safetensors, write_safetensors_with};
