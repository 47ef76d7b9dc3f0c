//! Writes safetensors one tensor at a time, durable or not at all.
//!
//! The header's entries are the `safetensors` crate's; its writer is not used, for three reasons: it serialises
//! metadata in a random order, and equal states must be equal files; its views can't fail, and reading a tensor can; it
//! renames a file that it has not synced.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use harness_disk::{DiskError, Durable};
use harness_method::StorePrecision;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde_json::json;

use crate::{Weights, WeightsError};

impl Weights {
    /// Writes all tensors as safetensors in OpenAI's names.
    ///
    /// # Errors
    /// As [`write_safetensors`], and whatever reading a tensor can meet.
    pub fn write_safetensors(&self, path: &Path, precision: StorePrecision) -> Result<(), WeightsError> {
        let layout: Vec<_> =
            self.names().map(|name| (name.to_owned(), self.shape(name).unwrap_or(&[]).to_vec())).collect();
        write_safetensors(path, &layout, precision, |name| Ok(self.tensor(name)?.data))
    }
}

/// Writes tensors of `layout` (names and shapes), asking for the values of one at a time, in order. The file, and the
/// folder where it is missing, appear under their names when the file is complete and synced.
///
/// # Errors
/// The system's; values that don't fit their shape; a name given twice; a finite value beyond f16; those of `values`.
pub fn write_safetensors(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: StorePrecision,
    values: impl FnMut(&str) -> Result<Vec<f32>, WeightsError>,
) -> Result<(), WeightsError> {
    write_safetensors_with(path, layout, precision, &[], values)
}

/// Like [`write_safetensors`], with entries for the file's `__metadata__` besides `format = "pt"`, which other readers
/// look for.
///
/// # Errors
/// As [`write_safetensors`].
pub fn write_safetensors_with(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: StorePrecision,
    metadata: &[(&str, String)],
    mut values: impl FnMut(&str) -> Result<Vec<f32>, WeightsError>,
) -> Result<(), WeightsError> {
    let header = header(path, layout, precision, metadata)?;
    let disk = |error: DiskError| WeightsError::Io { path: path.to_owned(), source: error.into_io() };
    let io = |source| WeightsError::Io { path: path.to_owned(), source };
    let mut file = Durable::create(path).map_err(disk)?;
    let mut out = BufWriter::with_capacity(1 << 20, &mut file);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    out.write_all(&header).map_err(io)?;
    let mut half = [f16::ZERO; 1024];
    for (name, shape) in layout {
        let values = values(name)?;
        let expected = elements(shape);
        if values.len() != expected {
            return Err(WeightsError::Length {
                path: path.to_owned(),
                name: name.clone(),
                expected,
                found: values.len(),
            });
        }
        for block in values.chunks(half.len()) {
            let bytes: Vec<u8> = match precision {
                StorePrecision::F32 => block.iter().flat_map(|value| value.to_le_bytes()).collect(),
                StorePrecision::F16 => {
                    let half = &mut half[..block.len()];
                    half.convert_from_f32_slice(block);
                    if let Some((value, _)) = block.iter().zip(&*half).find(|(v, h)| v.is_finite() && !h.is_finite()) {
                        let (path, name, value) = (path.to_owned(), name.clone(), *value);
                        return Err(WeightsError::Overflow { path, name, value });
                    }
                    half.iter().flat_map(|value| value.to_le_bytes()).collect()
                }
            };
            out.write_all(&bytes).map_err(io)?;
        }
    }
    out.flush().map_err(io)?;
    drop(out);
    file.commit().map_err(disk)
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, d| n.saturating_mul(*d))
}

/// The JSON header, filled with blanks to a multiple of eight bytes. Keys are sorted, so equal tensors and metadata
/// give equal bytes.
fn header(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: StorePrecision,
    metadata: &[(&str, String)],
) -> Result<Vec<u8>, WeightsError> {
    let origin = || path.display().to_string();
    let dtype = match precision {
        StorePrecision::F16 => Dtype::F16,
        StorePrecision::F32 => Dtype::F32,
    };
    let about = [("format", "pt")].into_iter().chain(metadata.iter().map(|(key, value)| (*key, value.as_str())));
    let mut table = BTreeMap::from([("__metadata__", json!(about.collect::<BTreeMap<_, _>>()))]);
    let mut begin = 0usize;
    for (name, shape) in layout {
        let end = begin.saturating_add(elements(shape).saturating_mul(precision.size()));
        let info = TensorInfo { dtype, shape: shape.clone(), data_offsets: (begin, end) };
        if table.insert(name.as_str(), json!(info)).is_some() {
            return Err(WeightsError::Arch { origin: origin(), what: format!("tensor `{name}` is given twice") });
        }
        begin = end;
    }
    let mut header = json!(table).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}
