//! The figure of losses over epochs.

use std::ops::Range;

use harness_results::{CurveFigure, CurveSeries};
use harness_tables::CurveRow;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use crate::axes::{ABOVE, Axis, BELOW, Ticks, axes};
use crate::marks::{self, MOST_SERIES};
use crate::render::{Drawing, Drawn, Rendered, render};
use crate::{ReportError, font};

/// Draws detection, focal and dice loss over epochs, one plot a term, since their sizes differ. A term that no training has
/// is left out; an epoch whose loss is not finite leaves a gap.
///
/// # Errors
/// More than six series.
pub fn training_curve(figure: &CurveFigure, smoke: bool) -> Result<Rendered, ReportError> {
    if figure.series.len() > MOST_SERIES {
        let what = format!("{} series; {MOST_SERIES} can be told apart", figure.series.len());
        return Err(ReportError::Figure { figure: figure.name.clone(), what });
    }
    let font = &font::font()?;
    let label = |series: &CurveSeries| vec![font::shorten(font, &series.label, font::EM, marks::label_room())];
    let terms: [(&'static str, Term); 3] =
        [("Detection loss", |row| Some(row.detection)), ("Focal loss", |row| row.focal), ("Dice loss", |row| row.dice)];
    let mut plots: Vec<Plot> = terms.into_iter().filter_map(|(name, term)| Plot::of(figure, name, term)).collect();
    if plots.is_empty() {
        plots.push(Plot { name: "Detection loss", lines: Vec::new(), range: 0.0..1.0 });
    }
    let epochs = figure.series.iter().flat_map(|s| &s.rows).map(|row| f64::from(row.epoch));
    let (low, high) = epochs.fold((f64::INFINITY, 0.0_f64), |(low, high), e| (low.min(e), high.max(e)));
    let low = if low.is_finite() { low } else { 0.0 };
    let epochs = if high > low { low..high } else { low - 0.5..low + 0.5 };
    render(&Sketch { figure, labels: figure.series.iter().map(label).collect(), plots, epochs }, smoke)
}

type Term = fn(&CurveRow) -> Option<f64>;

/// One term's plot.
struct Plot {
    name: &'static str,
    /// Unbroken lines of (epoch, loss), each with its series' index.
    lines: Vec<(usize, Vec<(f64, f64)>)>,
    range: Range<f64>,
}

impl Plot {
    /// The plot of a term, if any training has it.
    fn of(figure: &CurveFigure, name: &'static str, term: Term) -> Option<Self> {
        let mut lines = Vec::new();
        for (index, series) in figure.series.iter().enumerate() {
            let value = |row: &CurveRow| term(row).filter(|v| v.is_finite());
            for run in series.rows.split(|row| value(row).is_none()).filter(|run| !run.is_empty()) {
                let points = run.iter().filter_map(|row| Some((f64::from(row.epoch), value(row)?))).collect();
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
        Some(Self { name, lines, range })
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
            let y = Axis { name: plot.name, range: plot.range.clone(), ticks: Ticks::over(&plot.range, 4) };
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
