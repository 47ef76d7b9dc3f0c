//! One drawing as SVG and as PNG.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::RED;
use crate::vector::{self, Vector};
use crate::{ReportError, font, raster};

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

/// Draws a figure in both formats; `smoke` marks it as a smoke test.
pub(crate) fn render(drawing: &impl Drawing, smoke: bool) -> Result<Rendered, ReportError> {
    let (svg, size) = document(drawing, smoke)?;
    Ok(Rendered { png: png_of(&svg, size, drawing.name())?, svg: vector::printed(&svg, size) })
}

/// The same as a PNG alone.
pub(crate) fn png(drawing: &impl Drawing, smoke: bool) -> Result<Vec<u8>, ReportError> {
    let (svg, size) = document(drawing, smoke)?;
    png_of(&svg, size, drawing.name())
}

/// The SVG document, a pixel a unit, and its size.
fn document(drawing: &impl Drawing, smoke: bool) -> Result<(String, (u32, u32)), ReportError> {
    let figure = drawing.name();
    let size = (WIDTH, drawing.height() + if smoke { BANNER } else { 0 });
    let (mut text, mut pictures) = (String::new(), Vec::new());
    let area = Vector::new(&mut text, &mut pictures, size).into_drawing_area();
    compose(drawing, smoke, &area)
        .map_err(|error| ReportError::Drawing { figure: figure.to_owned(), what: error.to_string() })?;
    drop(area);
    let svg = vector::finish(text, &pictures).map_err(|source| not_encoded(figure, source))?;
    Ok((svg, size))
}

fn png_of(svg: &str, size: (u32, u32), figure: &str) -> Result<Vec<u8>, ReportError> {
    let pixels = raster::pixels(svg, size, figure)?;
    raster::encode_png(size.0, size.1, &pixels).map_err(|source| not_encoded(figure, source))
}

fn not_encoded(figure: &str, source: image::ImageError) -> ReportError {
    ReportError::Png { figure: figure.to_owned(), source }
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
