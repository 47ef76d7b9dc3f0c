//! A picture inside a figure.

use plotters_backend::BackendCoord;

/// RGB bytes and where they are drawn.
pub(crate) struct Picture {
    pub(crate) at: BackendCoord,
    pub(crate) size: (u32, u32),
    pub(crate) rgb: Vec<u8>,
}

/// The same as a PNG file, and what of it is compressed pixels.
pub(crate) struct Encoded {
    pub(crate) at: BackendCoord,
    pub(crate) size: (u32, u32),
    pub(crate) png: Vec<u8>,
    pub(crate) deflated: Vec<u8>,
}
