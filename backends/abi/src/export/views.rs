//! From the C side's pointers to Rust slices, inside a plugin. Sizes, types, shapes, lengths, alignment and overlap are
//! checked.

use std::ffi::c_char;
use std::mem::size_of;

use crate::plugin::{Failure, Output, Outputs, Tensors};
use crate::table;
use crate::tensor::{DType, NamedTensor, TensorRef, elements};

/// More sides than any tensor here has; a larger rank is a stray number.
const MAX_RANK: usize = 8;

/// A tensor of the caller's, checked except for its use.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    name: Option<&'a str>,
    dtype: DType,
    pub(super) shape: &'a [usize],
    data: *mut u8,
    bytes: usize,
}

/// UTF-8 text of the caller's.
///
/// # Safety
/// `data` is null or has `length` readable bytes for `'a`.
pub(super) unsafe fn text<'a>(what: &str, data: *const c_char, length: usize) -> Result<&'a str, Failure> {
    if data.is_null() && length != 0 {
        return Err(Failure::invalid(format!("{what} is null")));
    }
    if length > isize::MAX as usize {
        return Err(Failure::invalid(format!("{what} has an impossible length of {length}")));
    }
    // SAFETY: not null or of length 0, readable by this function's contract, no longer than a slice may be.
    let bytes = if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) } };
    std::str::from_utf8(bytes).map_err(|cause| Failure::invalid(format!("{what} is not UTF-8: {cause}")))
}

impl<'a> View<'a> {
    /// One tensor.
    ///
    /// # Safety
    /// `tensor` is null or a `table::Tensor` of its own `size`, whose pointers are null or valid for `'a`.
    pub(super) unsafe fn one(what: &str, tensor: *const table::Tensor) -> Result<Self, Failure> {
        // SAFETY: the same contract.
        match unsafe { Self::optional(what, tensor) }? {
            Some(view) => Ok(view),
            None => Err(Failure::invalid(format!("{what} is null"))),
        }
    }

    /// One tensor, or null.
    ///
    /// # Safety
    /// As for [`View::one`].
    pub(super) unsafe fn optional(what: &str, tensor: *const table::Tensor) -> Result<Option<Self>, Failure> {
        if tensor.is_null() {
            return Ok(None);
        }
        // SAFETY: not null, and valid by this function's contract.
        unsafe { Self::read(what, tensor) }.map(|(view, _)| Some(view))
    }

    /// An array of tensors, each as far from the one before as that one's `size` says.
    ///
    /// # Safety
    /// `tensors` is null or the first of `count` tensors, each as for [`View::one`].
    pub(super) unsafe fn many(what: &str, tensors: *const table::Tensor, count: usize) -> Result<Vec<Self>, Failure> {
        if tensors.is_null() && count != 0 {
            return Err(Failure::invalid(format!("{what} is null where {count} tensors are announced")));
        }
        let mut views = Vec::new();
        let mut next = tensors;
        for index in 0..count {
            // SAFETY: `next` is the tensor of this index, by the contract and the sizes read so far.
            let (view, size) = unsafe { Self::read(&format!("{what}[{index}]"), next) }?;
            views.push(view);
            next = next.wrapping_byte_add(size);
        }
        Ok(views)
    }

    /// A tensor and its struct's size.
    ///
    /// # Safety
    /// As for [`View::one`], and not null.
    unsafe fn read(what: &str, tensor: *const table::Tensor) -> Result<(Self, usize), Failure> {
        if !tensor.is_aligned() {
            return Err(Failure::invalid(format!("{what} is not at an aligned address")));
        }
        // SAFETY: aligned, and every struct begins with its size.
        let size = unsafe { tensor.cast::<usize>().read() };
        if size < size_of::<table::Tensor>() || size % align_of::<table::Tensor>() != 0 {
            let needed = size_of::<table::Tensor>();
            return Err(Failure::invalid(format!("{what} is a struct of {size} bytes, expected {needed}")));
        }
        // SAFETY: the struct says that it has at least the fields known here.
        let raw = unsafe { tensor.read() };
        let name = if raw.name.is_null() {
            None
        } else {
            // SAFETY: a name that is not null has `name_length` bytes, by the contract.
            Some(unsafe { text(&format!("{what}.name"), raw.name, raw.name_length) }?)
        };
        let what = name.map_or_else(|| what.to_owned(), |name| format!("tensor `{name}`"));
        let dtype = DType::from_code(raw.dtype)
            .ok_or_else(|| Failure::invalid(format!("{what} has the unknown type {}", raw.dtype)))?;
        let rank = raw.rank as usize;
        if rank > MAX_RANK || (rank > 0 && (raw.shape.is_null() || !raw.shape.is_aligned())) {
            return Err(Failure::invalid(format!("{what} has rank {rank} and no usable shape")));
        }
        // SAFETY: a rank above 0 comes with an aligned pointer to as many sides.
        let shape = if rank == 0 { &[] } else { unsafe { std::slice::from_raw_parts(raw.shape, rank) } };
        let needed = elements(shape)
            .and_then(|n| n.checked_mul(dtype.bytes()))
            .filter(|&bytes| bytes <= isize::MAX as usize)
            .ok_or_else(|| Failure::invalid(format!("{what} has the impossible shape {shape:?}")))?;
        if needed != raw.bytes {
            let (bytes, dtype) = (raw.bytes, dtype.name());
            return Err(Failure::invalid(format!(
                "{what} has {bytes} bytes, but its shape {shape:?} of {dtype} needs {needed}"
            )));
        }
        if needed > 0 && (raw.data.is_null() || raw.data.addr() % dtype.bytes() != 0) {
            return Err(Failure::invalid(format!("{what} has null or misaligned data")));
        }
        Ok((Self { name, dtype, shape, data: raw.data.cast(), bytes: needed }, size))
    }

