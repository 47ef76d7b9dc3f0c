//! The figure of AUROC over K with intervals, a line for each variant.

use std::ops::Range;

use crate::ReportError;
use crate::axes::Ticks;
use crate::plots::{Line, Plot, Plots, Scale, Style, Styled};
use crate::render::{Paper, Rendered};

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
    /// What the lines are of.
    pub labels: Vec<String>,
    /// The plots.
    pub plots: Vec<ShotsPlot>,
}

/// Draws measures over K, each K at the same distance from the next.
///
/// # Errors
/// More than six lines, or a value that is not finite.
pub fn shots(figure: &ShotsFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    plots(figure, &|_, at| Style { label: None, style: at, is_base: false })?.together()?.render(paper.into())
}

/// The lines of the figure, in the style that each label has.
///
/// # Errors
/// A value that is not finite.
pub(crate) fn plots(figure: &ShotsFigure, styled: &Styled<'_>) -> Result<Plots, ReportError> {
    let points = || figure.plots.iter().flat_map(|plot| plot.lines.iter().flatten());
    if points().any(|p| !(p.mean.is_finite() && p.interval.0.is_finite() && p.interval.1.is_finite())) {
        return Err(ReportError::Figure { figure: figure.name.clone(), what: "a value is not finite".to_owned() });
    }
    let mut all: Vec<u32> = points().map(|point| point.shots).collect();
    all.sort_unstable();
    all.dedup();
    let across = |shots: u32| all.iter().position(|known| *known == shots).unwrap_or(0) as f64;
    let x = Scale {
        name: figure.axis.clone(),
        range: -0.4..all.len().max(1) as f64 - 0.6,
        ticks: Ticks::Named(all.iter().enumerate().map(|(at, shots)| (at as f64, shots.to_string())).collect()),
    };
    let line = |points: &Vec<ShotsPoint>| Line {
        runs: vec![points.iter().map(|point| (across(point.shots), point.mean)).collect()],
        whiskers: points.iter().map(|p| (across(p.shots), p.interval.0, p.interval.1)).collect(),
        band: Vec::new(),
    };
    let plot = |plot: &ShotsPlot| {
        let range = range(plot);
        Plot {
            name: plot.measure.replace(' ', "-").to_lowercase(),
            x: x.clone(),
            y: Scale { name: plot.measure.clone(), ticks: Ticks::over(&range, 4), range },
            lines: plot.lines.iter().map(line).collect(),
        }
    };
    let series = figure.labels.iter().enumerate().map(|(at, label)| styled(label, at).series(label, ""));
    Ok(Plots {
        name: figure.name.clone(),
        plots: figure.plots.iter().map(plot).collect(),
        series: series.collect(),
        height: Some(540),
        diagonal: false,
        apart: APART,
    })
}

/// How far lines stand beside one another, in distances from K to K.
const APART: f64 = 0.07;

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
