//! The figure of AUROC over K with intervals, a line for each variant.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use crate::axes::{ABOVE, Axis, BELOW, Ticks, axes};
use crate::labels::labels;
use crate::marks::{self, MOST_SERIES};
use crate::render::{Drawing, Drawn, Rendered, render};
use crate::{ReportError, font};

/// A mean at one K.
#[derive(Clone, Debug, PartialEq)]
pub struct ShotsPoint {
    /// Support images a class.
    pub shots: u32,
    /// The mean, a fraction.
    pub mean: f64,
    /// The interval's ends.
    pub interval: (f64, f64),
}

/// One measure over K.
#[derive(Clone, Debug, PartialEq)]
pub struct ShotsPlot {
    /// Name of the measure.
    pub measure: String,
    /// For each label of the figure its points, K ascending; empty for none.
    pub lines: Vec<Vec<ShotsPoint>>,
}

/// Measures over K, below one another.
#[derive(Clone, Debug, PartialEq)]
pub struct ShotsFigure {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows, for the report.
    pub caption: String,
    /// Name of the axis of K.
    pub axis: String,
    /// What the lines are of, six at most.
    pub labels: Vec<String>,
    /// The plots.
    pub plots: Vec<ShotsPlot>,
}

/// Draws measures over K, each K at the same distance from the next; `smoke` marks it as a smoke test.
///
/// # Errors
/// More than six lines, or a value that is not finite.
pub fn shots(figure: &ShotsFigure, smoke: bool) -> Result<Rendered, ReportError> {
    let wrong = |what: String| ReportError::Figure { figure: figure.name.clone(), what };
    if figure.labels.len() > MOST_SERIES {
        return Err(wrong(format!("{} series; {MOST_SERIES} can be told apart", figure.labels.len())));
    }
    let points = || figure.plots.iter().flat_map(|plot| plot.lines.iter().flatten());
    if points().any(|p| !(p.mean.is_finite() && p.interval.0.is_finite() && p.interval.1.is_finite())) {
        return Err(wrong("a value is not finite".to_owned()));
    }
    let mut all: Vec<u32> = points().map(|point| point.shots).collect();
    all.sort_unstable();
    all.dedup();
    let font = &font::font()?;
    let labels = labels(font, &figure.labels, marks::label_room(), marks::LEGEND_LINES);
    render(&Sketch { figure, shots: all, labels }, smoke)
}

struct Sketch<'a> {
    figure: &'a ShotsFigure,
    shots: Vec<u32>,
    labels: Vec<Vec<String>>,
}

const PLOT: u32 = 620;
/// How far lines stand beside one another, in distances from K to K.
const APART: f64 = 0.07;

impl Sketch<'_> {
    /// Where a K stands on the axis, of the line with that index.
    fn across(&self, shots: u32, index: usize) -> f64 {
        let at = self.shots.iter().position(|known| *known == shots).unwrap_or(0) as f64;
        at + APART * (index as f64 - (self.labels.len() as f64 - 1.0) / 2.0)
    }
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn height(&self) -> u32 {
        self.figure.plots.len() as u32 * PLOT + BELOW - ABOVE + marks::legend_height(&self.labels) + 20
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let mut rest = area.clone();
        let named = self.shots.iter().enumerate().map(|(at, shots)| (at as f64, shots.to_string())).collect();
        let ticks = Ticks::Named(named);
        let across = -0.4..self.shots.len().max(1) as f64 - 0.6;
        for (number, plot) in self.figure.plots.iter().enumerate() {
            let last = number + 1 == self.figure.plots.len();
            let (here, below) = rest.split_vertically(if last { PLOT + BELOW - ABOVE } else { PLOT });
            let name = if last { self.figure.axis.as_str() } else { "" };
            let x = Axis { name, range: across.clone(), ticks: ticks.clone() };
            let range = range(plot);
            let y = Axis { name: &plot.measure, ticks: Ticks::over(&range, 4), range };
            let to_point = axes(&here, &x, &y)?;
            for (index, line) in plot.lines.iter().enumerate() {
                for point in line {
                    let at = self.across(point.shots, index);
                    marks::whisker(&here, index, (to_point(at, point.interval.0), to_point(at, point.interval.1)))?;
                }
                let points: Vec<_> = line.iter().map(|p| to_point(self.across(p.shots, index), p.mean)).collect();
                marks::series(&here, index, &points)?;
            }
            rest = below;
        }
        marks::legend(&rest, &self.labels)
    }
}

/// What the axis of a plot covers: all intervals, to whole steps.
fn range(plot: &ShotsPlot) -> Range<f64> {
    let ends = || plot.lines.iter().flatten().flat_map(|p| [p.interval.0, p.interval.1, p.mean]);
    let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
    if !low.is_finite() {
        return 0.0..1.0;
    }
    let pad = if high > low { 0.0 } else { 0.05 };
    let range = low - pad..high + pad;
    Ticks::over(&range, 4).widen(&range)
}
