//! The figure of cost against quality: a measure over seconds on an axis of powers of ten, a point with its interval
//! for each variant, and a line from each to its name beside the plot.

use std::ops::Range;

use harness_results::{CostFigure, CostPlot, CostPoint};
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::axes::{Axis, Place, Ticks, axes, left_of};
use crate::colour::{GREY, INK};
use crate::labels::{LINE, labels, offsets};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, is_too_tall, render};
use crate::{ReportError, font, marks};

/// Draws measures over costs. What has no cost has no point in a plot.
///
/// # Errors
/// A value that is not finite, or seconds that are not positive.
pub fn cost(figure: &CostFigure, paper: impl Into<Paper>) -> Result<Rendered, ReportError> {
    render(&sketch(figure)?, paper.into())
}

/// Whether it has no room on a page.
pub(crate) fn is_tall(figure: &CostFigure, paper: Paper) -> Result<bool, ReportError> {
    Ok(is_too_tall(&sketch(figure)?, paper))
}

fn sketch(figure: &CostFigure) -> Result<Sketch<'_>, ReportError> {
    let wrong = |what: &str| ReportError::Figure { figure: figure.name.clone(), what: what.to_owned() };
    let font = &font::font()?;
    let mut panes = Vec::new();
    for plot in &figure.plots {
        let values = plot.points.iter().flat_map(|point| [point.value, point.interval.0, point.interval.1]);
        if values.into_iter().any(|value| !value.is_finite()) {
            return Err(wrong("a value is not finite"));
        }
        let secs = plot.points.iter().flat_map(|point| point.fit.into_iter().chain(point.image));
        if secs.into_iter().any(|secs| !(secs.is_finite() && secs > 0.0)) {
            return Err(wrong("seconds are not positive"));
        }
        let names: Vec<&String> = plot.points.iter().map(|point| &point.label).collect();
        let most = if names.len() > MANY { 1 } else { LINES };
        let labels = labels(font, &names, f64::from(WIDTH - PLOT - NAMES), most);
        panes.extend(Pane::of(plot, &labels, "Seconds to fit", |point| match point.trains {
            true => point.fit.map(At::Secs),
            false => Some(At::NoTraining),
        }));
        panes.extend(Pane::of(plot, &labels, "Seconds a test image", |point| point.image.map(At::Secs)));
    }
    if panes.is_empty() {
        return Err(wrong("nothing has a cost"));
    }
    Ok(Sketch { name: &figure.name, panes })
}

/// Where a point stands across.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Secs(f64),
    NoTraining,
}

/// A measure over one cost.
struct Pane<'a> {
    measure: &'a str,
    axis: String,
    /// Each point with its place, the number of its variant and the lines of its name.
    points: Vec<(&'a CostPoint, At, usize, Vec<String>)>,
    /// Powers of ten that the axis covers.
    powers: Range<f64>,
    /// Width of the column without training, in powers.
    edge: f64,
}

struct Sketch<'a> {
    name: &'a str,
    panes: Vec<Pane<'a>>,
}

/// Most lines of a name, and how many names are so many that they have one.
const LINES: usize = 2;
const MANY: usize = 12;
/// Width of a plot with its axis.
const PLOT: u32 = 1170;
/// Width of the lines that lead to names.
const NAMES: u32 = 90;
/// Least height of a plot between its axes.
const LEAST: u32 = 560;
/// Room above and below a plot, and right of it.
const ABOVE: u32 = 40;
const BELOW: u32 = 170;
const RIGHT: u32 = 50;
/// Distance of two names beyond that of lines.
const GAP: u32 = 14;

fn height_of(lines: &[String]) -> u32 {
    lines.len() as u32 * LINE + GAP
}

impl<'a> Pane<'a> {
    /// `None` where no point has this cost.
    fn of(
        plot: &'a CostPlot,
        labels: &[Vec<String>],
        axis: &str,
        at: impl Fn(&CostPoint) -> Option<At>,
    ) -> Option<Self> {
        let points: Vec<_> = plot
            .points
            .iter()
            .zip(labels)
            .enumerate()
            .filter_map(|(number, (point, lines))| Some((point, at(point)?, number, lines.clone())))
            .collect();
        let powers = points.iter().filter_map(|(_, at, ..)| match at {
            At::Secs(secs) => Some(secs.log10()),
            At::NoTraining => None,
        });
        let (low, high) = powers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
        let powers = if low <= high { low.floor()..high.ceil().max(low.floor() + 1.0) } else { 0.0..1.0 };
        let untrained = points.iter().any(|(_, at, ..)| *at == At::NoTraining);
        let edge = if untrained { (powers.end - powers.start) * 0.2 } else { 0.0 };
        let axis = format!("{axis}{}", plot.remark);
        (!points.is_empty()).then_some(Self { measure: &plot.measure, axis, points, powers, edge })
    }

    fn height(&self) -> u32 {
        let names: u32 = self.points.iter().map(|(.., lines)| height_of(lines)).sum();
        ABOVE + LEAST.max(names) + BELOW
    }

    /// What the axis of the measure covers: all intervals, to whole steps.
    fn range(&self) -> Range<f64> {
        let ends = || self.points.iter().flat_map(|(p, ..)| [p.value, p.interval.0, p.interval.1]);
        let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        let pad = if high > low { 0.0 } else { 0.05 };
        let range = low - pad..high + pad;
        Ticks::over(&range, 4).widen(&range)
    }

