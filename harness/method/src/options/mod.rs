//! Every choice of the method, under the names that experiment files, golden cases and result tables share.

pub mod checks;
pub mod declare;
mod declared;
mod values;

pub use declare::{Complaint, Declared};
// The options and the types of their values: a new one needs no line here.
pub use declared::*;

pub use crate::side::Side;
