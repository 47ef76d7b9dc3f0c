//! The figure of backends' speeds: bars with their numbers.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::{GREY, INK, SERIES};
use crate::labels::{LINE, by_plot, labels, offsets};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The backend.
    pub label: String,
    /// How long the bar is; absent where it was not measured.
    pub value: Option<f64>,
    /// Where a thin line beyond the bar ends.
    pub reach: Option<f64>,
}

/// Bars of one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct BarPlot {
    /// The measure with its unit.
    pub title: String,
    /// The bars, top to bottom.
    pub bars: Vec<Bar>,
}

/// Plots below one another.
#[derive(Clone, Debug, PartialEq)]
pub struct BarFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// The plots.
    pub plots: Vec<BarPlot>,
}

/// Draws bars.
///
/// # Errors
/// A value that is negative or not finite.
pub fn bars(figure: &BarFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    let all = figure.plots.iter().flat_map(|plot| &plot.bars).flat_map(|bar| bar.value.into_iter().chain(bar.reach));
    if all.into_iter().any(|value| !value.is_finite() || value < 0.0) {
        let what = "a value is negative or not finite".to_owned();
        return Err(ReportError::Figure { figure: figure.name.clone(), what });
    }
    let font = &font::font()?;
    let names: Vec<&String> = figure.plots.iter().flat_map(|plot| &plot.bars).map(|bar| &bar.label).collect();
    let labels = labels(font, &names, f64::from(LEFT - 40), LINES);
    let bars = || figure.plots.iter().flat_map(|plot| &plot.bars);
    let widest = bars().filter_map(words).map(|words| font::width(font, &words, font::EM)).fold(0.0, f64::max);
    render(&Sketch { figure, labels, right: (widest.ceil() as i32 + 50).max(RIGHT) }, paper.into())
}

struct Sketch<'a> {
    figure: &'a BarFigure,
    /// Of the bars of all plots, one after the other.
    labels: Vec<Vec<String>>,
    /// Room for a number beyond the longest bar.
    right: i32,
}

/// Most lines of a label.
const LINES: usize = 3;

const LEFT: i32 = 480;
/// Least room for a number beyond the longest bar.
const RIGHT: i32 = 200;
const TITLE: u32 = 100;
const ROW: u32 = 96;
const GAP: u32 = 30;
const HALF: i32 = 30;

/// Height of a bar with its room.
fn row(lines: &[String]) -> u32 {
    ROW.max(LINE * lines.len() as u32 + 20)
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        let height = |labels: &[Vec<String>]| TITLE + GAP + labels.iter().map(|lines| row(lines)).sum::<u32>();
        self.plots().map(|(_, labels)| height(labels)).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let Some((plot, labels)) = self.plots().nth(number) else { return Ok(()) };
        let longest = plot.bars.iter().flat_map(|bar| bar.value.into_iter().chain(bar.reach)).fold(0.0, f64::max);
        let room = f64::from(WIDTH as i32 - LEFT - self.right);
        let length = |value: f64| if longest > 0.0 { (value / longest * room).round() as i32 } else { 0 };
        let style = font::style(INK, HPos::Left, VPos::Center);
        area.draw(&Text::new(plot.title.clone(), (20, (TITLE / 2) as i32 + 8), style))?;
        let foot = (TITLE + labels.iter().map(|lines| row(lines)).sum::<u32>()) as i32;
        area.draw(&PathElement::new(vec![(LEFT, TITLE as i32), (LEFT, foot)], INK.stroke_width(4)))?;
        let mut top = TITLE;
        for (bar, lines) in plot.bars.iter().zip(labels) {
            let y = (top + row(lines) / 2) as i32;
            for (words, offset) in lines.iter().zip(offsets(lines.len())) {
                let style = font::style(INK, HPos::Right, VPos::Center);
                area.draw(&Text::new(words.clone(), (LEFT - 20, y + offset), style))?;
            }
            draw_bar(area, bar, y, length)?;
            top += row(lines);
        }
        Ok(())
    }
}

impl Sketch<'_> {
    /// Each plot with the labels of its bars.
    fn plots(&self) -> impl Iterator<Item = (&BarPlot, &[Vec<String>])> {
        by_plot(&self.figure.plots, &self.labels, |plot| plot.bars.len())
    }
}

/// What stands beside a bar; `None` where it was not measured.
fn words(bar: &Bar) -> Option<String> {
    let number = |v: f64| if v < 100.0 { format!("{v:.1}") } else { format!("{v:.0}") };
    let value = bar.value?;
    Some(match bar.reach {
        Some(reach) => format!("{} to {}", number(value), number(reach)),
        None => number(value),
    })
}

fn draw_bar<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    bar: &Bar,
    y: i32,
    length: impl Fn(f64) -> i32,
) -> Drawn<B> {
    let Some(value) = bar.value else {
        let style = font::style(GREY, HPos::Left, VPos::Center);
        return area.draw(&Text::new("not measured", (LEFT + 20, y), style));
    };
    let end = LEFT + length(value);
    area.draw(&Rectangle::new([(LEFT + 2, y - HALF), (end, y + HALF)], SERIES[0].filled()))?;
    let mut last = end;
    if let Some(reach) = bar.reach.filter(|reach| *reach > value) {
        last = LEFT + length(reach);
        area.draw(&PathElement::new(vec![(end, y), (last, y)], INK.stroke_width(5)))?;
        area.draw(&PathElement::new(vec![(last, y - 16), (last, y + 16)], INK.stroke_width(5)))?;
    }
    let words = words(bar).unwrap_or_default();
    area.draw(&Text::new(words, (last + 18, y), font::style(INK, HPos::Left, VPos::Center)))
}
