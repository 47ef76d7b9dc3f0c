//! The heat map of a matrix with its numbers in the cells, readable without colour.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};
use plotters_backend::DrawingBackend;

use crate::colour::{GREY, INK, heat};
use crate::labels::{LINE, labels, most_lines, offsets};
use crate::panel::{SCALE, scale};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// A cell: its value, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// The value, a fraction.
    pub value: Option<f64>,
    /// What it says without one: a word.
    pub reason: String,
}

/// A matrix as a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// What the lines are.
    pub lines: String,
    /// What the columns are.
    pub columns: String,
    /// What the values are.
    pub measure: String,
    /// Names of the lines.
    pub sources: Vec<String>,
    /// Names of the columns.
    pub targets: Vec<String>,
    /// `[sources][targets]`.
    pub cells: Vec<Vec<HeatCell>>,
}

/// Draws a heat map.
///
/// # Errors
/// No column, cells that are not one a line and column, or a value that is not finite.
pub fn heat_map(figure: &HeatFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    let wrong = |what: &str| ReportError::Figure { figure: figure.name.clone(), what: what.to_owned() };
    let whole = figure.cells.len() == figure.sources.len()
        && figure.cells.iter().all(|line| line.len() == figure.targets.len());
    if figure.targets.is_empty() || !whole {
        return Err(wrong("there must be a cell for each line and column, and a column"));
    }
    let values: Vec<f64> = figure.cells.iter().flatten().filter_map(|cell| cell.value).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(wrong("a value is not finite"));
    }
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let (low, high) = match (low < high, low == high) {
        (true, _) => (low, high),
        (_, true) => (low - 0.05, high + 0.05),
        _ => (0.0, 1.0),
    };
    let font = &font::font()?;
    let mut figure = figure.clone();
    let side = side(&figure);
    let wide = |name: &String| font::width(font, name, font::EM) > f64::from(side) - 10.0;
    let upright = figure.targets.iter().any(wide);
    let beside = (((side - 10) / LINE) as usize).clamp(1, LINES);
    let (room, most) = if upright { (f64::from(UPRIGHT) - 20.0, beside) } else { (f64::from(side), 1) };
    let targets = labels(font, &figure.targets, room, most);
    let sources = labels(font, &figure.sources, f64::from(LEFT - TITLE - 40), LINES);
    for cell in figure.cells.iter_mut().flatten() {
        cell.reason = font::shorten(font, &cell.reason, font::EM, f64::from(side) - 10.0);
    }
    let widest = sources.iter().flatten().map(|name| font::width(font, name, font::EM)).fold(0.0, f64::max);
    render(&Sketch { figure, sources, targets, low, high, upright, widest: widest as i32 }, paper.into())
}

struct Sketch {
    figure: HeatFigure,
    /// Labels of the lines.
    sources: Vec<Vec<String>>,
    /// Labels of the columns.
    targets: Vec<Vec<String>>,
    low: f64,
    high: f64,
    upright: bool,
    /// Width of the widest name of a line.
    widest: i32,
}

/// Room for a title of the lines.
const TITLE: u32 = 76;
/// Room left of the cells.
const LEFT: u32 = 420;
const RIGHT: u32 = 20;
/// Room for names of columns that stand upright.
const UPRIGHT: u32 = 330;
/// Most lines of a label.
const LINES: usize = 3;
/// Most that a cell is wide.
const MOST: u32 = 260;

/// Width of a cell.
fn side(figure: &HeatFigure) -> u32 {
    ((WIDTH - LEFT - RIGHT) / figure.targets.len().max(1) as u32).min(MOST)
}

impl Sketch {
    fn top(&self) -> u32 {
        TITLE + if self.upright { UPRIGHT } else { TITLE }
    }

    /// Height of a cell: no square where there are few columns.
    fn line(&self) -> u32 {
        side(&self.figure).clamp(90, 170).max(most_lines(&self.sources) * LINE + 10)
    }
}

