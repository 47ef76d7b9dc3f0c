//! From checked Rust slices to the structs of the C side, inside the harness.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::mem::size_of;

use crate::plugin::Failure;
use crate::table;
use crate::tensor::{DType, NamedTensor, elements};

/// Refuses a slice that is not as long as its shape says.
pub(super) fn check(what: &str, length: usize, shape: &[usize]) -> Result<(), Failure> {
    match elements(shape) {
        Some(needed) if needed == length => Ok(()),
        Some(needed) => {
            Err(Failure::invalid(format!("{what} has {length} elements, its shape {shape:?} needs {needed}")))
        }
        None => Err(Failure::invalid(format!("{what} has the impossible shape {shape:?}"))),
    }
}

/// Fills buffers for answers: a value that a backend leaves unwritten is then NaN, and noticed.
pub(super) const UNWRITTEN: f32 = f32::NAN;

/// A buffer for an answer. Sizes come from a file in the end, so one that can't be had is an error.
pub(super) fn buffer(what: &str, shape: &[usize]) -> Result<Vec<f32>, Failure> {
    let n = elements(shape).ok_or_else(|| Failure::invalid(format!("{what} has the impossible shape {shape:?}")))?;
    let mut values = Vec::new();
    values
        .try_reserve_exact(n)
        .map_err(|_| Failure::exhausted(format!("no memory on the host for {what} of shape {shape:?}")))?;
    values.resize(n, UNWRITTEN);
    Ok(values)
}

/// Refuses an answer with a number that is not finite, or that was not written.
pub(super) fn finite(what: &str, values: &[f32]) -> Result<(), Failure> {
    // Without an early exit a block is checked by vector instructions.
    let block = |values: &[f32]| values.iter().fold(true, |all, value| all & value.is_finite());
    if values.chunks(4096).all(block) {
        return Ok(());
    }
    Err(Failure::numeric(format!("{what} holds a number that is not finite, or was not written")))
}

fn raw(name: Option<&str>, dtype: DType, shape: &[usize], data: *mut c_void, bytes: usize) -> table::Tensor {
    table::Tensor {
        size: size_of::<table::Tensor>(),
        name: name.map_or(std::ptr::null(), |name| name.as_ptr().cast()),
        name_length: name.map_or(0, str::len),
        dtype: dtype.code(),
        // A slice's length beyond u32 is refused by the backend as a rank it does not know.
        rank: u32::try_from(shape.len()).unwrap_or(u32::MAX),
        shape: shape.as_ptr(),
        data,
        bytes,
    }
}

/// An element type that may cross.
pub(super) trait Element: bytemuck::Pod {
    /// Its number.
    const DTYPE: DType;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}

impl Element for u8 {
    const DTYPE: DType = DType::U8;
}

impl Element for u32 {
    const DTYPE: DType = DType::U32;
}

/// A tensor the backend reads. Valid while both slices are.
pub(super) fn input<T: Element>(shape: &[usize], values: &[T]) -> table::Tensor {
    raw(None, T::DTYPE, shape, values.as_ptr().cast_mut().cast(), size_of_val(values))
}

/// A tensor the backend writes. Valid while both slices are, and nothing else uses `values` meanwhile.
pub(super) fn output(shape: &[usize], values: &mut [f32]) -> table::Tensor {
    raw(None, DType::F32, shape, values.as_mut_ptr().cast(), size_of_val(values))
}

/// A named tensor the backend writes. As for [`output`].
pub(super) fn named_output(name: &str, shape: &[usize], values: &mut [f32]) -> table::Tensor {
    raw(Some(name), DType::F32, shape, values.as_mut_ptr().cast(), size_of_val(values))
}

/// Named tensors that the backend reads, with the memory they refer to.
pub(super) struct Inputs<'a> {
    tensors: Vec<table::Tensor>,
    // What some of `tensors` point into: moving these vectors does not move their elements.
    _copies: Vec<Vec<u64>>,
    _lent: PhantomData<&'a [NamedTensor<'a>]>,
}

impl<'a> Inputs<'a> {
    /// Checks lengths; a tensor at an address that does not fit its type, as may come from a mapped file, is copied.
    pub(super) fn new(tensors: &'a [NamedTensor<'a>]) -> Result<Self, Failure> {
        let (mut raws, mut copies) = (Vec::with_capacity(tensors.len()), Vec::new());
        for NamedTensor { name, tensor } in tensors {
            let unit = tensor.dtype.bytes();
            if tensor.bytes.len() % unit != 0 {
                let (n, dtype) = (tensor.bytes.len(), tensor.dtype.name());
                return Err(Failure::invalid(format!("tensor `{name}` has {n} bytes, no whole number of {dtype}")));
            }
            check(&format!("tensor `{name}`"), tensor.bytes.len() / unit, tensor.shape)?;
            let mut data = tensor.bytes.as_ptr();
            if data.addr() % unit != 0 {
                let mut copy = vec![0_u64; tensor.bytes.len().div_ceil(size_of::<u64>())];
                bytemuck::cast_slice_mut::<u64, u8>(&mut copy)[..tensor.bytes.len()].copy_from_slice(tensor.bytes);
                data = copy.as_ptr().cast();
                copies.push(copy);
            }
            raws.push(raw(Some(name), tensor.dtype, tensor.shape, data.cast_mut().cast(), tensor.bytes.len()));
        }
        Ok(Self { tensors: raws, _copies: copies, _lent: PhantomData })
    }

    pub(super) fn as_ptr(&self) -> *const table::Tensor {
        self.tensors.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.tensors.len()
    }
}
