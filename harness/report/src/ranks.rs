//! The figure of mean ranks: a line a variant, the best first, and bars that join variants which no test tells apart.

use harness_results::{RankFigure, RankPlot};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::Color;
use plotters::style::WHITE;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::axes::Ticks;
use crate::colour::{FAINT, GREY, INK};
use crate::labels::{LINE, by_plot, heights, labels, offsets};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, is_too_tall, render};
use crate::{ReportError, font};

/// Draws mean ranks.
///
/// # Errors
/// A rank that is not finite, a group of variants that are not there.
pub fn ranks(figure: &RankFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    render(&sketch(figure)?, paper.into())
}

/// Whether it has no room on a page.
pub(crate) fn is_tall(figure: &RankFigure, paper: Paper) -> Result<bool, ReportError> {
    Ok(is_too_tall(&sketch(figure)?, paper))
}

fn sketch(figure: &RankFigure) -> Result<Sketch<'_>, ReportError> {
    let wrong = |what: &str| ReportError::Figure { figure: figure.name.clone(), what: what.to_owned() };
    for plot in &figure.plots {
        let all = plot.variants.iter().flat_map(|variant| variant.ranks.iter().chain([&variant.rank]));
        if all.into_iter().any(|rank| !rank.is_finite()) {
            return Err(wrong("a rank is not finite"));
        }
        if plot.joined.iter().flatten().any(|index| *index >= plot.variants.len()) {
            return Err(wrong("a group has a variant that is not there"));
        }
    }
    let font = &font::font()?;
    let names: Vec<&String> =
        figure.plots.iter().flat_map(|plot| &plot.variants).map(|variant| &variant.label).collect();
    let labels = labels(font, &names, f64::from(LEFT - 60), LINES);
    Ok(Sketch { figure, labels })
}

struct Sketch<'a> {
    figure: &'a RankFigure,
    /// Of the variants of all plots, one after the other.
    labels: Vec<Vec<String>>,
}

/// Most lines of a label.
const LINES: usize = 3;

const LEFT: i32 = 560;
const RIGHT: i32 = 40;
const ROW: u32 = 76;
const TITLE: u32 = 96;
const BELOW: u32 = 200;
/// Room for bars: no less than their heading needs.
const BARS: i32 = 250;

fn height(labels: &[Vec<String>]) -> u32 {
    TITLE + heights(labels, ROW).iter().sum::<u32>() + BELOW
}

impl Sketch<'_> {
    /// Each plot with the labels of its rows.
    fn plots(&self) -> impl Iterator<Item = (&RankPlot, &[Vec<String>])> {
        by_plot(&self.figure.plots, &self.labels, |plot| plot.variants.len())
    }
}

impl Drawing for Sketch<'_> {
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

fn draw_plot<B: DrawingBackend>(area: &DrawingArea<B, Shift>, plot: &RankPlot, labels: &[Vec<String>]) -> Drawn<B> {
    let text = |words: &str, at, (horizontal, vertical)| {
        area.draw(&Text::new(words.to_owned(), at, font::style(INK, horizontal, vertical)))
    };
    let right = WIDTH as i32 - RIGHT - BARS;
    let heights = heights(labels, ROW);
    let bottom = (TITLE + heights.iter().sum::<u32>()) as i32;
    let over = match plot.datasets.len() {
        1 => "on one dataset".to_owned(),
        several => format!("over {several} datasets"),
    };
    text(&format!("{}, {over}", plot.measure), (20, TITLE as i32 / 2), (HPos::Left, VPos::Center))?;
    let range = 0.6..plot.variants.len() as f64 + 0.4;
    let to_x =
        |rank: f64| LEFT + ((rank - range.start) / (range.end - range.start) * f64::from(right - LEFT)).round() as i32;
    for (at, words) in Ticks::whole(&range, 8).within(&range).into_iter().filter(|(at, _)| *at >= 1.0) {
        let x = to_x(at);
        area.draw(&PathElement::new(vec![(x, TITLE as i32), (x, bottom)], FAINT.stroke_width(3)))?;
        area.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 14)], INK.stroke_width(4)))?;
        text(&words, (x, bottom + 24), (HPos::Center, VPos::Top))?;
    }
    let mut middles = Vec::new();
    let mut top = TITLE;
    for ((variant, lines), height) in plot.variants.iter().zip(labels).zip(heights) {
        let y = (top + height / 2) as i32;
        top += height;
        middles.push(y);
        for (words, offset) in lines.iter().zip(offsets(lines.len())) {
            text(words, (20, y + offset), (HPos::Left, VPos::Center))?;
        }
        // The eye goes from the name along the line to the bars.
        let end = right + if plot.joined.is_empty() { 0 } else { BARS };
        area.draw(&PathElement::new(vec![(LEFT, y), (end, y)], FAINT.stroke_width(3)))?;
        if plot.datasets.len() > 1 {
            for rank in &variant.ranks {
                let at = (to_x(*rank), y);
                area.draw(&Circle::new(at, 13, GREY.filled()))?;
                area.draw(&Circle::new(at, 9, WHITE.filled()))?;
            }
        }
        area.draw(&Circle::new((to_x(variant.rank), y), 18, INK.filled()))?;
    }
    area.draw(&PathElement::new(vec![(LEFT, bottom), (right, bottom)], INK.stroke_width(4)))?;
    let several = plot.datasets.len() > 1;
    let axis = if several { "Mean rank (hollow: of a dataset)" } else { "Rank" };
    text(axis, ((LEFT + right) / 2, bottom + 96), (HPos::Center, VPos::Top))?;
    // Bars stand side by side, each as far from the next as there is room.
    let count = plot.joined.len() as i32;
    let first = right + 50;
    let apart = if count > 1 { ((BARS - 80) / (count - 1)).min(44) } else { 44 };
    // Dots of bars that stand close are small enough to stay apart.
    let dot = (apart * 2 / 5).clamp(3, 13);
    for (number, group) in plot.joined.iter().enumerate() {
        let x = first + number as i32 * apart;
        let members: Vec<i32> = group.iter().filter_map(|index| middles.get(*index).copied()).collect();
        let (Some(high), Some(low)) = (members.first(), members.last()) else { continue };
        area.draw(&PathElement::new(vec![(x, *high), (x, *low)], INK.stroke_width((dot as u32).min(7))))?;
        for y in members {
            area.draw(&Circle::new((x, y), dot, INK.filled()))?;
        }
    }
    if count > 0 {
        for (line, words) in ["not told", "apart"].into_iter().enumerate() {
            text(words, (right + 40, bottom + 24 + line as i32 * LINE as i32), (HPos::Left, VPos::Top))?;
        }
    }
    Ok(())
}
