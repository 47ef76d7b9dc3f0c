//! What the files of a results folder hold, and how they are read and written. No record is made here.
//!
//! A plan's trainings and evaluations are *records*: folders named by an id that hashes all that decides them. A record
//! is complete or absent, so running again does what is missing and nothing else.

mod cells;
mod claim;
mod class;
pub mod contents;
mod dates;
mod error;
mod folder;
mod format;
mod found;
mod grids;
mod ids;
pub mod journal;
pub mod metrics;
mod provenance;
mod records;
pub mod registry;
mod replicates;
pub mod state;
pub mod state_metadata;
mod status;
pub mod unfinished;

pub use cells::{CellRecords, CellResult, CellState, Detail, Evaluated, Number, chosen_epochs, planned, reads};
pub use class::Class;
pub use dates::now;
pub use error::Error;
pub use folder::Folder;
pub use format::{Stored as StoredFormat, read_toml, write_toml};
pub use found::Found;
pub use grids::{Grids, Slab};
pub use harness_disk::Lock;
pub use ids::{RecordId, RecordKind};
pub use journal::{Entry, Failure, Journal};
pub use metrics::{EpochMetrics, Measured, MeasuredWith, Measurement, best_epoch};
pub use provenance::Provenance;
pub use records::{Check, Cost, EvaluationRecord, Quantity, SecondPart, TrainingRecord, state_file};
pub use replicates::{RESAMPLING_SEED, ReplicateFile, ReplicateIndex, ReplicateSet, Stored, TruthId};
pub use state::StateTensor;
pub use status::Statuses;
pub use unfinished::Unfinished;
