//! The figure of images, true lesions and anomaly maps.

use std::ops::Range;

use harness_results::{PanelFigure, PanelRow, Pixels};
use image::RgbImage;
use image::imageops::{FilterType, resize};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Drawable, PathElement, PointCollection, Rectangle, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};

use crate::axes::Ticks;
use crate::colour::{GREY, INK, heat};
use crate::labels::inside;
use crate::outline::Outline;
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// Draws rows of image, truth and anomaly map, each in the image's own shape, the truth's outline on the map. All maps
/// share one colour scale, from the lowest to the highest value of any.
///
/// # Errors
/// A picture that is not S x S, or a map with a value that is not finite.
pub fn panel(figure: &PanelFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    let wrong = |row: &PanelRow, what: &str| ReportError::Figure {
        figure: figure.name.clone(),
        what: format!("`{}`: {what}", titled(row)),
    };
    let font = &font::font()?;
    let values = || figure.rows.iter().flat_map(|row| &row.map).map(|v| f64::from(*v));
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = if low < high {
        (low, high)
    } else if low == high {
        (low - 0.5, low + 0.5)
    } else {
        (0.0, 1.0)
    };
    let mut rows = Vec::new();
    for row in &figure.rows {
        let area = row.side.saturating_mul(row.side);
        let channels = match &row.image {
            Pixels::Gray(bytes) => (bytes, 1),
            Pixels::Rgb(bytes) => (bytes, 3),
        };
        if row.side == 0 || row.side > 1 << 14 {
            return Err(wrong(row, "the side must be 1 to 16384 pixels"));
        }
        if channels.0.len() != area * channels.1 || row.truth.len() != area || row.map.len() != area {
            return Err(wrong(row, &format!("image, truth or map is not {0} x {0}", row.side)));
        }
        if row.map.iter().any(|v| !v.is_finite()) {
            return Err(wrong(row, "the map has a value that is not finite"));
        }
        let image = match &row.image {
            Pixels::Gray(bytes) => bytes.iter().flat_map(|v| [*v; 3]).collect(),
            Pixels::Rgb(bytes) => bytes.clone(),
        };
        let truth = row.truth.iter().flat_map(|v| [if *v == 0 { 0 } else { 255 }; 3]).collect();
        let map = row.map.iter().flat_map(|v| heat((f64::from(*v) - low) / (high - low))).collect();
        let size = shaped(row.aspect, CELL);
        let cells: [Vec<u8>; 3] = [image, truth, map];
        let [image, truth, map] = cells.map(|rgb| fitted(row.side as u32, size, rgb));
        let map = Outline::of(&truth, size).on(map);
        rows.push(SketchRow {
            title: font::shorten(font, &titled(row), font::EM, f64::from(WIDTH - 2 * MARGIN)),
            cells: [image, truth, map],
            size,
            lesion: row.truth.iter().any(|v| *v != 0),
        });
    }
    render(&Sketch { name: &figure.name, rows, low, high }, paper.into())
}

/// A row's role with its title.
fn titled(row: &PanelRow) -> String {
    format!("{}: {}", row.role, row.title)
}

const HEADING: [&str; 3] = ["Image", "Truth", "Anomaly map"];
/// The column of the true lesion.
const TRUTH: usize = 1;
/// Side of a picture in the figure.
const CELL: u32 = 480;
pub(crate) const GAP: u32 = 40;
pub(crate) const MARGIN: u32 = (WIDTH - 3 * CELL - 2 * GAP) / 2;
pub(crate) const HEADINGS: u32 = 80;
pub(crate) const TITLE: u32 = 76;
/// Room below a picture.
const BELOW: u32 = 26;

/// Width and height of a picture in a square cell, by its width over its height; what is no number is a square. What is
/// very narrow keeps a quarter of the cell.
pub(crate) fn shaped(aspect: f64, cell: u32) -> (u32, u32) {
    let aspect = if aspect.is_finite() && aspect > 0.0 { aspect.clamp(0.25, 4.0) } else { 1.0 };
    let side = f64::from(cell);
    let of = |length: f64| (length.round() as u32).clamp(1, cell);
    if aspect >= 1.0 { (cell, of(side / aspect)) } else { (of(side * aspect), cell) }
}

/// A picture that was made square, at the size of a cell: pixels stay whole where they fit, else they are averaged.
pub(crate) fn fitted(side: u32, (width, height): (u32, u32), rgb: Vec<u8>) -> Vec<u8> {
    let whole = side > 0 && width == height && width.is_multiple_of(side);
    if whole && rgb.len() == (side * side * 3) as usize {
        return enlarged(side as usize, (width / side) as usize, &rgb);
    }
    match RgbImage::from_raw(side, side, rgb) {
        Some(picture) => resize(&picture, width, height, FilterType::Triangle).into_raw(),
        None => vec![255; (width * height * 3) as usize],
    }
}

/// A picture with each pixel as a square of `times` x `times`.
fn enlarged(side: usize, times: usize, rgb: &[u8]) -> Vec<u8> {
    let mut wide = Vec::with_capacity(rgb.len() * times * times);
    for line in rgb.chunks_exact(side * 3) {
        let start = wide.len();
        line.chunks_exact(3).for_each(|pixel| (0..times).for_each(|_| wide.extend_from_slice(pixel)));
        let end = wide.len();
        (1..times).for_each(|_| wide.extend_from_within(start..end));
    }
    wide
}

struct SketchRow {
    title: String,
    cells: [Vec<u8>; 3],
    /// Width and height of each.
    size: (u32, u32),
    lesion: bool,
}

struct Sketch<'a> {
    name: &'a str,
    rows: Vec<SketchRow>,
    low: f64,
    high: f64,
}