    fn across(&self, at: At) -> f64 {
        match at {
            At::Secs(secs) => secs.log10(),
            At::NoTraining => self.powers.start - self.edge * 0.4,
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (plot, names) = area.split_horizontally(PLOT);
        let range = self.range();
        let x = Axis {
            name: &self.axis,
            range: self.powers.start - self.edge..self.powers.end,
            ticks: Ticks::Named(powers_of_ten(&self.powers)),
        };
        let y = Axis { name: self.measure, ticks: Ticks::over(&range, 4), range: range.clone() };
        let Ok(font) = font::font() else { return Ok(()) };
        let place = Place {
            left: left_of(&font, &y.ticks.within(&range)) as i32,
            right: (PLOT - RIGHT) as i32,
            top: ABOVE as i32,
            bottom: (self.height() - BELOW) as i32,
        };
        let to_point = axes(&plot, place, (&x, true), (&y, true))?;
        if self.edge > 0.0 {
            let wall = self.powers.start - self.edge * 0.1;
            marks::reference(&plot, &[to_point(wall, range.start), to_point(wall, range.end)], GREY)?;
            let (left, top) = to_point(self.powers.start - self.edge, range.end);
            let at = (left - 20, top);
            plot.draw(&Text::new("no training", at, font::upright(INK, HPos::Right, VPos::Top)))?;
        }
        let points: Vec<(i32, i32)> =
            self.points.iter().map(|(point, at, ..)| to_point(self.across(*at), point.value)).collect();
        let heights: Vec<(i32, u32)> =
            points.iter().zip(&self.points).map(|((_, y), (.., lines))| (*y, height_of(lines))).collect();
        let bottom = (self.height() - BELOW) as i32;
        let middles = spread(&heights, ABOVE as i32, bottom);
        for (at, middle) in points.iter().zip(&middles) {
            area.draw(&PathElement::new(vec![*at, (PLOT as i32 + NAMES as i32 - 24, *middle)], GREY.stroke_width(2)))?;
        }
        for ((point, at, number, lines), (here, middle)) in self.points.iter().zip(points.iter().zip(&middles)) {
            let end = |value| to_point(self.across(*at), value);
            marks::whisker(&plot, *number, (end(point.interval.0), end(point.interval.1)))?;
            marks::series(&plot, *number, &[*here])?;
            for (words, offset) in lines.iter().zip(offsets(lines.len())) {
                let style = font::style(INK, HPos::Left, VPos::Center);
                names.draw(&Text::new(words.clone(), (NAMES as i32 - 14, middle + offset), style))?;
            }
        }
        Ok(())
    }
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        self.panes.iter().map(Pane::height).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        self.panes.get(number).map_or(Ok(()), |pane| pane.draw(area))
    }
}

/// Ticks at powers of ten, as few as fit side by side.
fn powers_of_ten(powers: &Range<f64>) -> Vec<(f64, String)> {
    const MOST: i32 = 5;
    let (first, last) = (powers.start.round() as i32, powers.end.round() as i32);
    let step = ((last - first + MOST - 1) / MOST).max(1);
    let words = |power: i32| match power {
        -3..=0 => format!("{:.*}", (-power) as usize, 10f64.powi(power)),
        1..=4 => format!("{:.0}", 10f64.powi(power)),
        power => format!("1e{power}").replace('-', "−"),
    };
    (first..=last).filter(|power| (power - first) % step == 0).map(|power| (f64::from(power), words(power))).collect()
}

/// Middles of names as near as can be to where they belong, without two that overlap: of each the wanted middle and its
/// height, between `top` and `bottom`.
fn spread(wanted: &[(i32, u32)], top: i32, bottom: i32) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|at| (wanted[*at].0, *at));
    // From the top: none above where it may be. Then back from the bottom.
    let mut middles = vec![0; wanted.len()];
    let mut free = top;
    for at in &order {
        let (middle, height) = (wanted[*at].0, wanted[*at].1 as i32);
        middles[*at] = middle.max(free + height / 2);
        free = middles[*at] + height - height / 2;
    }
    let mut free = bottom;
    for at in order.iter().rev() {
        let height = wanted[*at].1 as i32;
        middles[*at] = middles[*at].min(free - (height - height / 2));
        free = middles[*at] - height / 2;
    }
    middles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_and_do_not_overlap() {
        let wanted = [(500, 70), (100, 70), (100, 70), (110, 128), (490, 70), (495, 70)];
        let middles = spread(&wanted, 40, 560);
        let mut sorted: Vec<(i32, u32)> = middles.iter().zip(wanted).map(|(middle, (_, h))| (*middle, h)).collect();
        sorted.sort_unstable();
        for pair in sorted.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= ((pair[0].1 + pair[1].1) / 2) as i32, "{sorted:?}");
        }
        assert!(sorted.iter().all(|(middle, h)| middle - *h as i32 / 2 >= 40 && middle + *h as i32 / 2 <= 560));
        // What is alone stands where it belongs.
        assert_eq!(spread(&[(300, 70)], 40, 560), [300]);
    }

    #[test]
    fn seconds_are_told_in_powers_of_ten() {
        let words = |range| powers_of_ten(&range).into_iter().map(|(_, words)| words).collect::<Vec<_>>();
        assert_eq!(words(-2.0..3.0), ["0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!(words(-2.0..5.0), ["0.01", "1", "100", "10000"]);
        assert_eq!(words(0.0..1.0), ["1", "10"]);
        assert_eq!(words(-5.0..-3.0), ["1e−5", "1e−4", "0.001"]);
    }
}
