//! Tensors of a safetensors file; the `safetensors` crate checks its header.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use safetensors::SafeTensors;

use crate::WeightsError;
use crate::mapped::Mapped;
use crate::tensor::{Dtype, Storage, View};

/// Bytes before the header: its length.
const PREFIX: usize = 8;

pub(crate) fn tensors(file: &Arc<Mapped>) -> Result<Vec<(String, View)>, WeightsError> {
    let data = file.bytes();
    let refused = |error: safetensors::SafeTensorError| file.damaged(format!("safetensors: {error}"));
    // `deserialize` also checks that the tensors end where the file does.
    SafeTensors::deserialize(data).map_err(refused)?;
    let (header, metadata) = SafeTensors::read_metadata(data).map_err(refused)?;
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let dtype = dtype(info.dtype).ok_or_else(|| {
            file.unsupported(format!("tensor `{name}` holds {:?}; convert it to f16, bf16 or f32", info.dtype))
        })?;
        let (start, end) = info.data_offsets;
        let storage = Storage { start: PREFIX + header + start, length: end - start };
        let view = View::new(file, &storage, dtype, 0, info.shape.clone(), contiguous(&info.shape))
            .map_err(|what| file.damaged(format!("tensor `{name}`: {what}")))?;
        tensors.push((name, view));
    }
    Ok(tensors)
}

/// What a safetensors file says of itself: its `__metadata__`, empty where it has none.
///
/// # Errors
/// No such file, or no safetensors.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, WeightsError> {
    let file = Mapped::open(path)?;
    of_itself(&file)
}

pub(crate) fn of_itself(file: &Mapped) -> Result<BTreeMap<String, String>, WeightsError> {
    let (_, metadata) =
        SafeTensors::read_metadata(file.bytes()).map_err(|error| file.damaged(format!("safetensors: {error}")))?;
    Ok(metadata.metadata().clone().unwrap_or_default().into_iter().collect())
}

/// Strides of a row-major tensor; saturating, since a tensor without elements may state any other dimension.
fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

fn dtype(dtype: safetensors::Dtype) -> Option<Dtype> {
    Some(match dtype {
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::Bf16,
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F64 => Dtype::F64,
        safetensors::Dtype::I8 => Dtype::I8,
        safetensors::Dtype::I16 => Dtype::I16,
        safetensors::Dtype::I32 => Dtype::I32,
        safetensors::Dtype::I64 => Dtype::I64,
        safetensors::Dtype::U8 => Dtype::U8,
        safetensors::Dtype::BOOL => Dtype::Bool,
        _ => return None,
    })
}
