//! The shape of one image's taps and the type they are stored in.

use std::fmt;

use crate::error::Error;

/// Type of stored values. Reads always give f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreDtype {
    /// As encoded.
    #[default]
    F32,
    /// Rounded to half precision: half the space, and part of ids because scores change.
    F16,
}

impl StoreDtype {
    /// The name in keys, ids and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

impl fmt::Display for StoreDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Shape of one image's taps, [taps, T, W], row-major: T tokens with the class token first, W the image tower's width
/// (docs/method.md section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    taps: usize,
    tokens: usize,
    width: usize,
    dtype: StoreDtype,
}

impl Shape {
    const MAX_TAPS: usize = 1 << 10;
    const MAX_SIZE: usize = 1 << 20;

    /// A shape of at least one element.
    ///
    /// # Errors
    /// `BadShape` for a size of 0, more than 1,024 taps, or more than 1,048,576 tokens or channels.
    pub fn new(taps: usize, tokens: usize, width: usize, dtype: StoreDtype) -> Result<Self, Error> {
        let fine = (1..=Self::MAX_TAPS).contains(&taps)
            && (1..=Self::MAX_SIZE).contains(&tokens)
            && (1..=Self::MAX_SIZE).contains(&width);
        if fine { Ok(Self { taps, tokens, width, dtype }) } else { Err(Error::BadShape { taps, tokens, width }) }
    }

    /// Taps of an image.
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Tokens, T, class token included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Width, W.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Type of stored values.
    pub fn dtype(&self) -> StoreDtype {
        self.dtype
    }

    /// Elements of one tap, T * W.
    pub fn tap_len(&self) -> usize {
        self.tokens * self.width
    }

    /// Elements of an image, taps * T * W.
    pub fn image_len(&self) -> usize {
        self.taps * self.tap_len()
    }

    /// Bytes an image's values take, without checksums and padding.
    pub fn image_bytes(&self) -> u64 {
        self.image_len() as u64 * self.dtype.size() as u64
    }

    pub(crate) fn tap_bytes(&self) -> usize {
        self.tap_len() * self.dtype.size()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}] {}", self.taps, self.tokens, self.width, self.dtype)
    }
}
