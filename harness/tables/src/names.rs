//! Names in columns that only tables have.

use harness_method::{ImageScore, Selection};

/// What became of a cell of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Trained, evaluated, measured.
    Done,
    /// Started and did not end well; the row's message says why.
    Failed,
    /// Not started.
    #[default]
    NotRun,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::NotRun];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        }
    }
}

/// Whether a row is of a smoke test, whose numbers mean nothing. Files of earlier versions have no such column: what
/// they hold is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Smoke(pub bool);

/// What a publication may leave open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stated<T>(pub Option<T>);

impl<T> Stated<T> {
    pub(crate) const NOT_STATED: &'static str = "not stated";
}

impl Stated<Selection> {
    /// The rule's name, or `not stated`.
    pub fn name(self) -> &'static str {
        self.0.map_or(Self::NOT_STATED, Selection::name)
    }
}

impl Stated<ImageScore> {
    /// The score's name, or `not stated`.
    pub fn name(self) -> &'static str {
        self.0.map_or(Self::NOT_STATED, ImageScore::name)
    }
}
