//! The PNG of a figure, rendered from its SVG so that both show the same picture.

use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::picture::Picture;
use crate::{ReportError, font};

/// RGB bytes of an opaque SVG document, a pixel a unit, with pictures above it; `figure` names it in messages.
pub(crate) fn pixels(
    svg: &str,
    pictures: &[Picture],
    (width, height): (u32, u32),
    figure: &str,
) -> Result<Vec<u8>, ReportError> {
    let failed = |what: String| ReportError::Drawing { figure: figure.to_owned(), what };
    let options = Options { fontdb: font::database(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| failed(format!("{width} x {height} is too large")))?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
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

/// RGB bytes as a PNG file.
pub(crate) fn encode_png(width: u32, height: u32, rgb: &[u8]) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(rgb, width, height, image::ExtendedColorType::Rgb8)?;
    Ok(bytes)
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
        let whole = vector::with_pictures(svg.to_owned(), &pictures).unwrap();
        let rendered = pixels(&whole, &[], (30, 20), "test").unwrap();
        assert_eq!(pixels(svg, &pictures, (30, 20), "test").unwrap(), rendered);
        assert_ne!(pixels(svg, &[], (30, 20), "test").unwrap(), rendered);
    }
}
