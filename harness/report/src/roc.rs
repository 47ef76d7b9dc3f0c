//! The ROC figure.

use harness_method::Selection;
use harness_results::{RocFigure, RocSeries};

use crate::ReportError;
use crate::axes::Ticks;
use crate::plots::{Line, Plot, Plots, Scale, Style, Styled};
use crate::render::{Paper, Rendered};

/// Draws ROC curves in one plot.
///
/// # Errors
/// More than six series, or a point outside the unit square.
pub fn roc(figure: &RocFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    plots(figure, &|_, at| Style { label: None, style: at, is_base: false })?.together()?.render(paper.into())
}

/// The lines of the figure, in the style that each label has.
///
/// # Errors
/// A point outside the unit square.
pub(crate) fn plots(figure: &RocFigure, styled: &Styled<'_>) -> Result<Plots, ReportError> {
    let unit = |v: f64| (0.0..=1.0).contains(&v);
    for series in &figure.series {
        let edges = series.band.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]);
        if let Some((x, y)) = series.points.iter().copied().chain(edges).find(|(x, y)| !unit(*x) || !unit(*y)) {
            let what = format!("`{}` has the point ({x}, {y}); rates lie in 0..1", series.label);
            return Err(ReportError::Figure { figure: figure.name.clone(), what });
        }
    }
    let axis = |name: &str| Scale { name: name.to_owned(), range: 0.0..1.0, ticks: Ticks::over(&(0.0..1.0), 5) };
    let line = |series: &RocSeries| Line {
        runs: vec![series.points.clone()],
        whiskers: Vec::new(),
        band: series.band.clone(),
    };
    let series = |(at, series): (usize, &RocSeries)| {
        let rule = if series.selection == Selection::BestOnTest { " (best-on-test)" } else { "" };
        styled(&series.label, at).series(&series.label, &format!("AUROC {:.3}{rule}", series.auroc))
    };
    Ok(Plots {
        name: figure.name.clone(),
        plots: vec![Plot {
            name: "roc".to_owned(),
            x: axis("False-positive rate"),
            y: axis("True-positive rate"),
            lines: figure.series.iter().map(line).collect(),
        }],
        series: figure.series.iter().enumerate().map(series).collect(),
        height: None,
        diagonal: true,
        apart: 0.0,
    })
}
