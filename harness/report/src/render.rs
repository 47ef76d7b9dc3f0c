//! One drawing as SVG and as PNG.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::RED;
use crate::picture::Picture;
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
    let document = Document::new(drawing, smoke)?;
    let png = document.png()?;
    let svg = vector::with_pictures(document.svg, &document.pictures)
        .map_err(|source| not_encoded(document.figure, source))?;
    Ok(Rendered { png, svg: vector::printed(&svg, document.size) })
}

/// The same as a PNG alone.
pub(crate) fn png(drawing: &impl Drawing, smoke: bool) -> Result<Vec<u8>, ReportError> {
    Document::new(drawing, smoke)?.png()
}

/// A finished drawing.
struct Document<'a> {
    figure: &'a str,
    size: (u32, u32),
    /// Without the pictures, a pixel a unit.
    svg: String,
    pictures: Vec<Picture>,
}

impl<'a> Document<'a> {
    fn new(drawing: &'a impl Drawing, smoke: bool) -> Result<Self, ReportError> {
        let figure = drawing.name();
        let size = (WIDTH, drawing.height() + if smoke { BANNER } else { 0 });
        let (mut text, mut pictures) = (String::new(), Vec::new());
        let area = Vector::new(&mut text, &mut pictures, size).into_drawing_area();
        compose(drawing, smoke, &area)
            .map_err(|error| ReportError::Drawing { figure: figure.to_owned(), what: error.to_string() })?;
        drop(area);
        Ok(Self { figure, size, svg: vector::finish(&text), pictures })
    }

    fn png(&self) -> Result<Vec<u8>, ReportError> {
        let pixels = raster::pixels(&self.svg, &self.pictures, self.size, self.figure)?;
        raster::encode_png(self.size.0, self.size.1, &pixels).map_err(|source| not_encoded(self.figure, source))
    }
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
