//! From an experiment file to what will be computed: raw text -> [`Spec`] (as typed) -> [`Plan`] (checked, complete).
//! No image, weight or backend is touched here: the world answers through [`Catalogue`].
//!
//! After [`Plan`] nothing is half valid: every option has a value, every name was found, every id is known.
//!
//! Ids hash all that decides a result and nothing else ([`ids`]), so two variants that resolve to the same options
//! share their trainings, evaluations and even cell ids: the work is done once, and the tables show the number twice.

pub mod catalogue;
mod check;
mod costs;
mod epochs;
mod error;
mod filter;
mod folds;
mod frozen;
pub mod ids;
mod listing;
mod matrix;
mod plan;
mod planner;
mod printing;
mod rules;
mod schema;
mod seeds;
mod smoke;
mod spec;
pub mod work;

pub use catalogue::{Catalogue, CatalogueError, DatasetFacts, EncoderSource, SupportFacts, WeightsFacts};
pub use costs::Costs;
pub use epochs::EpochRange;
pub use error::Error;
pub use filter::{CellStatus, Filter};
pub use folds::Fold;
pub use frozen::PLAN_FORMAT;
pub use ids::{CellId, ContentHash, EvaluationId, TrainingId};
pub use listing::Listing;
pub use plan::{Cell, Dataset, Encoder, Evaluation, MAX_CELLS, Plan, Support, Train, Training, Variant};
pub use printing::{FigureKind, Line, Numbers, Printing};
pub use rules::{Rule, Rules};
pub use schema::schema;
pub use smoke::SMOKE_SIDE;
pub use spec::{Spec, TransferObject, keys};
pub use work::Work;

pub use harness_config::Key;
pub use harness_method::{
    Backend, BackendInfo, Draw, DrawName, ImageScore, Precision, SCORING_BATCH, Selection, Shots, StorePrecision,
};
pub use harness_methods::{Method, MethodOptions};
