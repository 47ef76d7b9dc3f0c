//! The figure of losses over epochs.

use std::ops::Range;

use harness_results::{CurveFigure, CurveSeries};
use harness_tables::CurveRow;

use crate::ReportError;
use crate::axes::Ticks;
use crate::plots::{Line, Plot, Plots, Scale, Style, Styled};
use crate::render::{Paper, Rendered};

/// Draws the losses over epochs, one plot each, since their sizes differ. A loss that no training has is left out; an
/// epoch whose loss is not finite leaves a gap.
///
/// # Errors
/// More than six series.
pub fn training_curve(figure: &CurveFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    plots(figure, &|_, at| Style { label: None, style: at, is_base: false }).together()?.render(paper.into())
}

/// The lines of the figure, in the style that each label has.
pub(crate) fn plots(figure: &CurveFigure, styled: &Styled<'_>) -> Plots {
    let mut losses: Vec<&str> = Vec::new();
    for row in figure.series.iter().flat_map(|series| &series.rows) {
        if !losses.contains(&row.loss.as_str()) {
            losses.push(&row.loss);
        }
    }
    let epochs = epochs(figure);
    let x = Scale { name: "Epoch".to_owned(), ticks: Ticks::whole(&epochs, 6), range: epochs };
    let mut plots: Vec<Plot> = losses.into_iter().filter_map(|loss| plot(figure, loss, &x)).collect();
    if plots.is_empty() {
        let y = Scale { name: axis("detection"), range: 0.0..1.0, ticks: Ticks::over(&(0.0..1.0), 4) };
        plots.push(Plot { name: "detection".to_owned(), x, y, lines: vec![Line::default(); figure.series.len()] });
    }
    let series = |(at, series): (usize, &CurveSeries)| styled(&series.label, at).series(&series.label, "");
    Plots {
        name: figure.name.clone(),
        plots,
        series: figure.series.iter().enumerate().map(series).collect(),
        height: Some(480),
        diagonal: false,
        apart: 0.0,
    }
}

fn epochs(figure: &CurveFigure) -> Range<f64> {
    let epochs = figure.series.iter().flat_map(|s| &s.rows).map(|row| f64::from(row.epoch));
    let (low, high) = epochs.fold((f64::INFINITY, 0.0_f64), |(low, high), e| (low.min(e), high.max(e)));
    let low = if low.is_finite() { low } else { 0.0 };
    if high > low { low..high } else { low - 0.5..low + 0.5 }
}

/// The name of a loss at its axis.
fn axis(loss: &str) -> String {
    let mut letters = loss.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{} loss", letters.as_str())
}

/// The plot of a loss, if any training has a finite value of it.
fn plot(figure: &CurveFigure, loss: &str, x: &Scale) -> Option<Plot> {
    let line = |series: &CurveSeries| {
        let rows: Vec<&CurveRow> = series.rows.iter().filter(|row| row.loss == loss).collect();
        let runs = rows.split(|row| !row.value.is_finite()).filter(|run| !run.is_empty());
        let runs = runs.map(|run| run.iter().map(|row| (f64::from(row.epoch), row.value)).collect()).collect();
        Line { runs, ..Line::default() }
    };
    let lines: Vec<Line> = figure.series.iter().map(line).collect();
    let values = || lines.iter().flat_map(|line| line.runs.iter().flatten()).map(|(_, value)| *value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if !low.is_finite() {
        return None;
    }
    // A constant still needs a scale.
    let pad = if high > low { 0.0 } else { (high.abs() * 0.1).max(1e-6) };
    let range = low - pad..high + pad;
    let range = Ticks::over(&range, 4).widen(&range);
    Some(Plot {
        name: loss.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        x: x.clone(),
        y: Scale { name: axis(loss), ticks: Ticks::over(&range, 4), range },
        lines,
    })
}
