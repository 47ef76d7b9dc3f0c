//! The figure of losses over epochs.

use std::ops::Range;

use harness_results::CurveFigure;
use harness_tables::CurveRow;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use crate::axes::{ABOVE, Axis, BELOW, Ticks, axes};
use crate::labels::labels;
use crate::marks::{self, MOST_SERIES};
use crate::render::{Drawing, Drawn, Rendered, render};
use crate::{ReportError, font};

/// Draws the losses over epochs, one plot each, since their sizes differ. A loss that no training has is left out; an
/// epoch whose loss is not finite leaves a gap.
///
/// # Errors
/// More than six series.
pub fn training_curve(figure: &CurveFigure, smoke: bool) -> Result<Rendered, ReportError> {
    if figure.series.len() > MOST_SERIES {
        let what = format!("{} series; {MOST_SERIES} can be told apart", figure.series.len());
        return Err(ReportError::Figure { figure: figure.name.clone(), what });
    }
    let font = &font::font()?;
    let names: Vec<&String> = figure.series.iter().map(|series| &series.label).collect();
    let labels = labels(font, &names, marks::label_room(), marks::LEGEND_LINES);
    let mut losses: Vec<&str> = Vec::new();
    for row in figure.series.iter().flat_map(|series| &series.rows) {
        if !losses.contains(&row.loss.as_str()) {
            losses.push(&row.loss);
        }
    }
    let mut plots: Vec<Plot> = losses.into_iter().filter_map(|loss| Plot::of(figure, loss)).collect();
    if plots.is_empty() {
        plots.push(Plot { name: axis("detection"), lines: Vec::new(), range: 0.0..1.0 });
    }
    let epochs = figure.series.iter().flat_map(|s| &s.rows).map(|row| f64::from(row.epoch));
    let (low, high) = epochs.fold((f64::INFINITY, 0.0_f64), |(low, high), e| (low.min(e), high.max(e)));
    let low = if low.is_finite() { low } else { 0.0 };
    let epochs = if high > low { low..high } else { low - 0.5..low + 0.5 };
    render(&Sketch { figure, labels, plots, epochs }, smoke)
}

/// The name of a loss at its axis.
fn axis(loss: &str) -> String {
    let mut letters = loss.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{} loss", letters.as_str())
}

/// One loss's plot.
struct Plot {
    name: String,
    /// Unbroken lines of (epoch, loss), each with its series' index.
    lines: Vec<(usize, Vec<(f64, f64)>)>,
    range: Range<f64>,
}

impl Plot {
    /// The plot of a loss, if any training has a finite value of it.
    fn of(figure: &CurveFigure, loss: &str) -> Option<Self> {
        let mut lines = Vec::new();
        for (index, series) in figure.series.iter().enumerate() {
            let rows: Vec<&CurveRow> = series.rows.iter().filter(|row| row.loss == loss).collect();
            for run in rows.split(|row| !row.value.is_finite()).filter(|run| !run.is_empty()) {
                let points = run.iter().map(|row| (f64::from(row.epoch), row.value)).collect();
                lines.push((index, points));
            }
        }
        let values = || lines.iter().flat_map(|(_, points): &(usize, Vec<(f64, f64)>)| points).map(|(_, v)| *v);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if lines.is_empty() {
            return None;
        }
        // A constant still needs a scale.
        let pad = if high > low { 0.0 } else { (high.abs() * 0.1).max(1e-6) };
        let range = low - pad..high + pad;
        let range = Ticks::over(&range, 4).widen(&range);
        Some(Self { name: axis(loss), lines, range })
    }
}

struct Sketch<'a> {
    figure: &'a CurveFigure,
    labels: Vec<Vec<String>>,
    plots: Vec<Plot>,
    epochs: Range<f64>,
}

const PLOT: u32 = 560;

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn height(&self) -> u32 {
        let plots = self.plots.len() as u32 * PLOT + BELOW - ABOVE;
        plots + marks::legend_height(&self.labels) + 20
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let mut rest = area.clone();
        for (number, plot) in self.plots.iter().enumerate() {
            let last = number + 1 == self.plots.len();
            let (here, below) = rest.split_vertically(if last { PLOT + BELOW - ABOVE } else { PLOT });
            let x = Axis {
                name: if last { "Epoch" } else { "" },
                range: self.epochs.clone(),
                ticks: Ticks::whole(&self.epochs, 6),
            };
            let y = Axis { name: &plot.name, range: plot.range.clone(), ticks: Ticks::over(&plot.range, 4) };
            let to_point = axes(&here, &x, &y)?;
            for (index, line) in &plot.lines {
                let points: Vec<_> = line.iter().map(|(x, y)| to_point(*x, *y)).collect();
                marks::series(&here, *index, &points)?;
            }
            rest = below;
        }
        marks::legend(&rest, &self.labels)
    }
}
