//! Why a backend can't be used, and why a call on one failed.

use std::fmt;

use crate::plugin::Failure;
use crate::status::Status;
use crate::table;

/// Version of the interface, not of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Changes of meaning.
    pub major: u32,
    /// Additions.
    pub minor: u32,
}

impl Version {
    /// What this harness was built with.
    pub const HARNESS: Self = Self { major: table::MAJOR, minor: table::MINOR };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a table is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plugin returned no table, or one at an impossible address.
    #[error("the plugin gave no table: its address is {address:#x}")]
    NoTable {
        /// What it gave.
        address: usize,
    },
    /// The table does not begin as one.
    #[error(
        "not a backend of this harness: magic {found:#018x}, expected {:#018x}; it was built for interface {plugin}, the harness \
         has {}",
        table::MAGIC,
        Version::HARNESS
    )]
    Magic {
        /// What stands there.
        found: u64,
        /// What stands where the version should be.
        plugin: Version,
    },
    /// Another major version.
    #[error(
        "the backend was built for interface {plugin}, the harness has {}: the first number must be the same; build it \
         against this harness",
        Version::HARNESS
    )]
    Major {
        /// The plugin's.
        plugin: Version,
    },
    /// A table with fewer functions than its version has.
    #[error(
        "the backend's table has {found} bytes, at least {} are needed; it was built for interface {plugin}, the harness has {}",
        table::REQUIRED_SIZE,
        Version::HARNESS
    )]
    Size {
        /// Bytes it has by its own account.
        found: usize,
        /// The plugin's.
        plugin: Version,
    },
    /// A function that every backend has is null.
    #[error("the backend's table lacks `{function}`, which every backend has")]
    NoFunction {
        /// The function.
        function: &'static str,
    },
    /// A capability is announced, but one of its functions is null.
    #[error("backend `{backend}` announces `{capability}`, but its table lacks `{function}`")]
    EmptyCapability {
        /// The backend.
        backend: String,
        /// The capability.
        capability: &'static str,
        /// The first missing function.
        function: &'static str,
    },
    /// The backend could not describe itself.
    #[error("the backend could not describe itself: {message} ({status})")]
    Describe {
        /// Kind.
        status: Status,
        /// Its message.
        message: String,
    },
    /// Its description can't be read.
    #[error("the backend's description is not understood")]
    Description(#[source] serde_json::Error),
}

/// Why a call on a backend failed, or was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backend `{backend}`, {call}: {message} ({status})")]
pub struct BackendError {
    /// The backend's name.
    pub backend: String,
    /// The function of the table.
    pub call: &'static str,
    /// Kind.
    pub status: Status,
    /// The backend's message, or the host's where it refused the call.
    pub message: String,
}

impl BackendError {
    pub(super) fn new(backend: &str, call: &'static str, failure: Failure) -> Self {
        Self { backend: backend.to_owned(), call, status: failure.status, message: failure.message }
    }
}
