//! Why a call on a backend failed, as the backend says it.

use crate::status::Status;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({status})")]
pub struct Failure {
    /// Kind.
    pub status: Status,
    /// What failed, where, and what would help.
    pub message: String,
}

impl Failure {
    /// A failure of any kind.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// An option, a shape, a name or an index does not fit.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// Valid, but not done here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Status::Unsupported, message)
    }

    /// Out of memory.
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(Status::ResourceExhausted, message)
    }

    /// A number that is not finite.
    pub fn numeric(message: impl Into<String>) -> Self {
        Self::new(Status::Numeric, message)
    }

    /// The backend's own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Status::Internal, message)
    }
}
