//! Errors of the model: wrong tensors, wrong arguments, numbers that are not finite.

/// An error of the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A tensor that the architecture needs is missing.
    #[error("tensor `{name}` is missing")]
    MissingTensor {
        /// OpenAI's or the state's name.
        name: String,
    },
    /// A tensor's shape isn't the one that architecture and options need.
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
    #[error("the loss is not finite: {}", listed(.losses))]
    NotFinite {
        /// Every loss of the step, by name.
        losses: Vec<(&'static str, f32)>,
    },
}

fn listed(losses: &[(&'static str, f32)]) -> String {
    losses.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_tensor_with_both_shapes_and_every_loss() {
        let shape = ModelError::Shape { name: "ln".into(), expected: vec![3], found: vec![1, 2] };
        assert_eq!(shape.to_string(), "tensor `ln` has shape [1, 2], expected [3]");
        let losses = ModelError::NotFinite { losses: vec![("detection", f32::NAN), ("dice", 0.5)] };
        assert_eq!(losses.to_string(), "the loss is not finite: detection NaN, dice 0.5");
    }
}
