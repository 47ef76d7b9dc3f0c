//! What can go wrong in the model: wrong tensors, wrong arguments, numbers that are not finite.

/// An error of the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A tensor the architecture needs was not given.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// OpenAI's or the state's name.
        name: String,
    },
    /// A tensor has another shape than architecture and options need.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// OpenAI's or the state's name.
        name: String,
        /// What architecture and options need.
        expected: Vec<usize>,
        /// What was given.
        found: Vec<usize>,
    },
    /// An argument that does not fit the model.
    #[error("{0}")]
    Invalid(String),
    /// A loss that is not finite.
    #[error("the loss is not finite: detection {detection}, focal {focal}, dice {dice}")]
    NotFinite {
        /// Detection loss.
        detection: f32,
        /// Focal loss.
        focal: f32,
        /// Dice loss.
        dice: f32,
    },
}
