//! Two axes with their names and round ticks.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{PathElement, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};
use plotters_backend::DrawingBackend;
use skrifa::FontRef;

use crate::colour::{FAINT, INK};
use crate::font;

/// From the plot's lower edge to the name of the axis below it.
pub(crate) const NAME: u32 = 96;

/// Room that the name of the axis takes at the left.
const LEFT_NAME: u32 = 98;
/// From the numbers of an axis to the plot.
const NUMBERS: u32 = 26;

/// Room left of a plot: its axis' numbers and name, and no less than most plots need, so that they look alike.
pub(crate) fn left_of(font: &FontRef<'_>, ticks: &[(f64, String)]) -> u32 {
    let widest = ticks.iter().map(|(_, words)| font::width(font, words, font::EM)).fold(0.0, f64::max);
    (LEFT_NAME + NUMBERS + widest.ceil() as u32).max(230)
}

/// Where the plot between axes lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) left: i32,
    pub(crate) right: i32,
    pub(crate) top: i32,
    pub(crate) bottom: i32,
}

/// How far the ends of a range stay inside the plot, so that lines and markers there are whole and clear of the axes.
const INSET: i32 = 26;

/// One axis.
pub(crate) struct Axis<'a> {
    /// Its name; empty for none.
    pub(crate) name: &'a str,
    /// What it covers.
    pub(crate) range: Range<f64>,
    /// Where its ticks are.
    pub(crate) ticks: Ticks,
}

/// Where an axis has ticks, and what they say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ticks {
    /// At whole multiples of a step.
    Steps {
        /// The step.
        step: f64,
        /// Digits after the point.
        decimals: usize,
    },
    /// At these values.
    Named(Vec<(f64, String)>),
}

impl Ticks {
    /// About `count` ticks over a range, at multiples of 1, 2 or 5 times a power of ten.
    pub(crate) fn over(range: &Range<f64>, count: usize) -> Self {
        let rough = ((range.end - range.start) / count.max(1) as f64).max(1e-12);
        let power = rough.log10().floor();
        let base = 10f64.powf(power);
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * base >= rough * 0.8).unwrap_or(10.0);
        let power = if factor == 10.0 { power + 1.0 } else { power };
        Self::Steps { step: factor * base, decimals: (-power).max(0.0) as usize }
    }

    /// The same, at whole numbers alone.
    pub(crate) fn whole(range: &Range<f64>, count: usize) -> Self {
        match Self::over(range, count) {
            Self::Steps { step, .. } if step < 1.0 => Self::Steps { step: 1.0, decimals: 0 },
            ticks => ticks,
        }
    }

    /// The same for a narrow plot.
    pub(crate) fn fewer(&self, range: &Range<f64>) -> Self {
        match self {
            Self::Steps { step, .. } if step.fract() == 0.0 => Self::whole(range, 3),
            Self::Steps { .. } => Self::over(range, 2),
            named => named.clone(),
        }
    }

    /// Places and words of the ticks within a range.
    pub(crate) fn within(&self, range: &Range<f64>) -> Vec<(f64, String)> {
        let (step, decimals) = match self {
            Self::Steps { step, decimals } => (*step, *decimals),
            Self::Named(ticks) => return ticks.clone(),
        };
        let slack = step * 1e-6;
        let first = ((range.start - slack) / step).ceil() as i64;
        let last = ((range.end + slack) / step).floor() as i64;
        let tick = |i: i64| {
            let at = i as f64 * step;
            let words = format!("{at:.decimals$}");
            // A true minus, as the font has it.
            (at, words.replace('-', "−"))
        };
        (first..=last.min(first.saturating_add(100))).map(tick).collect()
    }

    /// The range widened to whole steps.
    pub(crate) fn widen(&self, range: &Range<f64>) -> Range<f64> {
        let Self::Steps { step, .. } = self else { return range.clone() };
        let slack = 1e-6;
        (range.start / step + slack).floor() * step..(range.end / step - slack).ceil() * step
    }
}

/// From data to points of the area.
pub(crate) type ToPoint = Box<dyn Fn(f64, f64) -> (i32, i32)>;

/// Draws axes round a place and says where data lie; of each axis whether it has numbers.
pub(crate) fn axes<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    Place { left, right, top, bottom }: Place,
    (x, x_numbers): (&Axis<'_>, bool),
    (y, y_numbers): (&Axis<'_>, bool),
) -> Result<ToPoint, DrawingAreaErrorKind<B::ErrorType>> {
    let to_point = {
        let across = |v: f64, range: &Range<f64>, from: i32, to: i32| {
            from + ((v - range.start) / (range.end - range.start) * f64::from(to - from)).round() as i32
        };
        let (x_range, y_range) = (x.range.clone(), y.range.clone());
        move |x: f64, y: f64| {
            let across_x = across(x, &x_range, left + INSET, right - INSET);
            (across_x, across(y, &y_range, bottom - INSET, top + INSET))
        }
    };
    let stroke = |from, to, colour: RGBColor, width| PathElement::new(vec![from, to], colour.stroke_width(width));
    let font = font::font().ok();
    let half = |words: &str| font.as_ref().map_or(0.0, |font| font::width(font, words, font::EM)) as i32 / 2;
    let mut free = i32::MIN;
    for (at, words) in x.ticks.within(&x.range) {
        let (px, _) = to_point(at, y.range.start);
        area.draw(&stroke((px, top), (px, bottom), FAINT, 3))?;
        area.draw(&stroke((px, bottom), (px, bottom + 14), INK, 4))?;
        // Of numbers that would stand on one another the first is told.
        let reach = half(&words);
        if x_numbers && px - reach >= free {
            free = px + reach + 12;
            area.draw(&Text::new(words, (px, bottom + 24), font::style(INK, HPos::Center, VPos::Top)))?;
        }
    }
    for (at, words) in y.ticks.within(&y.range) {
        let (_, py) = to_point(x.range.start, at);
        area.draw(&stroke((left, py), (right, py), FAINT, 3))?;
        area.draw(&stroke((left - 14, py), (left, py), INK, 4))?;
        if y_numbers {
            let at = (left - NUMBERS as i32, py);
            area.draw(&Text::new(words, at, font::style(INK, HPos::Right, VPos::Center)))?;
        }
    }
    area.draw(&PathElement::new(vec![(left, top), (left, bottom), (right, bottom)], INK.stroke_width(4)))?;
    if !x.name.is_empty() {
        let at = ((left + right) / 2, bottom + NAME as i32);
        area.draw(&Text::new(x.name.to_owned(), at, font::style(INK, HPos::Center, VPos::Top)))?;
    }
    if !y.name.is_empty() {
        let at = (28, (top + bottom) / 2);
        area.draw(&Text::new(y.name.to_owned(), at, font::upright(INK, HPos::Center, VPos::Top)))?;
    }
    Ok(Box::new(to_point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(range: Range<f64>, count: usize) -> Vec<String> {
        Ticks::over(&range, count).within(&range).into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round_and_say_no_more_digits_than_they_have() {
        assert_eq!(words(0.0..1.0, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(words(0.0..0.031, 4), ["0.00", "0.01", "0.02", "0.03"]);
        assert_eq!(words(-3.0..7.2, 5), ["−2", "0", "2", "4", "6"]);
        assert_eq!(words(0.0..59.0, 6), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(words(12_000.0..43_000.0, 3), ["20000", "30000", "40000"]);
    }

    #[test]
    fn epochs_have_whole_ticks() {
        assert_eq!(Ticks::whole(&(0.0..2.0), 6).within(&(0.0..2.0)).len(), 3);
    }
}
