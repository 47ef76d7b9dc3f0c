//! The ROC figure.

use harness_method::Selection;
use harness_results::{RocFigure, RocSeries};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use crate::axes::{self, Axis, Ticks, axes};
use crate::colour::GREY;
use crate::labels::labels;
use crate::marks::{self, MOST_SERIES};
use crate::render::{Drawing, Drawn, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// Draws ROC curves; `smoke` marks it as a smoke test.
///
/// # Errors
/// More than six series, or a point outside the unit square.
pub fn roc(figure: &RocFigure, smoke: bool) -> Result<Rendered, ReportError> {
    let wrong = |what: String| ReportError::Figure { figure: figure.name.clone(), what };
    if figure.series.len() > MOST_SERIES {
        return Err(wrong(format!("{} series; {MOST_SERIES} can be told apart", figure.series.len())));
    }
    let unit = |v: f64| (0.0..=1.0).contains(&v);
    for series in &figure.series {
        let edges = series.band.iter().flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]);
        if let Some((x, y)) = series.points.iter().copied().chain(edges).find(|(x, y)| !unit(*x) || !unit(*y)) {
            return Err(wrong(format!("`{}` has the point ({x}, {y}); rates lie in 0..1", series.label)));
        }
    }
    let font = &font::font()?;
    let room = marks::label_room();
    let names: Vec<&String> = figure.series.iter().map(|series| &series.label).collect();
    let names = labels(font, &names, room, marks::LEGEND_LINES);
    let label = |(series, mut lines): (&RocSeries, Vec<String>)| {
        let mut area = format!("AUROC {:.3}", series.auroc);
        if series.selection == Selection::BestOnTest {
            area.push_str(" (best-on-test)");
        }
        match lines.last_mut() {
            Some(last) if font::width(font, &format!("{last}, {area}"), font::EM) <= room => {
                *last += &format!(", {area}");
            }
            _ => lines.push(area),
        }
        lines
    };
    render(&Sketch { figure, labels: figure.series.iter().zip(names).map(label).collect() }, smoke)
}

struct Sketch<'a> {
    figure: &'a RocFigure,
    labels: Vec<Vec<String>>,
}

/// Height of the square plot with its margins.
const PLOT: u32 = WIDTH - axes::LEFT - axes::RIGHT + axes::ABOVE + axes::BELOW;

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        &self.figure.name
    }

    fn height(&self) -> u32 {
        PLOT + marks::legend_height(&self.labels) + 20
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (plot, below) = area.split_vertically(PLOT);
        let axis = |name| Axis { name, range: 0.0..1.0, ticks: Ticks::over(&(0.0..1.0), 5) };
        let to_point = axes(&plot, &axis("False-positive rate"), &axis("True-positive rate"))?;
        marks::reference(&plot, &[to_point(0.0, 0.0), to_point(1.0, 1.0)], GREY)?;
        for (index, series) in self.figure.series.iter().enumerate().filter(|(_, series)| !series.band.is_empty()) {
            let low: Vec<_> = series.band.iter().map(|(x, low, _)| to_point(*x, *low)).collect();
            let high: Vec<_> = series.band.iter().map(|(x, _, high)| to_point(*x, *high)).collect();
            marks::band(&plot, index, &low, &high)?;
        }
        for (index, series) in self.figure.series.iter().enumerate() {
            let points: Vec<_> = series.points.iter().map(|(x, y)| to_point(*x, *y)).collect();
            marks::series(&plot, index, &points)?;
        }
        marks::legend(&below, &self.labels)
    }
}
