//! Row-major tensors as both sides see them in Rust: borrowed, typed, checked.

use std::borrow::Cow;

use bytemuck::{Pod, PodCastError};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum DType {
    /// 32-bit float.
    F32 = 1,
    /// IEEE half.
    F16 = 2,
    /// bfloat16.
    Bf16 = 3,
    /// Unsigned byte.
    U8 = 4,
    /// Signed 32-bit integer.
    I32 = 5,
    /// Unsigned 32-bit integer.
    U32 = 6,
}

impl DType {
    /// Every type, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::F32, Self::F16, Self::Bf16, Self::U8, Self::I32, Self::U32];

    /// The number in the C interface.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The type of a number; `None` for one this version does not know.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.code() == code)
    }

    /// Bytes of an element, which is its alignment too.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::U8 => 1,
        }
    }

    /// The name in options and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::U8 => "u8",
            Self::I32 => "i32",
            Self::U32 => "u32",
        }
    }
}

/// Product of a shape; `None` where it overflows.
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
}

/// A borrowed row-major tensor. What a plugin receives was checked: `bytes` are as many as `shape` and `dtype` say, and
/// aligned for `dtype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorRef<'a> {
    /// Type of an element.
    pub dtype: DType,
    /// Shape; empty for a scalar.
    pub shape: &'a [usize],
    /// The elements, native byte order.
    pub bytes: &'a [u8],
}

impl<'a> TensorRef<'a> {
    /// The elements of an f32 tensor.
    ///
    /// # Errors
    /// Another type.
    pub fn f32(&self) -> Result<&'a [f32], Failure> {
        self.typed(DType::F32)
    }

    /// The elements of a u8 tensor.
    ///
    /// # Errors
    /// Another type.
    pub fn u8(&self) -> Result<&'a [u8], Failure> {
        self.typed(DType::U8)
    }

    /// The elements of a u32 tensor.
    ///
    /// # Errors
    /// Another type.
    pub fn u32(&self) -> Result<&'a [u32], Failure> {
        self.typed(DType::U32)
    }

    /// The elements of a float tensor as f32: borrowed from f32, converted from f16 and bf16.
    ///
    /// # Errors
    /// An integer type.
    pub fn to_f32(&self) -> Result<Cow<'a, [f32]>, Failure> {
        Ok(match self.dtype {
            DType::F16 => self.typed::<f16>(DType::F16)?.iter().map(|x| x.to_f32()).collect(),
            DType::Bf16 => self.typed::<bf16>(DType::Bf16)?.iter().map(|x| x.to_f32()).collect(),
            _ => Cow::Borrowed(self.f32()?),
        })
    }

    /// Itself, where it has this shape.
    ///
    /// # Errors
    /// Another shape; both are named.
    pub fn shaped(&self, what: &str, shape: &[usize]) -> Result<Self, Failure> {
        if self.shape == shape {
            return Ok(*self);
        }
        Err(Failure::invalid(format!("{what} has shape {:?}, expected {shape:?}", self.shape)))
    }

    fn typed<T: Pod>(&self, dtype: DType) -> Result<&'a [T], Failure> {
        if self.dtype != dtype {
            return Err(Failure::invalid(format!(
                "a tensor of {} where {} is needed",
                self.dtype.name(),
                dtype.name()
            )));
        }
        bytemuck::try_cast_slice(self.bytes).map_err(|cause: PodCastError| {
            Failure::invalid(format!("a tensor of {} at a bad address or length: {cause}", dtype.name()))
        })
    }
}

/// A borrowed tensor and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedTensor<'a> {
    /// OpenAI's name of a weight, or the name of a parameter (docs/method.md sections 1 and 5).
    pub name: &'a str,
    /// The values.
    pub tensor: TensorRef<'a>,
}

impl<'a> NamedTensor<'a> {
    /// A tensor of any type from its bytes, native byte order.
    pub fn new(name: &'a str, dtype: DType, shape: &'a [usize], bytes: &'a [u8]) -> Self {
        Self { name, tensor: TensorRef { dtype, shape, bytes } }
    }

    /// A tensor of f32.
    pub fn f32(name: &'a str, shape: &'a [usize], values: &'a [f32]) -> Self {
        Self::new(name, DType::F32, shape, bytemuck::cast_slice(values))
    }

    /// A tensor of u32.
    pub fn u32(name: &'a str, shape: &'a [usize], values: &'a [u32]) -> Self {
        Self::new(name, DType::U32, shape, bytemuck::cast_slice(values))
    }

    /// A tensor of u8.
    pub fn u8(name: &'a str, shape: &'a [usize], values: &'a [u8]) -> Self {
        Self::new(name, DType::U8, shape, values)
    }
}

/// An f32 tensor and its name, owned: a part of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedTensor {
    /// Name of the parameter.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// Values, as many as the shape says.
    pub values: Vec<f32>,
}

impl OwnedTensor {
    /// It, borrowed.
    pub fn as_named(&self) -> NamedTensor<'_> {
        NamedTensor::f32(&self.name, &self.shape, &self.values)
    }
}
