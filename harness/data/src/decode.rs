//! Decodes image files to 8-bit pixels, turned as their orientation tag says, within limits, in Pillow's colour
//! arithmetic.

use std::io::{Cursor, Read};
use std::path::Path;

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::error::{DataError, Result};
use crate::foreign;
use crate::head::{self, Head};
use crate::jpeg_scan;
use crate::limits::MAX_FILE_BYTES;
pub use crate::limits::{EXTENSIONS, MAX_PIXELS, MAX_SIDE};
use crate::palette_tiff::PaletteTiff;
use crate::tiff_directory::Tiff;

/// A decoded image, row-major, one byte a channel, alpha dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The samples.
    pub samples: Samples,
}

/// Samples of [`Pixels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// One byte a pixel.
    Grey(Vec<u8>),
    /// Red, green, blue, interleaved.
    Rgb(Vec<u8>),
}

impl Pixels {
    /// Grey values as Pillow's `convert("L")`: ITU-R 601-2 in 16-bit fixed point.
    pub fn to_grey(&self) -> Vec<u8> {
        let luma = |p: &[u8]| {
            ((u32::from(p[0]) * 19_595 + u32::from(p[1]) * 38_470 + u32::from(p[2]) * 7_471 + 0x8000) >> 16) as u8
        };
        match &self.samples {
            Samples::Grey(values) => values.clone(),
            Samples::Rgb(values) => values.chunks_exact(3).map(luma).collect(),
        }
    }

    /// Channel planes in RGB order; one plane stands for three where the image is grey.
    pub fn planes(&self) -> Vec<Vec<u8>> {
        match &self.samples {
            Samples::Grey(values) => vec![values.clone()],
            Samples::Rgb(values) => (0..3).map(|c| values.iter().skip(c).step_by(3).copied().collect()).collect(),
        }
    }
}

/// How samples of more than eight bits become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// By 1/257, rounded: the value's share of full scale.
    Scaled,
    /// 255 where the value is not zero, whatever its scale; eight-bit values too.
    Nonzero,
}

/// The bytes of a file.
///
/// # Errors
/// [`DataError::Io`]; [`DataError::Pixels`] for a file of more than 1 GiB.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(DataError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(DataError::io("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(DataError::Pixels { path: path.to_owned(), what: "larger than 1 GiB".to_owned() });
    }
    Ok(bytes)
}

/// Width and height as shown, from a file's header; no pixel is decoded.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Decode`], [`DataError::NoKnownFormat`], [`DataError::TooLarge`].
pub fn dimensions(path: &Path) -> Result<(u32, u32)> {
    let bytes = read(path)?;
    let head = Head::of(&bytes);
    let plain = PaletteTiff::of(&bytes).map_or(bytes, |palette| palette.indices);
    let (width, height) = decoder(&plain, path)?.dimensions();
    Ok(head::shown(width, height, head.map_or(1, |head| head.orientation)))
}

/// Decodes PNG, JPEG, BMP or TIFF, recognised by content; `path` is for messages.
///
/// # Errors
/// [`DataError::TooLarge`] before anything is allocated for pixels, [`DataError::Truncated`], [`DataError::Decode`],
/// [`DataError::NoKnownFormat`], [`DataError::Pages`] for more than one picture, [`DataError::Pixels`] for
/// floating-point samples, [`DataError::Unread`] for what is not read of the format.
pub fn decode(bytes: &[u8], path: &Path, depth: Depth) -> Result<Pixels> {
    pixels(decode_image(bytes, path)?, path, depth)
}

/// [`decode`] as far as the decoder's own samples: turned, colours of a palette put in.
pub(crate) fn decode_image(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    let head = Head::of(bytes);
    if let Some(head) = head.filter(|head| head.pages > 1 || head.begins_aside) {
        let of = if bytes.starts_with(b"\x89PNG") { "frame" } else { "page" };
        return Err(DataError::Pages { path: path.to_owned(), pages: head.pages, of, aside: head.begins_aside });
    }
    let mut image = match PaletteTiff::of(bytes) {
        Some(PaletteTiff { indices, colours }) => {
            let indices = decode_plain(&indices, path)?.into_luma8();
            let (width, height) = indices.dimensions();
            let coloured = indices.into_raw().into_iter().flat_map(|i| colours[usize::from(i)]).collect();
            let image = ImageBuffer::from_raw(width, height, coloured).map(DynamicImage::ImageRgb8);
            image.ok_or_else(|| DataError::TooLarge { path: path.to_owned(), width, height })?
        }
        None => decode_plain(bytes, path)?,
    };
    if let Some(turn) = head.and_then(|head| Orientation::from_exif(head.orientation)) {
        image.apply_orientation(turn);
    }
    Ok(image)
}

/// A decoded image's samples as bytes.
pub(crate) fn pixels(image: DynamicImage, path: &Path, depth: Depth) -> Result<Pixels> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let samples = samples(image, depth)
        .map_err(|color| DataError::Pixels { path: path.to_owned(), what: format!("samples of type {color:?}") })?;
    Ok(Pixels { width, height, samples })
}

