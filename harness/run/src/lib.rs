//! Running a plan: a scheduler that never loads a backend, worker processes that load one each, and the records they
//! leave. Arguments, messages and colours are the command line's; what a number means is `harness-metrics`'.
//!
//! A plan's trainings and evaluations are *records*: folders named by an id that hashes all that decides them. A record
//! is complete or absent, so running again does what is missing and nothing else.
//!
//! - [`World`] answers a plan's questions: datasets, support sets, weights, backends.
//! - [`run()`] does a plan's work; [`worker::serve`] is the other end of its pipe.
//! - [`predict`] scores images of no dataset with the state of a cell or of a file.
//! - [`bench`] measures backends by themselves, in turns.
//! - [`measure`] turns an evaluation's predictions into metrics, [`score()`] does so for a whole folder, [`collect`] turns
//!   records into rows and figures.

pub mod bench;
mod cell_result;
mod choice;
mod clock;
pub mod collect;
mod crew;
mod disk;
mod encoding;
mod error;
mod evaluating;
pub mod explain;
mod folder;
mod found;
mod grids;
mod journal;
mod lab;
pub mod measure;
mod memory;
mod notice;
mod pace;
pub mod predict;
mod predicting;
mod process;
mod protocol;
mod records;
mod registry;
mod replicates;
mod retry;
mod scheduler;
mod scoring;
mod sentences;
mod speed;
mod state;
mod state_metadata;
mod status;
mod test_set;
mod training;
mod truth;
mod units;
pub mod worker;
mod world;

pub use collect::{Results, collect};
pub use crew::Limits;
pub use disk::free_space;
pub use error::{Class, Error};
pub use folder::{Folder, Lock, Provenance};
pub use harness_experiment::BackendInfo;
pub use notice::{Notice, Observer, Phase};
pub use pace::Pace;
pub use process::{Program, probe};
pub use records::{Cost, EvaluationRecord, TrainingRecord};
pub use scheduler::{Finished, Options, run};
pub use scoring::{Scored, score};
pub use world::{World, WorldOptions};
