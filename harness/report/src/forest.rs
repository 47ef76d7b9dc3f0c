//! The forest plot of differences from the base: a line for each variant, with its interval and the line of no
//! difference.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::Color;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::axes::Ticks;
use crate::colour::{FAINT, GREY, INK};
use crate::labels::{LINE, by_plot, heights, inside, labels, offsets, wrapped};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, is_too_tall, render};
use crate::{ReportError, font, marks};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestRow {
    /// The variant.
    pub label: String,
    /// Difference and the ends of its interval, fractions.
    pub difference: Option<(f64, f64, f64)>,
    /// Differs significantly from none: its mark is filled.
    pub significant: bool,
    /// Why there is no difference; empty where there is one.
    pub reason: String,
}

/// Lines of one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestPlot {
    /// What tells its file from those of others, where it has one of its own.
    pub name: String,
    /// What the axis is of.
    pub axis: String,
    /// What the axis covers beside the rows.
    pub ends: Vec<f64>,
    /// The lines, top to bottom.
    pub rows: Vec<ForestRow>,
}

/// Plots below one another.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// The plots.
    pub plots: Vec<ForestPlot>,
}

/// Draws a forest plot.
///
/// # Errors
/// A value that is not finite.
pub fn forest(figure: &ForestFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    render(&sketch(figure)?, paper.into())
}

/// Whether it has no room on a page.
pub(crate) fn is_tall(figure: &ForestFigure, paper: Paper) -> Result<bool, ReportError> {
    Ok(is_too_tall(&sketch(figure)?, paper))
}

fn sketch(figure: &ForestFigure) -> Result<Sketch, ReportError> {
    let values = figure.plots.iter().flat_map(|plot| &plot.rows).filter_map(|row| row.difference);
    if values.into_iter().any(|(d, low, high)| !(d.is_finite() && low.is_finite() && high.is_finite())) {
        return Err(ReportError::Figure { figure: figure.name.clone(), what: "a value is not finite".to_owned() });
    }
    let font = &font::font()?;
    let mut figure = figure.clone();
    let names: Vec<&String> = figure.plots.iter().flat_map(|plot| &plot.rows).map(|row| &row.label).collect();
    let labels = labels(font, &names, f64::from(LEFT - 50), LINES);
    for row in figure.plots.iter_mut().flat_map(|plot| &mut plot.rows) {
        row.reason = font::shorten(font, &row.reason, font::EM, f64::from(WIDTH as i32 - LEFT - 2 * RIGHT));
    }
    Ok(Sketch { figure, labels })
}

struct Sketch {
    figure: ForestFigure,
    /// Of the rows of all plots, one after the other.
    labels: Vec<Vec<String>>,
}

/// Most lines of a label.
const LINES: usize = 3;

const LEFT: i32 = 560;
const RIGHT: i32 = 60;
const ROW: u32 = 84;
const ABOVE: u32 = 30;
const BELOW: u32 = 230;

fn height(labels: &[Vec<String>]) -> u32 {
    ABOVE + heights(labels, ROW).iter().sum::<u32>() + BELOW
}

impl Sketch {
    /// Each plot with the labels of its rows.
    fn plots(&self) -> impl Iterator<Item = (&ForestPlot, &[Vec<String>])> {
        by_plot(&self.figure.plots, &self.labels, |plot| plot.rows.len())
    }
}

impl Drawing for Sketch {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        self.plots().map(|(_, labels)| height(labels)).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        self.plots().nth(number).map_or(Ok(()), |(plot, labels)| draw_plot(area, plot, labels))
    }
}

fn draw_plot<B: DrawingBackend>(area: &DrawingArea<B, Shift>, plot: &ForestPlot, labels: &[Vec<String>]) -> Drawn<B> {
    let range = range(plot);
    let right = WIDTH as i32 - RIGHT;
    let heights = heights(labels, ROW);
    let bottom = (ABOVE + heights.iter().sum::<u32>()) as i32;
    let to_x = |v: f64| LEFT + ((v - range.start) / (range.end - range.start) * f64::from(right - LEFT)).round() as i32;
    for (at, words) in Ticks::over(&range, 4).within(&range) {
        let x = to_x(at);
        area.draw(&PathElement::new(vec![(x, ABOVE as i32), (x, bottom)], FAINT.stroke_width(3)))?;
        area.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 14)], INK.stroke_width(4)))?;
        area.draw(&Text::new(words, (x, bottom + 24), font::style(INK, HPos::Center, VPos::Top)))?;
    }
    let zero = to_x(0.0);
    marks::reference(area, &[(zero, ABOVE as i32), (zero, bottom)], INK)?;
    let mut top = ABOVE;
    for ((row, lines), height) in plot.rows.iter().zip(labels).zip(heights) {
        let y = (top + height / 2) as i32;
        top += height;
        for (words, offset) in lines.iter().zip(offsets(lines.len())) {
            let style = font::style(INK, HPos::Left, VPos::Center);
            area.draw(&Text::new(words.clone(), (20, y + offset), style))?;
        }
        match row.difference {
            Some((difference, low, high)) => {
                let (low, high) = (to_x(low), to_x(high));
                area.draw(&PathElement::new(vec![(low, y), (high, y)], INK.stroke_width(6)))?;
                for x in [low, high] {
                    area.draw(&PathElement::new(vec![(x, y - 14), (x, y + 14)], INK.stroke_width(6)))?;
                }
                let at = (to_x(difference), y);
                area.draw(&Circle::new(at, 18, INK.filled()))?;
                if !row.significant {
                    area.draw(&Circle::new(at, 12, WHITE.filled()))?;
                }
            }
            None => {
                let at = (LEFT + RIGHT, y);
                area.draw(&Text::new(row.reason.clone(), at, font::style(GREY, HPos::Left, VPos::Center)))?;
            }
        }
    }
    area.draw(&PathElement::new(vec![(LEFT, bottom), (right, bottom)], INK.stroke_width(4)))?;
    let Ok(font) = font::font() else { return Ok(()) };
    let lines = wrapped(&font, &plot.axis, f64::from(WIDTH - 60));
    let middle = inside(&font, &lines, (LEFT + right) / 2, WIDTH);
    for (number, words) in lines.into_iter().enumerate() {
        let at = (middle, bottom + 92 + number as i32 * LINE as i32);
        area.draw(&Text::new(words, at, font::style(INK, HPos::Center, VPos::Top)))?;
    }
    Ok(())
}

/// What the axis covers: all intervals and zero, with room at both ends.
fn range(plot: &ForestPlot) -> Range<f64> {
    let ends = || plot.rows.iter().filter_map(|row| row.difference).flat_map(|(d, low, high)| [d, low, high]);
    let (low, high) =
        plot.ends.iter().copied().chain(ends()).fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let pad = if high > low { (high - low) * 0.06 } else { 0.01 };
    low - pad..high + pad
}
