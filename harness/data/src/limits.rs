//! Limits of image files.

/// File extensions that are read, in lower case; the content decides the format.
pub const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];
/// Longest side that is read, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Most pixels that are read.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most bytes of a file: the largest image in 16-bit RGBA without compression, with room for metadata.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;
