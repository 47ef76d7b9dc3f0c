//! Reads taps: one image's, or a batch's gathered into one tensor.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::chunk::{Chunk, Mapping, Verify};
use crate::error::Error;
use crate::shape::{Shape, StoreDtype};

/// The taps of one image. While it lives its chunk stays mapped, and no process evicts it. One file stays open per
/// mapped chunk. As with every map, a disk that fails under it ends the process with a signal (SIGBUS).
#[derive(Clone)]
pub struct Entry {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) record: usize,
    pub(crate) verify: Verify,
}

impl Entry {
    /// Shape of the image's taps.
    pub fn shape(&self) -> Shape {
        self.chunk.contents.shape
    }

    /// Compares the image's stored bytes with their checksums, once for each open store.
    pub(crate) fn check(&self) -> Result<(), Error> {
        (0..self.shape().taps())
            .try_for_each(|tap| self.chunk.tap(&self.mapping, self.record, tap, Verify::FirstTouch).map(|_| ()))
    }

    /// The chunk's file, for [`crate::TapStore::forget`].
    pub fn chunk(&self) -> &Path {
        &self.chunk.path
    }

    /// Copies all taps, [taps, T, W].
    ///
    /// # Errors
    /// `Length` for a buffer of another length, `Corrupt` if the bytes differ from their checksum.
    pub fn read_f32(&self, out: &mut [f32]) -> Result<(), Error> {
        check_length("the buffer for an image's taps", out.len(), self.shape().image_len())?;
        let tap_len = self.shape().tap_len();
        out.par_chunks_mut(tap_len).enumerate().try_for_each(|(tap, out)| self.read_tap_f32(tap, out))
    }

    /// Copies one tap, [T, W]; `tap` is its index in the shape, from 0.
    ///
    /// # Errors
    /// As [`Self::read_f32`], and `OutOfRange` for a tap that does not exist.
    pub fn read_tap_f32(&self, tap: usize, out: &mut [f32]) -> Result<(), Error> {
        self.read_rows_f32(tap, 0..self.shape().tokens(), out)
    }

    /// Copies a range of one tap's tokens, [tokens.len(), W]. `1..T` leaves out the class token.
    ///
    /// # Errors
    /// As [`Self::read_tap_f32`], and `OutOfRange` for tokens that do not exist.
    pub fn read_rows_f32(&self, tap: usize, tokens: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let shape = self.shape();
        check_index("tap", tap, shape.taps())?;
        check_tokens(&tokens, shape)?;
        check_length("the buffer for a tap's tokens", out.len(), tokens.len() * shape.width())?;
        let row = shape.width() * shape.dtype().size();
        let bytes =
            &self.chunk.tap(&self.mapping, self.record, tap, self.verify)?[tokens.start * row..tokens.end * row];
        match shape.dtype() {
            // As bytes both ways: no claim about the alignment of the map is needed.
            StoreDtype::F32 => bytemuck::cast_slice_mut(out).copy_from_slice(bytes),
            StoreDtype::F16 => match bytemuck::try_cast_slice::<u8, f16>(bytes) {
                Ok(values) => values.convert_to_f32_slice(out),
                Err(_) => {
                    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                        *out = f16::from_le_bytes(*bytes).to_f32();
                    }
                }
            },
        }
        Ok(())
    }
}

/// The taps of an ordered list of images of one shape: what a trainer holds of its support set, a scorer of its
/// test set.
pub struct TapSet {
    entries: Vec<Entry>,
    shape: Shape,
}

impl TapSet {
    /// A set of at least one image.
    ///
    /// # Errors
    /// `OutOfRange` for an empty list, `ShapeMismatch` if two entries differ in shape.
    pub fn new(entries: Vec<Entry>) -> Result<Self, Error> {
        let shape = entries.first().ok_or(Error::OutOfRange { what: "image", index: 0, count: 0 })?.shape();
        if let Some(other) = entries.iter().find(|entry| entry.shape() != shape) {
            return Err(Error::ShapeMismatch {
                file: other.chunk.path.clone(),
                found: other.shape().to_string(),
                expected: shape.to_string(),
            });
        }
        Ok(Self { entries, shape })
    }

    /// Number of images.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Shape of each image's taps.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Copies one tap of the images named by `images` (repeats allowed), [images.len(), T, W]; `tap` is an index in the
    /// shape, from 0.
    ///
    /// # Errors
    /// `Length`, `OutOfRange` and `Corrupt`; `out` is then partly filled.
    pub fn gather(&self, tap: usize, images: &[usize], out: &mut [f32]) -> Result<(), Error> {
        self.gather_rows(tap, images, 0..self.shape.tokens(), out)
    }

    /// Like [`Self::gather`] for a range of tokens, [images.len(), tokens.len(), W].
    ///
    /// # Errors
    /// As [`Self::gather`].
    pub fn gather_rows(
        &self,
        tap: usize,
        images: &[usize],
        tokens: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), Error> {
        check_index("tap", tap, self.shape.taps())?;
        check_tokens(&tokens, self.shape)?;
        let length = tokens.len() * self.shape.width();
        check_length("the buffer for a batch's taps", out.len(), images.len() * length)?;
        images.iter().try_for_each(|&image| check_index("image", image, self.entries.len()))?;
        if length == 0 {
            return Ok(());
        }
        out.par_chunks_mut(length)
            .zip(images)
            .try_for_each(|(out, &image)| self.entries[image].read_rows_f32(tap, tokens.clone(), out))
    }
}

pub(crate) fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, found, expected }) }
}

fn check_index(what: &'static str, index: usize, count: usize) -> Result<(), Error> {
    if index < count { Ok(()) } else { Err(Error::OutOfRange { what, index, count }) }
}

fn check_tokens(tokens: &Range<usize>, shape: Shape) -> Result<(), Error> {
    let fine = tokens.start <= tokens.end && tokens.end <= shape.tokens();
    let index = tokens.end.max(tokens.start);
    if fine { Ok(()) } else { Err(Error::OutOfRange { what: "token", index, count: shape.tokens() }) }
}
