//! The PNG of a figure, rendered from its SVG so that both show the same picture.

use png::{BitDepth, ColorType, Compression, Encoder, Filter, PixelDimensions, Unit};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::picture::{Encoded, Picture};
use crate::{ReportError, font};

/// An SVG document without its pictures, read once for the PNG and the PDF; `figure` names it in messages.
pub(crate) fn parsed(svg: &str, figure: &str) -> Result<Tree, ReportError> {
    let options = Options { fontdb: font::database(), ..Options::default() };
    let failed = |what: String| ReportError::Drawing { figure: figure.to_owned(), what };
    Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))
}

/// RGB bytes of an opaque document, a pixel a unit, with pictures above it; `figure` names it in messages.
pub(crate) fn pixels(
    tree: &Tree,
    pictures: &[Picture],
    (width, height): (u32, u32),
    figure: &str,
) -> Result<Vec<u8>, ReportError> {
    let failed = |what: String| ReportError::Drawing { figure: figure.to_owned(), what };
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| failed(format!("{width} x {height} is too large")))?;
    resvg::render(tree, Transform::identity(), &mut pixmap.as_mut());
    let (rgba, _) = pixmap.data().as_chunks::<4>();
    // The white ground leaves nothing transparent, so colours are not multiplied by an alpha.
    let mut rgb = rgba.iter().map(|[red, green, blue, _]| [*red, *green, *blue]).collect::<Vec<_>>().into_flattened();
    for picture in pictures {
        paste(&mut rgb, width as usize, picture);
    }
    Ok(rgb)
}

/// Copies a picture into an image of a width; what reaches beyond the image is left out.
fn paste(rgb: &mut [u8], width: usize, picture: &Picture) {
    let Ok(left) = usize::try_from(picture.at.0) else { return };
    let Ok(top) = usize::try_from(picture.at.1) else { return };
    let across = picture.size.0 as usize;
    let seen = across.min(width.saturating_sub(left));
    let lines = picture.rgb.chunks_exact((3 * across).max(1)).take(picture.size.1 as usize);
    for (into, from) in rgb.chunks_exact_mut((3 * width).max(1)).skip(top).zip(lines) {
        into[3 * left.min(width)..][..3 * seen].copy_from_slice(&from[..3 * seen]);
    }
}

/// RGB bytes as a PNG file, which says how wide it is in print where that is known, in millimetres.
pub(crate) fn encode_png(
    width: u32,
    height: u32,
    rgb: &[u8],
    millimetres: Option<f64>,
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.set_filter(Filter::Adaptive);
    if let Some(millimetres) = millimetres {
        let a_metre = (f64::from(width) / millimetres * 1000.0).round() as u32;
        encoder.set_pixel_dims(Some(PixelDimensions { xppu: a_metre, yppu: a_metre, unit: Unit::Meter }));
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}

/// A picture as a PNG file, with its compressed pixels.
pub(crate) fn encoded(picture: &Picture) -> Result<Encoded, png::EncodingError> {
    let (at, size) = (picture.at, picture.size);
    let png = encode_png(size.0, size.1, &picture.rgb, None)?;
    let deflated = deflated(&png);
    Ok(Encoded { at, size, png, deflated })
}

/// The chunks of pixels of a PNG file, as one stream.
fn deflated(png: &[u8]) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vector;

    #[test]
    fn pasted_pictures_are_what_the_document_with_pictures_shows() {
        let rgb = |size: (u32, u32)| (0..size.0 * size.1 * 3).map(|i| (i * 7 % 251) as u8).collect();
        let picture = |at, size| Picture { at, size, rgb: rgb(size) };
        let pictures = [picture((3, 2), (8, 5)), picture((10, 12), (6, 4)), picture((24, 18), (9, 9))];
        let svg = "<svg width=\"30\" height=\"20\" xmlns=\"http://www.w3.org/2000/svg\">\n\
                   <rect x=\"0\" y=\"0\" width=\"30\" height=\"20\" fill=\"#FFFFFF\"/>\n\
                   <rect x=\"5\" y=\"5\" width=\"20\" height=\"10\" fill=\"#102030\"/>\n</svg>\n";
        let all: Vec<Encoded> = pictures.iter().map(|picture| encoded(picture).unwrap()).collect();
        let whole = parsed(&vector::with_pictures(svg.to_owned(), &all), "test").unwrap();
        let rendered = pixels(&whole, &[], (30, 20), "test").unwrap();
        let svg = parsed(svg, "test").unwrap();
        assert_eq!(pixels(&svg, &pictures, (30, 20), "test").unwrap(), rendered);
        assert_ne!(pixels(&svg, &[], (30, 20), "test").unwrap(), rendered);
    }
}