fn left(column: usize) -> i32 {
    (MARGIN + column as u32 * (CELL + GAP)) as i32
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn blocks(&self, columns: usize) -> Vec<u32> {
        let heading = |number| if number < columns { HEADINGS } else { 0 };
        let row = |(number, row): (usize, &SketchRow)| heading(number) + TITLE + row.size.1 + BELOW;
        let rows = self.rows.iter().enumerate().map(row);
        rows.chain([SCALE + if self.rows.is_empty() { HEADINGS } else { 0 }]).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, columns: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let Some(row) = self.rows.get(number) else {
            return scale(area, (left(0), 0), WIDTH - 2 * MARGIN, &(self.low..self.high), OF_MAPS);
        };
        let cell = CELL as i32;
        let mut top = 0;
        if number < columns {
            for (column, heading) in HEADING.into_iter().enumerate() {
                let style = font::style(INK, HPos::Center, VPos::Center);
                area.draw(&Text::new(heading, (left(column) + cell / 2, HEADINGS as i32 / 2 + 8), style))?;
            }
            top += HEADINGS as i32;
        }
        let title = (left(0), top + TITLE as i32 / 2 - 2);
        area.draw(&Text::new(row.title.clone(), title, font::style(INK, HPos::Left, VPos::Center)))?;
        let (width, height) = row.size;
        for (column, rgb) in row.cells.iter().enumerate() {
            let (x, y) = (left(column) + (cell - width as i32) / 2, top + TITLE as i32);
            if column == TRUTH && !row.lesion {
                frame(area, (x, y), row.size)?;
                let style = font::style(INK, HPos::Center, VPos::Center);
                area.draw(&Text::new("no lesion", (x + width as i32 / 2, y + height as i32 / 2), style))?;
            } else {
                picture(area, (x, y), row.size, rgb.clone())?;
            }
        }
        Ok(())
    }
}

/// What the colour scale of maps is of.
pub(crate) const OF_MAPS: &str = "Anomaly score of a pixel, one scale for all maps";

/// Height of a colour scale with its numbers and its name.
pub(crate) const SCALE: u32 = 260;

/// Draws a colour scale of values `range` with its numbers and its name.
pub(crate) fn scale<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (left, top): (i32, i32),
    width: u32,
    range: &Range<f64>,
    name: &str,
) -> Drawn<B> {
    let Ok(font) = font::font() else { return Ok(()) };
    let height = 56u32;
    let line: Vec<u8> = (0..width).flat_map(|x| heat(f64::from(x) / f64::from(width - 1))).collect();
    let y = top + 24;
    picture(area, (left, y), (width, height), line.repeat(height as usize))?;
    let bottom = y + height as i32;
    for (at, words) in Ticks::over(range, 5).within(range) {
        let px = left + ((at - range.start) / (range.end - range.start) * f64::from(width - 1)).round() as i32;
        area.draw(&PathElement::new(vec![(px, bottom + 4), (px, bottom + 18)], INK.stroke_width(4)))?;
        let middle = inside(&font, std::slice::from_ref(&words), px, WIDTH);
        area.draw(&Text::new(words, (middle, bottom + 26), font::style(INK, HPos::Center, VPos::Top)))?;
    }
    let middle = inside(&font, &[name.to_owned()], left + width as i32 / 2, WIDTH);
    area.draw(&Text::new(name.to_owned(), (middle, bottom + 98), font::style(INK, HPos::Center, VPos::Top)))
}

/// A picture with a thin frame round it, so that dark and light ones end somewhere.
pub(crate) fn picture<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    at: (i32, i32),
    size: (u32, u32),
    rgb: Vec<u8>,
) -> Drawn<B> {
    frame(area, at, size)?;
    area.draw(&Picture { at, size, rgb })
}

/// RGB bytes of a size. Plotters has such an element only together with its bitmap backend.
struct Picture {
    at: (i32, i32),
    size: (u32, u32),
    rgb: Vec<u8>,
}

impl<'a> PointCollection<'a, (i32, i32)> for &'a Picture {
    type Point = &'a (i32, i32);
    type IntoIter = std::iter::Once<&'a (i32, i32)>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<B: DrawingBackend> Drawable<B> for Picture {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut corners: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        corners.next().map_or(Ok(()), |at| backend.blit_bitmap(at, self.size, &self.rgb))
    }
}

fn frame<B: DrawingBackend>(area: &DrawingArea<B, Shift>, (x, y): (i32, i32), (width, height): (u32, u32)) -> Drawn<B> {
    let corners = [(x - 2, y - 2), (x + width as i32 + 1, y + height as i32 + 1)];
    area.draw(&Rectangle::new(corners, GREY.stroke_width(3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_fit_stay_whole_and_others_are_averaged() {
        let rgb: Vec<u8> = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]].concat();
        let line = |one: [u8; 3], other: [u8; 3]| [one, one, one, other, other, other].concat().repeat(3);
        let whole = [line([1, 2, 3], [4, 5, 6]), line([7, 8, 9], [10, 11, 12])].concat();
        assert_eq!(fitted(2, (6, 6), rgb.clone()), whole);
        assert_eq!(fitted(2, (2, 2), rgb.clone()), rgb);
        assert_eq!(fitted(2, (5, 3), rgb).len(), 5 * 3 * 3);
        // No picture of that size.
        assert_eq!(fitted(3, (6, 6), vec![0; 3]), vec![255; 108]);
    }

    #[test]
    fn a_picture_keeps_the_shape_of_its_image() {
        assert_eq!(
            [1.0, 1.5, 0.5, 9.0, f64::NAN].map(|aspect| shaped(aspect, 480)),
            [(480, 480), (480, 320), (240, 480), (480, 120), (480, 480)]
        );
    }
}
