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

impl Encoded {
    pub(crate) fn of(picture: &Picture) -> Result<Self, png::EncodingError> {
        let (at, size) = (picture.at, picture.size);
        let png = crate::raster::encode_png(size.0, size.1, &picture.rgb, None)?;
        let deflated = pixels(&png);
        Ok(Self { at, size, png, deflated })
    }
}

/// The chunks of pixels of a PNG file, as one stream.
fn pixels(png: &[u8]) -> Vec<u8> {
    const SIGNATURE: usize = 8;
    let (mut found, mut rest) = (Vec::new(), png.get(SIGNATURE..).unwrap_or_default());
    // Length, name, content and a check sum.
    while let Some((head, after)) = rest.split_at_checked(8) {
        let length = head.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length)) as usize;
        let Some((content, after)) = after.split_at_checked(length) else { break };
        if head.ends_with(b"IDAT") {
            found.extend_from_slice(content);
        }
        rest = after.get(4..).unwrap_or_default();
    }
    found
}
