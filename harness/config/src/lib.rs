//! Reads configuration files key by key: every mistake is noted with its line, column and what to write, and all of
//! them are reported at once. Both the experiment file and the registry of datasets are read this way.

mod describe;
mod expand;
mod keys;
mod named;
mod problems;
mod reader;
mod real;
pub mod schema;
mod source;
pub mod suggest;
mod text;
mod value;

pub use describe::Describe;
pub use expand::{ExpandError, expand};
pub use keys::Key;
pub use named::UnknownName;
pub use problems::{Findings, Problem, Problems};
pub use reader::{Homes, Table, parse, start};
pub use real::Real;
pub use source::Source;
pub use text::{escaped, read_text, without_mark};
pub use toml::Spanned;
pub use toml::de::DeValue;
pub use value::{FromValue, Kind, choose, names, wrong_kind};
