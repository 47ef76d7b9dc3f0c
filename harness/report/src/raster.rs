//! The PNG of a figure, rendered from its SVG so that both show the same picture.

use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::{ReportError, font};

/// RGB bytes of an opaque SVG document, a pixel a unit; `figure` names it in messages.
pub(crate) fn pixels(svg: &str, (width, height): (u32, u32), figure: &str) -> Result<Vec<u8>, ReportError> {
    let failed = |what: String| ReportError::Drawing { figure: figure.to_owned(), what };
    let options = Options { fontdb: font::database(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| failed(format!("{width} x {height} is too large")))?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    let (rgba, _) = pixmap.data().as_chunks::<4>();
    // The white ground leaves nothing transparent, so colours are not multiplied by an alpha.
    Ok(rgba.iter().map(|[red, green, blue, _]| [*red, *green, *blue]).collect::<Vec<_>>().into_flattened())
}

/// RGB bytes as a PNG file.
pub(crate) fn encode_png(width: u32, height: u32, rgb: &[u8]) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(rgb, width, height, image::ExtendedColorType::Rgb8)?;
    Ok(bytes)
}
