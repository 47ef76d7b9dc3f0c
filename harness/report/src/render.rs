//! One drawing as SVG, as PNG and as PDF.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::Text;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::RED;
use crate::picture::{Encoded, Picture};
use crate::print::SMOKE;
use crate::vector::{self, Vector};
use crate::{ReportError, font, pdf, raster};

/// Width of a column in units; 85 mm.
pub(crate) const WIDTH: u32 = 1640;
/// Millimetres of a unit.
const MILLIMETRES: f64 = 85.0 / WIDTH as f64;
/// Distance of two columns: together they are 175 mm.
const GUTTER: u32 = 96;

/// Height of the line that marks a smoke test.
const BANNER: u32 = 90;

/// What Plotters answers.
pub(crate) type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// What a figure is drawn for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paper {
    /// It says that it is of a smoke test.
    pub smoke: bool,
    /// It is as wide as a page, 175 mm, where it has several plots: two stand side by side.
    pub page: bool,
}

/// A column, and whether it is of a smoke test.
impl From<bool> for Paper {
    fn from(smoke: bool) -> Self {
        Self { smoke, page: false }
    }
}

/// Something that can be drawn on any backend, in blocks that are [`WIDTH`] wide.
pub(crate) trait Drawing {
    /// Name, for messages.
    fn name(&self) -> &str;

    /// Heights of its blocks in units, where so many stand side by side.
    fn blocks(&self, columns: usize) -> Vec<u32>;

    /// Draws a block on a white area of that size.
    fn draw<B: DrawingBackend>(&self, number: usize, columns: usize, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

/// A figure in all formats.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// SVG document; text is text.
    pub svg: String,
    /// PNG file, 1640 pixels for 85 mm, which says so.
    pub png: Vec<u8>,
    /// PDF file of one page; text is text.
    pub pdf: Vec<u8>,
    /// Height in millimetres.
    pub height: f64,
}

/// How many blocks stand side by side, the height of each, and of each row.
fn rows(drawing: &impl Drawing, paper: Paper) -> (usize, Vec<u32>, Vec<u32>) {
    // A figure of one plot has nothing to put beside it.
    let columns = if paper.page && drawing.blocks(2).len() > 1 { 2 } else { 1 };
    let heights = drawing.blocks(columns);
    let rows = heights.chunks(columns).map(|row| row.iter().copied().max().unwrap_or(0)).collect();
    (columns, heights, rows)
}

/// Whether a drawing is taller than a page.
pub(crate) fn is_too_tall(drawing: &impl Drawing, paper: Paper) -> bool {
    const PAGE: f64 = 235.0;
    let (.., rows) = rows(drawing, paper);
    f64::from(rows.iter().sum::<u32>()) * MILLIMETRES > PAGE
}

/// Draws a figure in all formats.
pub(crate) fn render(drawing: &impl Drawing, paper: Paper) -> Result<Rendered, ReportError> {
    let Document { figure, size, svg, pictures } = Document::new(drawing, paper)?;
    let millimetres = (f64::from(size.0) * MILLIMETRES).round();
    let encoded: Result<Vec<Encoded>, _> = pictures.iter().map(raster::encoded).collect();
    let encoded = encoded.map_err(|source| not_encoded(figure, source))?;
    let tree = raster::parsed(&svg, figure)?;
    let pixels = raster::pixels(&tree, &pictures, size, figure)?;
    let png = raster::encode_png(size.0, size.1, &pixels, Some(millimetres));
    Ok(Rendered {
        png: png.map_err(|source| not_encoded(figure, source))?,
        pdf: pdf::pdf(&tree, &encoded, (size, millimetres), figure)?,
        svg: vector::printed(&vector::with_pictures(svg, &encoded), size, millimetres),
        height: f64::from(size.1) * MILLIMETRES,
    })
}

/// The same as a PNG alone.
pub(crate) fn png(drawing: &impl Drawing, paper: Paper) -> Result<Vec<u8>, ReportError> {
    let Document { figure, size, svg, pictures } = Document::new(drawing, paper)?;
    let pixels = raster::pixels(&raster::parsed(&svg, figure)?, &pictures, size, figure)?;
    let millimetres = (f64::from(size.0) * MILLIMETRES).round();
    raster::encode_png(size.0, size.1, &pixels, Some(millimetres)).map_err(|source| not_encoded(figure, source))
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
    fn new(drawing: &'a impl Drawing, paper: Paper) -> Result<Self, ReportError> {
        let figure = drawing.name();
        let (columns, heights, rows) = rows(drawing, paper);
        let top = if paper.smoke { BANNER } else { 0 };
        let width = columns as u32 * (WIDTH + GUTTER) - GUTTER;
        let size = (width, (top + rows.iter().sum::<u32>()).max(1));
        let (mut text, mut pictures) = (String::new(), Vec::new());
        let area = Vector::new(&mut text, &mut pictures, size).into_drawing_area();
        let drawn = || -> Drawn<Vector<'_>> {
            area.fill(&WHITE)?;
            if paper.smoke {
                let style = font::style(RED, HPos::Center, VPos::Center);
                area.draw(&Text::new(SMOKE, (width as i32 / 2, BANNER as i32 / 2 + 10), style))?;
            }
            let mut y = top;
            for (row, tall) in rows.iter().enumerate() {
                for column in 0..columns {
                    let number = row * columns + column;
                    let Some(height) = heights.get(number) else { continue };
                    let left = column as u32 * (WIDTH + GUTTER);
                    let block = area.clone().shrink((left, y), (WIDTH, *height));
                    drawing.draw(number, columns, &block)?;
                }
                y += tall;
            }
            area.present()
        };
        drawn().map_err(|error| ReportError::Drawing { figure: figure.to_owned(), what: error.to_string() })?;
        drop(area);
        Ok(Self { figure, size, svg: vector::finish(&text), pictures })
    }
}

fn not_encoded(figure: &str, source: png::EncodingError) -> ReportError {
    ReportError::Png { figure: figure.to_owned(), source }
}