fn decode_plain(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    // The decoder would call it damaged.
    if let Some(what) = Head::of(bytes).and_then(|head| head.unread) {
        return Err(DataError::Unread { path: path.to_owned(), what: format!("by its content {what}") });
    }
    let decoder = decoder(bytes, path)?;
    if bytes.starts_with(b"\xFF\xD8") {
        let cut = |what| DataError::Truncated { path: path.to_owned(), what };
        if !jpeg_is_complete(bytes) {
            return Err(cut("no end-of-image marker after the last scan"));
        }
        if let Some(what) = jpeg_scan::damage(bytes) {
            return Err(DataError::Damaged { path: path.to_owned(), what });
        }
    }
    DynamicImage::from_decoder(decoder).map_err(|source| decode_error(path, bytes, source))
}

/// A decoder that has read the header and found its size within the limits.
fn decoder<'a>(bytes: &'a [u8], path: &Path) -> Result<impl ImageDecoder + use<'a>> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(DataError::io("read", path))?;
    if reader.format().is_none_or(|format| !READ.contains(&format)) {
        return Err(DataError::NoKnownFormat { path: path.to_owned(), what: foreign::of_bytes(bytes) });
    }
    // The decoder would drop channels without a word.
    if let Some(what) = Tiff::of(bytes).and_then(|file| file.surplus()) {
        return Err(DataError::Unread { path: path.to_owned(), what });
    }
    let mut limits = Limits::default();
    // Sixteen-bit RGBA of the largest image, twice: a decoder may hold a copy.
    limits.max_alloc = Some(MAX_PIXELS * 16);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|source| decode_error(path, bytes, source))?;
    let (width, height) = decoder.dimensions();
    check_size(path, width, height)?;
    Ok(decoder)
}

/// The formats that are read.
const READ: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff];

fn decode_error(path: &Path, bytes: &[u8], source: image::ImageError) -> DataError {
    let path = path.to_owned();
    match &source {
        ImageError::Unsupported(what) => match (what.kind(), Tiff::of(bytes).and_then(|file| file.obstacle())) {
            (_, Some(what)) => DataError::Unread { path, what },
            (UnsupportedErrorKind::Format(_), None) => DataError::NoKnownFormat { path, what: None },
            (_, None) => DataError::Pixels { path, what: what.to_string() },
        },
        _ => DataError::Decode { path, source },
    }
}

fn check_size(path: &Path, width: u32, height: u32) -> Result<()> {
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DataError::TooLarge { path: path.to_owned(), width, height });
    }
    Ok(())
}

/// Whether an end-of-image marker follows the last start of scan. The decoder fills what is missing with grey and says
/// nothing; inside a scan's data neither marker can occur.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    match (last([0xFF, 0xD9]), last([0xFF, 0xDA])) {
        (Some(end), Some(scan)) => end > scan,
        // No scan at all: the decoder has the better message.
        (_, None) => true,
        (None, Some(_)) => false,
    }
}

fn samples(image: DynamicImage, depth: Depth) -> std::result::Result<Samples, image::ColorType> {
    let from_8 = |v: u8| if depth == Depth::Nonzero { if v == 0 { 0 } else { 255 } } else { v };
    let from_16 = |v: u16| match depth {
        Depth::Nonzero => u8::from(v != 0) * 255,
        // v / 257 rounded: 257 is odd, so no value lies halfway.
        Depth::Scaled => ((u32::from(v) + 128) / 257) as u8,
    };
    /// Keeps the first `keep` of every `channels` samples.
    fn take<P, T: Copy>(
        buffer: ImageBuffer<P, Vec<T>>,
        channels: usize,
        keep: usize,
        convert: impl Fn(T) -> u8,
    ) -> Vec<u8>
    where
        P: image::Pixel<Subpixel = T>,
    {
        buffer.into_raw().chunks_exact(channels).flat_map(|p| p[..keep].iter().map(|&v| convert(v))).collect()
    }
    Ok(match image {
        DynamicImage::ImageLuma8(b) => Samples::Grey(take(b, 1, 1, from_8)),
        DynamicImage::ImageLumaA8(b) => Samples::Grey(take(b, 2, 1, from_8)),
        DynamicImage::ImageRgb8(b) => Samples::Rgb(take(b, 3, 3, from_8)),
        DynamicImage::ImageRgba8(b) => Samples::Rgb(take(b, 4, 3, from_8)),
        DynamicImage::ImageLuma16(b) => Samples::Grey(take(b, 1, 1, from_16)),
        DynamicImage::ImageLumaA16(b) => Samples::Grey(take(b, 2, 1, from_16)),
        DynamicImage::ImageRgb16(b) => Samples::Rgb(take(b, 3, 3, from_16)),
        DynamicImage::ImageRgba16(b) => Samples::Rgb(take(b, 4, 3, from_16)),
        other => return Err(other.color()),
    })
}
