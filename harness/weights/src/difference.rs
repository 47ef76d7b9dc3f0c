//! How a file's tensors differ from the architecture that they imply.

use std::fmt;

use serde::Serialize;

use crate::WeightsError;
use crate::tensor::Dtype;

/// A difference between a file's tensors and the architecture they imply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// The architecture has a tensor that the file doesn't.
    Missing {
        /// The file's own name.
        name: String,
        /// The shape it should have, where that is known.
        expected: Option<Vec<usize>>,
    },
    /// A tensor has another shape.
    Misshapen {
        /// The file's own name.
        name: String,
        /// The shape the architecture implies.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor doesn't hold floating-point numbers.
    NotFloat {
        /// The file's own name.
        name: String,
        /// Its element type.
        found: Dtype,
    },
    /// The tensors are another kind of encoder's, contradict a file beside them, or have parts that are not read though
    /// results depend on them.
    OtherEncoder {
        /// What it is, and what to do.
        what: String,
    },
    /// The tensors imply no architecture.
    NoArchitecture {
        /// Why.
        what: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, expected: Some(expected) } => {
                write!(f, "`{name}` is missing; its shape is {expected:?}")
            }
            Self::Missing { name, expected: None } => write!(f, "`{name}` is missing"),
            Self::Misshapen { name, expected, found } => {
                write!(f, "`{name}` has shape {found:?}, expected {expected:?}")
            }
            Self::NotFloat { name, found } => write!(f, "`{name}` holds {found}, expected floating-point numbers"),
            Self::OtherEncoder { what } => f.write_str(what),
            Self::NoArchitecture { what } => write!(f, "no architecture: {what}"),
        }
    }
}

impl Difference {
    /// The tensor's name, where one is at fault.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Missing { name, .. } | Self::Misshapen { name, .. } | Self::NotFloat { name, .. } => Some(name),
            Self::OtherEncoder { .. } | Self::NoArchitecture { .. } => None,
        }
    }

    /// The same with another name of the tensor.
    pub(crate) fn renamed(mut self, rename: impl Fn(&str) -> String) -> Self {
        if let Self::Missing { name, .. } | Self::Misshapen { name, .. } | Self::NotFloat { name, .. } = &mut self {
            *name = rename(name);
        }
        self
    }

    pub(crate) fn into_error(self, origin: String) -> WeightsError {
        match self {
            Self::Missing { name, expected } => WeightsError::Missing { origin, name, expected },
            Self::Misshapen { name, expected, found } => WeightsError::Misshapen { origin, name, expected, found },
            Self::NotFloat { name, found } => WeightsError::NotFloat { origin, name, found: found.to_string() },
            Self::OtherEncoder { what } => WeightsError::OtherEncoder { origin, what },
            Self::NoArchitecture { what } => WeightsError::NotClip { origin, what },
        }
    }
}
