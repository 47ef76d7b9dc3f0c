//! One drawing as SVG and as PNG. What a drawing shows is in a module of its figure's name.

use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::RED;
use crate::raster::{self, Raster};
use crate::vector::{self, Vector};
use crate::{ReportError, font};

/// Width of a drawing in units; 85 mm.
pub(crate) const WIDTH: u32 = 1640;

/// Height of the line that marks a smoke test.
const BANNER: u32 = 90;

/// What Plotters answers.
pub(crate) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Something that can be drawn on any backend.
pub(crate) trait Drawing {
    /// Name, for messages.
    fn name(&self) -> &str;

    /// Height in units; the width is [`WIDTH`].
    fn height(&self) -> u32;

    /// Draws on a white area of that size.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

/// A figure in both formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// SVG document, 85 mm wide; text is text.
    pub svg: String,
    /// PNG file, 1640 pixels wide.
    pub png: Vec<u8>,
}

/// Draws a figure in both formats; `smoke` writes above it that it is no result.
pub(crate) fn render(drawing: &impl Drawing, smoke: bool) -> Result<Rendered, ReportError> {
    // Text is measured in the embedded font also where it stays text.
    font::font()?;
    let figure = drawing.name().to_owned();
    let failed = |what: String| ReportError::Drawing { figure: figure.clone(), what };
    let encoded = |source| ReportError::Png { figure: figure.clone(), source };
    let size = (WIDTH, drawing.height() + if smoke { BANNER } else { 0 });

    let (mut text, mut pictures) = (String::new(), Vec::new());
    let area = Vector::new(&mut text, &mut pictures, size).into_drawing_area();
    compose(drawing, smoke, &area).map_err(|e| failed(e.to_string()))?;
    drop(area);
    let svg = vector::finish(&text, &pictures, size).map_err(encoded)?;

    Ok(Rendered { svg, png: png(drawing, smoke)? })
}

/// The same as a PNG alone.
pub(crate) fn png(drawing: &impl Drawing, smoke: bool) -> Result<Vec<u8>, ReportError> {
    let font = font::font()?;
    let figure = drawing.name().to_owned();
    let size = (WIDTH, drawing.height() + if smoke { BANNER } else { 0 });
    let mut pixels = raster::blank(size.0, size.1);
    let area = Raster::new(&mut pixels, size.0, size.1, font).into_drawing_area();
    compose(drawing, smoke, &area)
        .map_err(|error| ReportError::Drawing { figure: figure.clone(), what: error.to_string() })?;
    drop(area);
    encode_png(size.0, size.1, pixels.as_flattened()).map_err(|source| ReportError::Png { figure, source })
}

fn compose<B: DrawingBackend>(drawing: &impl Drawing, smoke: bool, area: &DrawingArea<B, Shift>) -> Drawn<B> {
    area.fill(&WHITE)?;
    if smoke {
        let (banner, rest) = area.split_vertically(BANNER);
        let style = font::style(RED, HPos::Center, VPos::Center);
        banner.draw(&Text::new("Smoke test: not a result", (WIDTH as i32 / 2, BANNER as i32 / 2 + 10), style))?;
        drawing.draw(&rest)?;
    } else {
        drawing.draw(area)?;
    }
    area.present()
}

/// RGB bytes as a PNG file.
pub(crate) fn encode_png(width: u32, height: u32, rgb: &[u8]) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(rgb, width, height, image::ExtendedColorType::Rgb8)?;
    Ok(bytes)
}