    /// Itself, where type and shape are these.
    pub(super) fn expect(self, what: &str, dtype: DType, shape: &[usize]) -> Result<Self, Failure> {
        if self.dtype != dtype || self.shape != shape {
            return Err(Failure::invalid(format!(
                "{what} is {} {:?}, expected {} {shape:?}",
                self.dtype.name(),
                self.shape,
                dtype.name()
            )));
        }
        Ok(self)
    }

    /// It, as input.
    ///
    /// # Safety
    /// Its data is readable for `'a` and not written meanwhile: see [`disjoint`].
    pub(super) unsafe fn input(&self) -> TensorRef<'a> {
        // SAFETY: `bytes` were compared with the shape; not null; readable by this function's contract.
        let bytes = if self.bytes == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.bytes) } };
        TensorRef { dtype: self.dtype, shape: self.shape, bytes }
    }

    /// It, as output.
    ///
    /// # Errors
    /// Not f32.
    ///
    /// # Safety
    /// Its data is writable and initialised for `'a`, and used through nothing else meanwhile: see [`disjoint`].
    pub(super) unsafe fn output(&self, what: &str) -> Result<&'a mut [f32], Failure> {
        self.expect(what, DType::F32, self.shape)?;
        if self.bytes == 0 {
            return Ok(&mut []);
        }
        // SAFETY: aligned and as long as the shape says, checked when it was read; exclusive by this function's
        // contract.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.data.cast::<f32>(), self.bytes / size_of::<f32>()) })
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }
}

/// Refuses outputs that share memory with one another or with an input: two Rust slices must not.
pub(super) fn disjoint(inputs: &[View<'_>], outputs: &[View<'_>]) -> Result<(), Failure> {
    let range = |view: &View<'_>, output| (view.data.addr(), view.data.addr().saturating_add(view.bytes), output);
    let mut ranges: Vec<(usize, usize, bool)> =
        inputs.iter().map(|view| range(view, false)).chain(outputs.iter().map(|view| range(view, true))).collect();
    ranges.retain(|(start, end, _)| start < end);
    ranges.sort_unstable();
    let (mut all_end, mut output_end) = (0, 0);
    for (start, end, output) in ranges {
        if start < if output { all_end } else { output_end } {
            return Err(Failure::invalid("an output buffer overlaps with another buffer of the call"));
        }
        all_end = all_end.max(end);
        if output {
            output_end = output_end.max(end);
        }
    }
    Ok(())
}

fn names<'a>(what: &str, views: &[View<'a>]) -> Result<Vec<&'a str>, Failure> {
    let mut names = Vec::with_capacity(views.len());
    for view in views {
        names.push(view.name.ok_or_else(|| Failure::invalid(format!("a tensor of {what} has no name")))?);
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Failure::invalid(format!("tensor `{}` is twice in {what}", pair[0]))),
        None => Ok(names),
    }
}

/// Named inputs.
///
/// # Safety
/// As for [`View::many`] and [`View::input`].
pub(super) unsafe fn named_inputs<'a>(
    what: &str,
    tensors: *const table::Tensor,
    count: usize,
) -> Result<Tensors<'a>, Failure> {
    // SAFETY: the same contract.
    let views = unsafe { View::<'a>::many(what, tensors, count) }?;
    let names = names(what, &views)?;
    let tensors = names.into_iter().zip(&views).map(|(name, view)| {
        // SAFETY: the same contract.
        NamedTensor { name, tensor: unsafe { view.input() } }
    });
    Ok(Tensors(tensors.collect()))
}

/// Named outputs, apart from one another and from `inputs`.
///
/// # Safety
/// As for [`View::many`]; the data of each is writable and initialised for `'a`.
pub(super) unsafe fn named_outputs<'a>(
    what: &str,
    tensors: *const table::Tensor,
    count: usize,
    inputs: &[View<'_>],
) -> Result<Outputs<'a>, Failure> {
    // SAFETY: the same contract.
    let views = unsafe { View::<'a>::many(what, tensors, count) }?;
    let names = names(what, &views)?;
    disjoint(inputs, &views)?;
    let mut outputs = Vec::with_capacity(views.len());
    for (name, view) in names.into_iter().zip(&views) {
        // SAFETY: writable by the contract, and `disjoint` found no other use.
        let values = unsafe { view.output(&format!("tensor `{name}`")) }?;
        outputs.push(Output { name, shape: view.shape, values, filled: false });
    }
    Ok(Outputs(outputs))
}
