//! The interface's named tensors as the model takes them: converted to f32 one by one, when they are asked for.

use harness_backend_abi::plugin::{Failure, Tensors};
use madclip::{HostTensor, ModelError};

/// Weights in OpenAI's names, of any float type.
pub(crate) struct Weights<'a>(pub(crate) &'a Tensors<'a>);

impl madclip::Tensors for Weights<'_> {
    fn get(&self, name: &str) -> Result<HostTensor<'_>, ModelError> {
        let tensor = self.0.get(name).ok_or_else(|| ModelError::MissingTensor { name: name.to_owned() })?;
        let data = tensor.to_f32().map_err(|failure| ModelError::Invalid(format!("`{name}`: {}", failure.message)))?;
        Ok(HostTensor { shape: tensor.shape.to_vec(), data })
    }
}

/// The values of a prompt tensor of N sentences; the model checks lengths that follow from the text tower.
pub(crate) fn indices(prompts: &Tensors<'_>, name: &str) -> Result<Vec<usize>, Failure> {
    let tensor = prompts.get(name).ok_or_else(|| Failure::invalid(format!("tensor `{name}` is missing")))?;
    Ok(tensor.u32()?.iter().map(|&index| index as usize).collect())
}
