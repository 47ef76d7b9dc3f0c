//! A tensor as it lies in a file (type, shape, strides, offset) and as it leaves this crate (f32, row-major).

use std::fmt;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde::Serialize;

use crate::WeightsError;
use crate::mapped::Mapped;

/// A named tensor, row-major f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// OpenAI's name, or the file's own for a [`crate::PickleFile`].
    pub name: String,
    /// Shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, as many as the shape's product.
    pub data: Vec<f32>,
}

/// Values in the narrower of two types that holds them exactly: what is handed to backends, which widen one tensor at a
/// time.
#[derive(Clone, Debug, PartialEq)]
pub enum Floats {
    /// As the file has them.
    F16(Vec<f16>),
    /// Of any other float type, as f32.
    F32(Vec<f32>),
}

/// Element type in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision; rounded to f32 when read.
    F64,
    /// Signed 8-bit integer.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 8-bit integer.
    U8,
    /// Boolean, a byte each.
    Bool,
}

impl Dtype {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Whether elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

/// A tensor in a mapped file. Invariant: every element that shape and strides reach lies inside the file, and the shape
/// has no more elements than the storage it views, so nothing larger than the file is ever allocated for it (but for
/// the widening to f32).
#[derive(Clone, Debug)]
pub(crate) struct View {
    file: Arc<Mapped>,
    dtype: Dtype,
    shape: Vec<usize>,
    /// In elements.
    strides: Vec<usize>,
    /// Of the first element, in bytes from the file's start.
    offset: usize,
}

/// Where a view's storage lies in its file, in bytes.
pub(crate) struct Storage {
    pub(crate) start: usize,
    pub(crate) length: usize,
}

impl View {
    /// A view of `storage` that begins at element `first`. `Err` says what reaches outside.
    pub(crate) fn new(
        file: &Arc<Mapped>,
        storage: &Storage,
        dtype: Dtype,
        first: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Self, String> {
        let elements = storage.length / dtype.size();
        let inside = storage.start.checked_add(storage.length).is_some_and(|end| end <= file.bytes().len());
        let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        let last = if shape.contains(&0) {
            Some(first)
        } else {
            shape.iter().zip(&strides).try_fold(first, |at, (d, s)| at.checked_add((d - 1).checked_mul(*s)?))
        };
        let fits = match (count, last) {
            (Some(0), Some(first)) => first <= elements,
            (Some(count), Some(last)) => count <= elements && last < elements,
            _ => false,
        };
        // Without elements, a dimension can state any number; nothing later should have to add such numbers up.
        let sane = shape.iter().all(|d| *d <= file.bytes().len());
        if !inside || !fits || !sane || shape.len() != strides.len() {
            return Err(format!(
                "shape {shape:?} with strides {strides:?} from element {first} reaches outside its storage of {elements}"
            ));
        }
        let offset = storage.start + first * dtype.size();
        Ok(Self { file: Arc::clone(file), dtype, shape, strides, offset })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub(crate) fn file(&self) -> &Arc<Mapped> {
        &self.file
    }

    /// The same matrix, rows and columns swapped. Another tensor stays as it is.
    pub(crate) fn transposed(mut self) -> Self {
        if self.shape.len() == 2 {
            self.shape.swap(0, 1);
            self.strides.swap(0, 1);
        }
        self
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(d, s)| {
            let matches = *d == 1 || *s == expected;
            expected *= d;
            matches
        })
    }

    /// Appends the values, row-major. The caller checks that the type is a float's.
    pub(crate) fn append_to(&self, out: &mut Vec<f32>) -> Result<(), WeightsError> {
        out.reserve_exact(self.shape.iter().product());
        self.runs(|bytes| append_run(self.dtype, bytes, out))
    }

    /// Appends the values of a tensor of f16 as they are, row-major.
    pub(crate) fn append_halves(&self, out: &mut Vec<f16>) -> Result<(), WeightsError> {
        out.reserve_exact(self.shape.iter().product());
        self.runs(|bytes| out.extend(bytes.as_chunks().0.iter().map(|half| f16::from_le_bytes(*half))))
    }

    /// How many values are NaN or infinite, as f32; integers never are.
    pub(crate) fn count_non_finite(&self) -> Result<usize, WeightsError> {
        let mut count = 0;
        self.runs(|bytes| count += non_finite(self.dtype, bytes))?;
        Ok(count)
    }

    /// How many values are finite and beyond [`HUGE`].
    pub(crate) fn count_huge(&self) -> Result<usize, WeightsError> {
        let mut count = 0;
        self.runs(|bytes| count += huge(self.dtype, bytes))?;
        Ok(count - self.count_non_finite()?)
    }

    /// Whether no value differs from zero.
    pub(crate) fn is_zero(&self) -> Result<bool, WeightsError> {
        let mut zero = true;
        self.runs(|bytes| zero = zero && is_zero(self.dtype, bytes))?;
        Ok(zero)
    }

    /// Hands over the elements' bytes, row-major, in runs as long as they lie together.
    fn runs(&self, mut each: impl FnMut(&[u8])) -> Result<(), WeightsError> {
        self.file.check_unchanged()?;
        let count: usize = self.shape.iter().product();
        if count == 0 {
            return Ok(());
        }
        let (size, bytes) = (self.dtype.size(), &self.file.bytes()[self.offset..]);
        if self.is_contiguous() {
            each(&bytes[..count * size]);
            return Ok(());
        }
        // Index by index, the last axis fastest.
        let mut index = vec![0; self.shape.len()];
        loop {
            let at = size * index.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>();
            each(&bytes[at..at + size]);
            let Some(axis) = (0..index.len()).rev().find(|a| index[*a] + 1 < self.shape[*a]) else { return Ok(()) };
            index[axis] += 1;
            index[axis + 1..].fill(0);
        }
    }

    /// Appends row `row` of a matrix. `row` must be below the first dimension.
    pub(crate) fn append_row(&self, row: usize, out: &mut Vec<f32>) -> Result<(), WeightsError> {
        let mut view = self.clone();
        view.offset += row * self.strides[0] * self.dtype.size();
        view.shape.remove(0);
        view.strides.remove(0);
        view.append_to(out)
    }
}

fn append_run(dtype: Dtype, bytes: &[u8], out: &mut Vec<f32>) {
    match dtype {
        Dtype::F32 => append_each(bytes, out, f32::from_le_bytes),
        Dtype::F64 => append_each(bytes, out, |b| f64::from_le_bytes(b) as f32),
        // In blocks, so that the conversion can use the processor's own instructions whatever the alignment.
        Dtype::F16 => {
            let (mut block, mut wide) = ([f16::ZERO; 1024], [0.0f32; 1024]);
            for part in bytes.chunks(2048) {
                let n = part.len() / 2;
                block.iter_mut().zip(part.chunks_exact(2)).for_each(|(h, b)| *h = f16::from_le_bytes([b[0], b[1]]));
                block[..n].convert_to_f32_slice(&mut wide[..n]);
                out.extend_from_slice(&wide[..n]);
            }
        }
        Dtype::Bf16 => append_each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I8 => append_each(bytes, out, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::I16 => append_each(bytes, out, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I32 => append_each(bytes, out, |b| i32::from_le_bytes(b) as f32),
        Dtype::I64 => append_each(bytes, out, |b| i64::from_le_bytes(b) as f32),
        Dtype::U8 | Dtype::Bool => append_each(bytes, out, |[b]| f32::from(b)),
    }
}

fn count<const N: usize>(bytes: &[u8], test: impl Fn([u8; N]) -> bool) -> usize {
    bytes.as_chunks::<N>().0.iter().map(|chunk| usize::from(test(*chunk))).sum()
}

/// What no trained weight comes near, 2^40 or 1.1e12: sums over a few layers of such overflow.
pub(crate) const HUGE: f64 = 1_099_511_627_776.0;

/// Values beyond [`HUGE`], those that are NaN or infinite among them, counted on the bits.
fn huge(dtype: Dtype, bytes: &[u8]) -> usize {
    // An exponent of 40 above the bias of 127.
    const EXPONENT: u32 = 167;
    match dtype {
        Dtype::F32 => count(bytes, |b| u32::from_le_bytes(b) & 0x7fff_ffff >= EXPONENT << 23),
        Dtype::F64 => count(bytes, |b| {
            let value = f64::from_le_bytes(b).abs();
            value >= HUGE || value.is_nan()
        }),
        Dtype::Bf16 => count(bytes, |b| u32::from(u16::from_le_bytes(b) & 0x7fff) >= EXPONENT << 7),
        // Of 16 bits only what is infinite is so large.
        Dtype::F16 => non_finite(dtype, bytes),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 | Dtype::U8 | Dtype::Bool => 0,
    }
}

/// Whether no value differs from zero, of either sign.
fn is_zero(dtype: Dtype, bytes: &[u8]) -> bool {
    match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().all(|b| u32::from_le_bytes(*b) << 1 == 0),
        Dtype::F64 => bytes.as_chunks().0.iter().all(|b| u64::from_le_bytes(*b) << 1 == 0),
        Dtype::F16 | Dtype::Bf16 => bytes.as_chunks().0.iter().all(|b| u16::from_le_bytes(*b) << 1 == 0),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 | Dtype::U8 | Dtype::Bool => bytes.iter().all(|b| *b == 0),
    }
}

/// Values with an exponent of ones, counted on the bits: a fraction of the time of widening them.
fn non_finite(dtype: Dtype, bytes: &[u8]) -> usize {
    match dtype {
        Dtype::F32 => count(bytes, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000),
        Dtype::F64 => count(bytes, |b| !(f64::from_le_bytes(b) as f32).is_finite()),
        Dtype::F16 => count(bytes, |b| u16::from_le_bytes(b) & 0x7c00 == 0x7c00),
        Dtype::Bf16 => count(bytes, |b| u16::from_le_bytes(b) & 0x7f80 == 0x7f80),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 | Dtype::U8 | Dtype::Bool => 0,
    }
}

fn append_each<const N: usize>(bytes: &[u8], out: &mut Vec<f32>, value: impl Fn([u8; N]) -> f32) {
    out.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)));
}
