//! The kinds of failure that both sides know.

use std::fmt;

/// The number a successful call returns.
pub const OK: i32 = 0;

/// Why a call failed. Success is not among them: in Rust it is `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// An option, a shape, a name or an index that does not fit.
    InvalidArgument = 1,
    /// Valid, but not something this backend does.
    Unsupported = 2,
    /// Memory, host's or device's, ran out.
    ResourceExhausted = 3,
    /// A loss or a score that is not finite.
    Numeric = 4,
    /// A fault of the backend itself: a caught panic, a driver's error.
    Internal = 5,
}

impl Status {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::InvalidArgument, Self::Unsupported, Self::ResourceExhausted, Self::Numeric, Self::Internal];

    /// The number in the C interface.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The kind of a number other than [`OK`]; `None` for one this version does not know.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidArgument => "invalid argument",
            Self::Unsupported => "unsupported",
            Self::ResourceExhausted => "resource exhausted",
            Self::Numeric => "numeric",
            Self::Internal => "internal",
        })
    }
}