impl Drawing for Sketch {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        vec![self.top() + self.figure.sources.len() as u32 * self.line() + 20 + SCALE]
    }

    fn draw<B: DrawingBackend>(&self, _: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (side, line, top) = (side(&self.figure) as i32, self.line() as i32, self.top() as i32);
        let left = LEFT as i32;
        let (width, height) = (side * self.figure.targets.len() as i32, line * self.figure.sources.len() as i32);
        let centred = font::style(INK, HPos::Center, VPos::Center);
        area.draw(&Text::new(self.figure.columns.clone(), (left + width / 2, TITLE as i32 / 2), centred.clone()))?;
        let upright = font::upright(INK, HPos::Center, VPos::Top);
        area.draw(&Text::new(
            self.figure.lines.clone(),
            ((left - self.widest - 100).max(14), top + height / 2),
            upright,
        ))?;
        for (column, lines) in self.targets.iter().enumerate() {
            let x = left + column as i32 * side + side / 2;
            for (words, offset) in lines.iter().zip(offsets(lines.len())) {
                if self.upright {
                    let style = font::upright(INK, HPos::Left, VPos::Center);
                    area.draw(&Text::new(words.clone(), (x + offset, top - 14), style))?;
                } else {
                    let at = (x, top - TITLE as i32 / 2 + offset);
                    area.draw(&Text::new(words.clone(), at, centred.clone()))?;
                }
            }
        }
        for (number, (lines, cells)) in self.sources.iter().zip(&self.figure.cells).enumerate() {
            let y = top + number as i32 * line;
            for (words, offset) in lines.iter().zip(offsets(lines.len())) {
                let at = (left - 20, y + line / 2 + offset);
                area.draw(&Text::new(words.clone(), at, font::style(INK, HPos::Right, VPos::Center)))?;
            }
            for (column, cell) in cells.iter().enumerate() {
                let x = left + column as i32 * side;
                self.draw_cell(area, cell, [(x, y), (x + side - 1, y + line - 1)])?;
            }
        }
        // The last number of the scale reaches beyond its end.
        let scale_width = (side as u32 * self.figure.targets.len() as u32).clamp(700, WIDTH - LEFT - 90);
        scale(area, (left, top + height + 20), scale_width, &(self.low..self.high), &self.figure.measure)
    }
}

impl Sketch {
    fn draw_cell<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        cell: &HeatCell,
        corners: [(i32, i32); 2],
    ) -> Drawn<B> {
        let middle = ((corners[0].0 + corners[1].0) / 2, (corners[0].1 + corners[1].1) / 2);
        let (fill, ink, words) = match cell.value {
            Some(value) => {
                let t = (value - self.low) / (self.high - self.low);
                let [r, g, b] = heat(t);
                // Lightness of the scale rises with the value: ink on its upper half, white on its lower.
                let ink = if t > 0.5 { INK } else { WHITE };
                let narrow = corners[1].0 - corners[0].0 < 170;
                let words = if narrow { format!("{value:.2}") } else { format!("{value:.3}") };
                (RGBColor(r, g, b), ink, words)
            }
            None => (WHITE, GREY, cell.reason.clone()),
        };
        area.draw(&Rectangle::new(corners, fill.filled()))?;
        area.draw(&Rectangle::new(corners, WHITE.stroke_width(4)))?;
        if cell.value.is_none() {
            let [(x0, y0), (x1, y1)] = corners;
            let frame = vec![(x0 + 6, y0 + 6), (x1 - 6, y0 + 6), (x1 - 6, y1 - 6), (x0 + 6, y1 - 6), (x0 + 6, y0 + 6)];
            area.draw(&PathElement::new(frame, GREY.stroke_width(2)))?;
        }
        area.draw(&Text::new(words, middle, font::style(ink, HPos::Center, VPos::Center)))
    }
}
