//! What the files of a results folder hold, and how they are read and written. No record is made here.
//!
//! A plan's trainings and evaluations are *records*: folders named by an id that hashes all that decides them. A record is
//! complete or absent, so running again does what is missing and nothing else.

mod cell_result;
mod class;
mod dates;
mod error;
mod folder;
mod grids;
pub mod journal;
pub mod metrics;
mod records;
pub mod registry;
mod replicates;
pub mod state;
pub mod state_metadata;
mod status;

pub use cell_result::{CellResult, chosen_epochs, reads, reported_epochs};
pub use class::Class;
pub use dates::{date, now};
pub use error::Error;
pub use folder::{Folder, Lock, Provenance};
pub use grids::{Grids, Slab};
pub use journal::{Entry, Journal};
pub use metrics::{EpochValues, ImageValues, Measured, MeasuredWith, Measurement, PixelValues, Reported, best_epoch};
pub use records::{Cost, EvaluationRecord, FORMAT, TrainingRecord, read_toml, state_file, write_toml};
pub use replicates::{RESAMPLING_SEED, ReplicateFile, ReplicateIndex, ReplicateSet, Stored, TruthId};
pub use state::StateTensor;
pub use status::Statuses;
