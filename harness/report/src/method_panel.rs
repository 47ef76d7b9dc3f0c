//! The figure of the same test images under several variants: the images with the truth's outline, and a row of maps
//! for each variant.

use harness_results::{MethodPanelFigure, Pixels};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::{INK, heat};
use crate::labels::{LINE, labels, most_lines, offsets};
use crate::outline::Outline;
use crate::panel::{SCALE, fitted, picture, scale, shaped};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// Draws the same images under several variants. The maps of a variant share a colour scale, from the lowest to the
/// highest value of any of them.
///
/// # Errors
/// No image; more than four; a picture or map that is not S x S, a value that is not finite.
pub fn method_panel(figure: &MethodPanelFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    let wrong = |what: String| ReportError::Figure { figure: figure.name.clone(), what };
    let area = figure.side.saturating_mul(figure.side);
    if figure.side == 0 || figure.side > 1 << 14 {
        return Err(wrong("the side must be 1 to 16384 pixels".to_owned()));
    }
    if figure.images.is_empty() || figure.images.len() > COLUMNS {
        return Err(wrong(format!("{} images; there is room for 1 to {COLUMNS}", figure.images.len())));
    }
    let side = figure.side as u32;
    let sizes: Vec<(u32, u32)> = figure.images.iter().map(|image| shaped(image.aspect, CELL)).collect();
    let mut images = Vec::new();
    for (image, size) in figure.images.iter().zip(&sizes) {
        let rgb: Vec<u8> = match &image.image {
            Pixels::Gray(bytes) => bytes.iter().flat_map(|v| [*v; 3]).collect(),
            Pixels::Rgb(bytes) => bytes.clone(),
        };
        if rgb.len() != 3 * area || image.truth.len() != area {
            return Err(wrong(format!("`{}`: image or truth is not {1} x {1}", image.file, figure.side)));
        }
        let truth = image.truth.iter().flat_map(|v| [if *v == 0 { 0 } else { 255 }; 3]).collect();
        let outline = Outline::of(&fitted(side, *size, truth), *size);
        images.push((outline.on(fitted(side, *size, rgb)), outline));
    }
    let mut rows = Vec::new();
    for variant in &figure.variants {
        let here = &variant.maps;
        if here.len() != images.len() || here.iter().any(|(map, _)| map.len() != area) {
            return Err(wrong(format!("`{}`: not a map of {1} x {1} for each image", variant.label, figure.side)));
        }
        let values = || here.iter().flat_map(|(map, _)| map).map(|v| f64::from(*v));
        if values().any(|value| !value.is_finite()) {
            return Err(wrong(format!("`{}`: a map has a value that is not finite", variant.label)));
        }
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let length = if high > low { high - low } else { 1.0 };
        let coloured = |map: &Vec<f32>, at: usize| {
            let rgb = map.iter().flat_map(|v| heat((f64::from(*v) - low) / length)).collect();
            images[at].1.on(fitted(side, sizes[at], rgb))
        };
        let (low, high) = numbers(low, high);
        rows.push(Row {
            pictures: here.iter().enumerate().map(|(at, (map, _))| coloured(map, at)).collect(),
            scores: here.iter().map(|(_, score)| score.map_or_else(|| "–".to_owned(), number)).collect(),
            ends: [format!("{low} to"), high],
        });
    }
    let font = &font::font()?;
    let roles: Vec<String> = figure.images.iter().map(|image| image.role.to_string()).collect();
    let files: Vec<&String> = figure.images.iter().map(|image| &image.file).collect();
    let names: Vec<&String> = figure.variants.iter().map(|variant| &variant.label).collect();
    let sketch = Sketch {
        name: &figure.name,
        roles: labels(font, &roles, f64::from(CELL), 2),
        files: labels(font, &files, f64::from(CELL), 3),
        names: labels(font, &names, f64::from(LABELS - 30), 3),
        images: images.into_iter().map(|(rgb, _)| rgb).collect(),
        height: sizes.iter().map(|(_, height)| *height).max().unwrap_or(CELL),
        sizes,
        rows,
    };
    render(&sketch, paper.into())
}

/// Most images.
const COLUMNS: usize = 4;
/// Room for names of rows.
const LABELS: u32 = 390;
/// Side of a picture.
const CELL: u32 = 284;
const GAP: u32 = 24;
const LEFT: u32 = 20;
/// Height of the line with scores below a row of maps.
const SCORES: u32 = 70;
const BETWEEN: u32 = 18;

/// One variant's maps.
struct Row {
    pictures: Vec<Vec<u8>>,
    /// The score of each image.
    scores: Vec<String>,
    /// The ends of its colour scale, a line each.
    ends: [String; 2],
}

