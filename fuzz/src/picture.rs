//! Image files, whole and damaged.

use std::io::Cursor;

use arbitrary::Arbitrary;
use image::{DynamicImage, ImageBuffer, ImageFormat};

/// How an image is made, and what is then done to its bytes.
#[derive(Arbitrary, Debug)]
pub struct Picture {
    format: u8,
    colour: u8,
    width: u8,
    height: u8,
    fill: u8,
    /// Bytes to overwrite, by offset.
    patches: Vec<(u16, u8)>,
    /// Length to cut to, if it is less.
    cut: Option<u16>,
}

impl Picture {
    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            encoded(self.format, self.colour, self.width.max(1).into(), self.height.max(1).into(), self.fill);
        for (offset, value) in &self.patches {
            // Mostly in the first bytes, where headers are.
            let offset = usize::from(*offset) % (bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(offset) {
                *byte = *value;
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut.into());
        }
        bytes
    }
}

/// An image of a format and a kind of colour, both taken modulo what there is.
pub fn encoded(format: u8, colour: u8, width: u32, height: u32, fill: u8) -> Vec<u8> {
    let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff][usize::from(format % 4)];
    let value = |x: u32, y: u32| (x as u8).wrapping_mul(31) ^ (y as u8).wrapping_add(fill);
    let wide = |x: u32, y: u32| u16::from(value(x, y)) * 257;
    let image = match colour % 6 {
        0 => DynamicImage::ImageLuma8(ImageBuffer::from_fn(width, height, |x, y| [value(x, y)].into())),
        1 => {
            DynamicImage::ImageRgb8(ImageBuffer::from_fn(width, height, |x, y| [value(x, y), fill, value(y, x)].into()))
        }
        2 => DynamicImage::ImageRgba8(ImageBuffer::from_fn(width, height, |x, y| [value(x, y), 1, 2, fill].into())),
        3 => DynamicImage::ImageLuma16(ImageBuffer::from_fn(width, height, |x, y| [wide(x, y)].into())),
        4 => DynamicImage::ImageRgb16(ImageBuffer::from_fn(width, height, |x, y| [wide(x, y), 1, wide(y, x)].into())),
        _ => DynamicImage::ImageLumaA8(ImageBuffer::from_fn(width, height, |x, y| [value(x, y), fill].into())),
    };
    let mut bytes = Cursor::new(Vec::new());
    // Not every format has every kind of colour; eight-bit RGB is in all.
    if image.write_to(&mut bytes, format).is_err() {
        bytes = Cursor::new(Vec::new());
        image.to_rgb8().write_to(&mut bytes, format).expect("eight-bit RGB is in every format");
    }
    bytes.into_inner()
}
