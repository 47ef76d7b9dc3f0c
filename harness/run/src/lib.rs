//! Running a plan: a scheduler that never loads a backend, the worker processes that do, and the metrics of what they
//! leave. Arguments, messages and colours are the command line's; what a number means is `harness-metrics`'.
//!
//! - [`World`] answers a plan's questions: datasets, support sets, weights, backends.
//! - [`run()`] does a plan's work; `harness_worker::serve` is the other end of its pipe.
//! - [`predict`] scores images of no dataset with the state of a cell or of a file.
//! - [`mod@bench`] measures backends by themselves, in turns.
//! - [`standing()`] says how far a results folder is, [`clean`] what no cell of it needs.
//! - [`measure`] turns an evaluation's predictions into metrics, [`score()`] does so for a whole folder.

pub mod bench;
mod cell_by_filter;
pub mod cell_by_id;
mod choice;
pub mod clean;
mod clock;
mod crew;
mod disk;
mod error;
mod executor;
pub mod explain;
mod found;
mod index;
mod judge;
mod lock;
mod looking;
mod make;
pub mod measure;
mod notice;
mod order;
mod outcome;
mod pace;
pub mod predict;
mod process;
mod retry;
mod scheduler;
mod scoring;
mod sound;
mod standing;
mod truth;
mod unit;
mod units;
mod unusable;
mod watch;
mod world;

pub use crew::Limits;
pub use disk::free_space;
pub use error::Error;
pub use harness_experiment::BackendInfo;
pub use lock::lock;
pub use looking::{Extent, WILL_FAIL};
pub use notice::{Notice, Observer, Phase};
pub use pace::Pace;
pub use process::Program;
pub use scheduler::{Finished, Options, run};
pub use scoring::{Scored, score};
pub use standing::{Counts, Standing, standing};
pub use watch::probe;
pub use world::{World, WorldOptions};
