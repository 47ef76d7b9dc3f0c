//! Why a method can't be fitted or can't score.

/// An error of whoever lends a method what it needs.
pub type DeskError = Box<dyn std::error::Error + Send + Sync>;

/// Why a method can't be fitted or can't score.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Values that don't fill their shape.
    #[error("{what}: {found} values where {expected} are needed")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A support set without what the method learns from.
    #[error("the support set has no {what}, which `{method}` learns from; {advice}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// The method's name.
        method: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A regression whose minimum was not found.
    #[error("the regression did not come to its minimum: {0}; use a larger `strength`")]
    Diverged(&'static str),
    /// Principal components that were not found.
    #[error("the principal components were not found: their eigenvalues did not settle")]
    Eigenvalues,
    /// A value that is not finite.
    #[error("{0} holds a number that is not finite")]
    NotFinite(&'static str),
    /// Maps that can't be made.
    #[error(transparent)]
    Maps(#[from] harness_metrics::Error),
    /// What it needs could not be had.
    #[error(transparent)]
    Desk(#[from] DeskError),
}
