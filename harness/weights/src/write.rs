//! Writing safetensors one tensor at a time, durable or not at all. Reading them is in `safetensors_file`.

use std::io::{BufWriter, Write};
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use serde_json::{Map, Value, json};

use crate::{Weights, WeightsError};

/// Element type of written weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// IEEE half precision, rounded to nearest even.
    F16,
    /// IEEE single precision.
    F32,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::F32 => "F32",
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

impl Weights {
    /// Writes all tensors as safetensors in OpenAI's names: a converter, and for synthetic weights a generator.
    ///
    /// # Errors
    /// As [`write_safetensors`], and whatever reading a tensor can meet.
    pub fn write_safetensors(&self, path: &Path, precision: Precision) -> Result<(), WeightsError> {
        let layout: Vec<_> =
            self.names().map(|name| (name.to_owned(), self.shape(name).unwrap_or(&[]).to_vec())).collect();
        write_safetensors(path, &layout, precision, |name| Ok(self.tensor(name)?.data))
    }
}

/// Writes tensors of `layout` (names and shapes), asking for the values of one at a time, in order. The file appears
/// under its name when it is complete and synced.
///
/// # Errors
/// The system's, values that don't fit their shape, a name given twice, a finite value beyond f16, and those of `values`.
pub fn write_safetensors(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: Precision,
    values: impl FnMut(&str) -> Result<Vec<f32>, WeightsError>,
) -> Result<(), WeightsError> {
    write_safetensors_with(path, layout, precision, &[], values)
}

/// Like [`write_safetensors`], with entries for the file's `__metadata__` besides `format = "pt"`, which other readers look
/// for.
///
/// # Errors
/// As [`write_safetensors`].
pub fn write_safetensors_with(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: Precision,
    metadata: &[(&str, String)],
    mut values: impl FnMut(&str) -> Result<Vec<f32>, WeightsError>,
) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io { path: path.to_owned(), source };
    let header = header(path, layout, precision, metadata)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: what the umask leaves.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.prefix(".weights-").tempfile_in(folder).map_err(io)?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
    out.write_all(&header).map_err(io)?;
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
        match precision {
            Precision::F32 => {
                for block in values.chunks(1024) {
                    let bytes: Vec<u8> = block.iter().flat_map(|v| v.to_le_bytes()).collect();
                    out.write_all(&bytes).map_err(io)?;
                }
            }
            Precision::F16 => {
                let mut half = [f16::ZERO; 1024];
                for block in values.chunks(1024) {
                    let half = &mut half[..block.len()];
                    half.convert_from_f32_slice(block);
                    if let Some((value, _)) = block.iter().zip(&*half).find(|(v, h)| v.is_finite() && !h.is_finite()) {
                        let (path, name, value) = (path.to_owned(), name.clone(), *value);
                        return Err(WeightsError::Overflow { path, name, value });
                    }
                    let bytes: Vec<u8> = half.iter().flat_map(|h| h.to_le_bytes()).collect();
                    out.write_all(&bytes).map_err(io)?;
                }
            }
        }
    }
    out.flush().map_err(io)?;
    drop(out);
    temporary.as_file().sync_all().map_err(io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(())
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, d| n.saturating_mul(*d))
}

/// The JSON header, filled with blanks to a multiple of eight bytes.
fn header(
    path: &Path,
    layout: &[(String, Vec<usize>)],
    precision: Precision,
    metadata: &[(&str, String)],
) -> Result<Vec<u8>, WeightsError> {
    let mut table = Map::new();
    let about = [("format", "pt")].into_iter().chain(metadata.iter().map(|(key, value)| (*key, value.as_str())));
    table.insert("__metadata__".to_owned(), about.map(|(key, value)| (key.to_owned(), json!(value))).collect());
    let mut at = 0usize;
    for (name, shape) in layout {
        let end = at.saturating_add(elements(shape).saturating_mul(precision.size()));
        let entry = json!({"dtype": precision.name(), "shape": shape, "data_offsets": [at, end]});
        if table.insert(name.clone(), entry).is_some() {
            let what = format!("tensor `{name}` is given twice");
            return Err(WeightsError::Arch { origin: path.display().to_string(), what });
        }
        at = end;
    }
    let mut header = Value::Object(table).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}
