//! Every choice of the method, under the names that experiment files, golden cases and result tables share.

mod checks;
mod declare;
mod declared;
mod values;

pub use declare::{Complaint, Declared};
pub use declared::{
    Activation, Adapter, AdapterAttention, Aggregation, Branches, Loss, Normalize, Options, Overrides, PromptMask,
    PromptPosition, Prompts,
};

pub use crate::side::Side;
