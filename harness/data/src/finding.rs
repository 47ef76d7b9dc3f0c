//! What is found wrong with a dataset, and how bad it is.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A run would fail, or its numbers would be wrong.
    Error,
    /// Numbers may be wrong.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What, where, and what to do.
    pub message: String,
    /// How many things like that it stands for.
    pub count: usize,
}
