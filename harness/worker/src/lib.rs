//! The worker's side of a run: a process that loads one backend, does the jobs that come as lines on its standard
//! input, and reports on a pipe. It knows no plan, and no folder but those that its jobs name.

mod ahead;
mod closed;
mod encoding;
mod equipment;
mod error;
mod evaluating;
mod events;
mod held;
mod holding;
mod lab;
pub mod memory;
mod part;
mod predicting;
pub mod protocol;
mod referee;
mod resuming;
mod scorer;
mod sentences;
mod serve;
mod session;
mod speed;
mod stepped;
mod tensors;
pub mod test_set;
mod training;
mod weights;
mod workload;

pub use equipment::masks;
pub use error::Error;
pub use part::{Ask, Part};
pub use predicting::{DETECTION, FEW, GRIDS};
pub use serve::serve;
pub use session::PROCESSOR;
pub use weights::open_weights;
pub use workload::Workload;