struct Sketch<'a> {
    name: &'a str,
    roles: Vec<Vec<String>>,
    files: Vec<Vec<String>>,
    names: Vec<Vec<String>>,
    images: Vec<Vec<u8>>,
    /// Width and height of each image and of its maps.
    sizes: Vec<(u32, u32)>,
    /// Height of the tallest of them.
    height: u32,
    rows: Vec<Row>,
}

/// A number for a scale's end or a score.
fn number(value: f64) -> String {
    digits(value, if value.abs() < 10.0 { 3 } else { 1 })
}

fn digits(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "−")
}

/// The ends of a scale, with more digits where they would look the same.
fn numbers(low: f64, high: f64) -> (String, String) {
    const MOST: usize = 8;
    let first = (number(low), number(high));
    let more = (4..=MOST).map(|decimals| (digits(low, decimals), digits(high, decimals)));
    std::iter::once(first).chain(more).find(|(low, high)| low != high).unwrap_or_else(|| (number(low), number(high)))
}

fn left(column: usize) -> i32 {
    (LEFT + LABELS + column as u32 * (CELL + GAP)) as i32
}

impl Sketch<'_> {
    /// Height of a row beside whose pictures so many lines stand.
    fn row_height(&self, lines: usize) -> u32 {
        self.height.max(lines as u32 * LINE)
    }

    fn heading(&self) -> u32 {
        (most_lines(&self.roles) + most_lines(&self.files)) * LINE + 40
    }
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        let row = |row: &Row, lines: &Vec<String>| self.row_height(lines.len() + row.ends.len()) + SCORES + BETWEEN;
        let rows: u32 = self.rows.iter().zip(&self.names).map(|(one, lines)| row(one, lines)).sum();
        vec![self.heading() + self.row_height(2) + BETWEEN + rows + SCALE]
    }

    fn draw<B: DrawingBackend>(&self, _: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let text = |words: &str, at, horizontal| {
            area.draw(&Text::new(words.to_owned(), at, font::style(INK, horizontal, VPos::Center)))
        };
        let (cell, line) = (CELL as i32, LINE as i32);
        let place = |column: usize, top: i32, row: u32| {
            let (width, height) = self.sizes[column];
            (left(column) + (cell - width as i32) / 2, top + (row as i32 - height as i32) / 2)
        };
        for column in 0..self.images.len() {
            let middle = left(column) + cell / 2;
            let files = (most_lines(&self.roles) as i32) * line + 10;
            for (lines, top) in [(&self.roles, 10), (&self.files, files)] {
                for (number, words) in lines.get(column).into_iter().flatten().enumerate() {
                    text(words, (middle, top + line / 2 + number as i32 * line), HPos::Center)?;
                }
            }
        }
        let mut top = self.heading() as i32;
        let names = |lines: &[String], top: i32, row: u32| {
            let middle = top + row as i32 / 2;
            for (words, offset) in lines.iter().zip(offsets(lines.len())) {
                text(words, (LEFT as i32, middle + offset), HPos::Left)?;
            }
            Ok(())
        };
        let tall = self.row_height(2);
        names(&["Image, truth".to_owned(), "outlined".to_owned()], top, tall)?;
        for (column, rgb) in self.images.iter().enumerate() {
            picture(area, place(column, top, tall), self.sizes[column], rgb.clone())?;
        }
        top += (tall + BETWEEN) as i32;
        for (row, lines) in self.rows.iter().zip(&self.names) {
            let words = [lines.as_slice(), &row.ends].concat();
            let tall = self.row_height(words.len());
            names(&words, top, tall)?;
            for (column, (rgb, score)) in row.pictures.iter().zip(&row.scores).enumerate() {
                picture(area, place(column, top, tall), self.sizes[column], rgb.clone())?;
                text(score, (left(column) + cell / 2, top + (tall + SCORES / 2) as i32), HPos::Center)?;
            }
            top += (tall + SCORES + BETWEEN) as i32;
        }
        // The last number of the scale reaches beyond its end.
        let width = WIDTH - LEFT - LABELS - 70;
        scale(area, (left(0), top), width, &(0.0..1.0), "Share of a row's own range")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_scale_that_differ_look_different() {
        assert_eq!(numbers(0.0, 1.0), ("0.000".to_owned(), "1.000".to_owned()));
        assert_eq!(numbers(-0.50001, 0.0), ("−0.500".to_owned(), "0.000".to_owned()));
        assert_eq!(numbers(0.50001, 0.50002), ("0.50001".to_owned(), "0.50002".to_owned()));
        assert_eq!(numbers(0.5, 0.5), ("0.500".to_owned(), "0.500".to_owned()));
    }
}
