//! Figures of lines over an axis: several in one plot with a legend, or where they are too many to be told apart a plot
//! for each beside the base, all with the same axes.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::axes::{Axis, NAME, Place, Ticks, ToPoint, axes, left_of};
use crate::colour::{GREY, INK};
use crate::labels::{LINE, labels, most_lines};
use crate::marks::{self, LEGEND_LINES, MOST_SERIES};
use crate::render::{Drawing, Drawn, Paper, Rendered, WIDTH, render};
use crate::{ReportError, font};

/// An axis before its place is known.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) name: String,
    pub(crate) range: Range<f64>,
    pub(crate) ticks: Ticks,
}

/// What one series has in one plot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// Unbroken lines.
    pub(crate) runs: Vec<Vec<(f64, f64)>>,
    /// Upright bars: place, low and high end.
    pub(crate) whiskers: Vec<(f64, f64, f64)>,
    /// A band round the line: place, low and high end, ascending.
    pub(crate) band: Vec<(f64, f64, f64)>,
}

impl Line {
    fn is_something(&self) -> bool {
        self.runs.iter().any(|run| !run.is_empty())
    }
}

/// One measure of all series.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// What tells its file from those of others, where it has one of its own.
    pub(crate) name: String,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    /// One for each series.
    pub(crate) lines: Vec<Line>,
}

/// What a line is of.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) label: String,
    /// What stands behind the label; empty for nothing.
    pub(crate) more: String,
    /// Number of its colour, pattern and marker.
    pub(crate) style: usize,
    /// The others are compared with it.
    pub(crate) is_base: bool,
}

/// How a series is drawn.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// What it is called in print, where that is not its name.
    pub(crate) label: Option<String>,
    /// Number of its colour, pattern and marker.
    pub(crate) style: usize,
    pub(crate) is_base: bool,
}

/// The style of a series by its name and its place in the figure.
pub(crate) type Styled<'a> = dyn Fn(&str, usize) -> Style + 'a;

impl Style {
    pub(crate) fn series(self, name: &str, more: &str) -> Series {
        let label = self.label.unwrap_or_else(|| name.to_owned());
        Series { label, more: more.to_owned(), style: self.style, is_base: self.is_base }
    }
}

/// A figure of lines.
#[derive(Clone, Debug)]
pub(crate) struct Plots {
    /// Name of the files, without extension.
    pub(crate) name: String,
    pub(crate) plots: Vec<Plot>,
    pub(crate) series: Vec<Series>,
    /// Height of a plot; `None` for a square.
    pub(crate) height: Option<u32>,
    /// A dotted line from corner to corner.
    pub(crate) diagonal: bool,
    /// How far lines stand beside one another.
    pub(crate) apart: f64,
}

/// Most lines in a plot of which each has a band: more would hide one another.
const MOST_BANDS: usize = 2;

/// Most plots in a figure with a plot for each series: no more than a page is high.
const MOST_PANES: usize = 14;

/// A figure, and how it shows its series.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    plots: Plots,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All in one plot.
    Together,
    /// A plot for each, with the base in each.
    Apart,
    /// All in one plot, of one kind, with their mean.
    Alike,
}

impl Plots {
    /// The same with all series in one plot.
    ///
    /// # Errors
    /// More series than can be told apart.
    pub(crate) fn together(self) -> Result<Part, ReportError> {
        if self.series.len() > MOST_SERIES {
            let what = format!("{} series; {MOST_SERIES} can be told apart", self.series.len());
            return Err(ReportError::Figure { figure: self.name, what });
        }
        Ok(Part { plots: self, mode: Mode::Together })
    }

    /// One figure where all can be told apart in it, else as many as there must be.
    pub(crate) fn parts(self) -> Vec<Part> {
        let plots = self.with_something();
        plots.split()
    }

    /// The same without series that have nothing in any plot, such as losses of what is not trained by steps.
    fn with_something(mut self) -> Self {
        let has = |at: usize| self.plots.iter().any(|plot| plot.lines.get(at).is_some_and(Line::is_something));
        let kept: Vec<bool> = (0..self.series.len()).map(has).collect();
        if kept.contains(&true) {
            let mut keep = kept.iter();
            self.series.retain(|_| keep.next() == Some(&true));
            for plot in &mut self.plots {
                let mut keep = kept.iter();
                plot.lines.retain(|_| keep.next() == Some(&true));
            }
        }
        self
    }

    fn split(self) -> Vec<Part> {
        let mut styles: Vec<usize> = self.series.iter().map(|series| series.style).collect();
        styles.sort_unstable();
        styles.dedup();
        if self.series.len() <= MOST_SERIES && styles.len() == self.series.len() {
            return vec![Part { plots: self, mode: Mode::Together }];
        }
        if self.series.iter().all(|series| series.style == 0) {
            return vec![Part { plots: self, mode: Mode::Alike }];
        }
        let base = self.series.iter().position(|series| series.is_base);
        let others: Vec<usize> = (0..self.series.len()).filter(|at| Some(*at) != base).collect();
        let mut parts = Vec::new();
        for plot in &self.plots {
            let here = |at: &usize| plot.lines.get(*at).is_some_and(Line::is_something);
            let others: Vec<usize> = others.iter().copied().filter(here).collect();
            let chunks: Vec<&[usize]> = others.chunks(MOST_PANES).collect();
            for (number, chunk) in chunks.iter().enumerate() {
                let chosen: Vec<usize> = base.into_iter().chain(chunk.iter().copied()).collect();
                let mut name = self.name.clone();
                if self.plots.len() > 1 {
                    name += &format!("-{}", plot.name);
                }
                if chunks.len() > 1 {
                    name += &format!("-part{}", number + 1);
                }
                let lines = chosen.iter().filter_map(|at| plot.lines.get(*at).cloned()).collect();
                let plots = Self {
                    name,
                    plots: vec![Plot { lines, ..plot.clone() }],
                    series: chosen.iter().filter_map(|at| self.series.get(*at).cloned()).collect(),
                    ..self
                };
                parts.push(Part { plots, mode: Mode::Apart });
            }
        }
        parts
    }
}

impl Part {
    pub(crate) fn name(&self) -> &str {
        &self.plots.name
    }

    /// What the caption says of how the series are shown.
    pub(crate) fn caption(&self) -> String {
        match (self.mode, self.plots.series.iter().find(|series| series.is_base)) {
            (Mode::Together, _) => String::new(),
            (Mode::Apart, Some(base)) => {
                format!(" A plot for each variant beside {}; all have the same axes.", base.label)
            }
            (Mode::Apart, None) => " A plot for each variant; all have the same axes.".to_owned(),
            (Mode::Alike, _) => format!(" Thin lines: {} trainings; thick: their mean.", self.plots.series.len()),
        }
    }

    /// Whether bands are drawn where there are some.
    pub(crate) fn has_bands(&self) -> bool {
        let lines = if self.mode == Mode::Apart { 2 } else { self.plots.series.len() };
        lines <= MOST_BANDS && self.plots.plots.iter().flat_map(|plot| &plot.lines).any(|line| !line.band.is_empty())
    }

    /// Draws it.
    ///
    /// # Errors
    /// A damaged font, or what Plotters refuses.
    pub(crate) fn render(&self, paper: Paper) -> Result<Rendered, ReportError> {
        let font = &font::font()?;
        let left = self.plots.plots.iter().map(|plot| left_of(font, &plot.y.ticks.within(&plot.y.range))).max();
        let left = left.unwrap_or(0);
        match self.mode {
            Mode::Together => {
                let room = marks::label_room();
                let labels = with_more(self.named(room, LEGEND_LINES)?, &self.plots.series, room)?;
                render(&Together { part: self, labels, left }, paper)
            }
            Mode::Alike => render(&Together { part: self, labels: vec![vec!["mean".to_owned()]], left }, paper),
            Mode::Apart => {
                let width = (WIDTH - left - GAP - RIGHT) / 2;
                let names = self.named(f64::from(width), TITLE_LINES)?;
                let titles = with_more(names, &self.plots.series, f64::from(width))?;
                let of_base = self.plots.series.iter().zip(&titles).find(|(series, _)| series.is_base);
                let legend = of_base.map(|(_, lines)| vec![vec![lines.join(" ")]]).unwrap_or_default();
                render(&Apart { part: self, titles, legend, left, width }, paper)
            }
        }
    }

    fn named(&self, room: f64, most: usize) -> Result<Vec<Vec<String>>, ReportError> {
        let names: Vec<&String> = self.plots.series.iter().map(|series| &series.label).collect();
        Ok(labels(&font::font()?, &names, room, most))
    }
}

/// Labels with what stands behind them, on the last line where there is room, else on a further one.
fn with_more(labels: Vec<Vec<String>>, series: &[Series], room: f64) -> Result<Vec<Vec<String>>, ReportError> {
    let font = font::font()?;
    let label = |(mut lines, series): (Vec<String>, &Series)| {
        match lines.last_mut() {
            _ if series.more.is_empty() => {}
            Some(last) if font::width(&font, &format!("{last}, {}", series.more), font::EM) <= room => {
                *last += &format!(", {}", series.more);
            }
            _ => lines.push(series.more.clone()),
        }
        lines
    };
    Ok(labels.into_iter().zip(series).map(label).collect())
}

/// Draws a line of a plot; `offset` is how far it stands beside where it belongs.
fn draw_line<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    line: &Line,
    (style, offset): (usize, f64),
    to_point: &ToPoint,
) -> Drawn<B> {
    for (x, low, high) in &line.whiskers {
        marks::whisker(area, style, (to_point(x + offset, *low), to_point(x + offset, *high)))?;
    }
    for run in &line.runs {
        let points: Vec<_> = run.iter().map(|(x, y)| to_point(x + offset, *y)).collect();
        marks::series(area, style, &points)?;
    }
    Ok(())
}

fn draw_band<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    line: &Line,
    style: usize,
    to_point: &ToPoint,
) -> Drawn<B> {
    if line.band.is_empty() {
        return Ok(());
    }
    let low: Vec<_> = line.band.iter().map(|(x, low, _)| to_point(*x, *low)).collect();
    let high: Vec<_> = line.band.iter().map(|(x, _, high)| to_point(*x, *high)).collect();
    marks::band(area, style, &low, &high)
}

/// Room above a plot, and below it without and with the axis' name.
const ABOVE: u32 = 40;
const NUMBERS: u32 = 92;
const BELOW: u32 = 170;
/// Room right of a plot, for half a number.
const RIGHT: u32 = 50;

struct Together<'a> {
    part: &'a Part,
    labels: Vec<Vec<String>>,
    left: u32,
}

impl Together<'_> {
    fn plot_height(&self) -> u32 {
        self.part.plots.height.unwrap_or(WIDTH - self.left - RIGHT)
    }

    fn draw_plot<B: DrawingBackend>(&self, plot: &Plot, named: bool, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (part, plots) = (self.part, &self.part.plots);
        let place = Place {
            left: self.left as i32,
            right: (WIDTH - RIGHT) as i32,
            top: ABOVE as i32,
            bottom: (ABOVE + self.plot_height()) as i32,
        };
        let x = Axis {
            name: if named { &plot.x.name } else { "" },
            range: plot.x.range.clone(),
            ticks: plot.x.ticks.clone(),
        };
        let y = Axis { name: &plot.y.name, range: plot.y.range.clone(), ticks: plot.y.ticks.clone() };
        let to_point = axes(area, place, (&x, named), (&y, true))?;
        if plots.diagonal {
            let ends = [to_point(plot.x.range.start, plot.y.range.start), to_point(plot.x.range.end, plot.y.range.end)];
            marks::reference(area, &ends, GREY)?;
        }
        if part.mode == Mode::Alike {
            for line in &plot.lines {
                let runs: Vec<Vec<_>> =
                    line.runs.iter().map(|run| run.iter().map(|(x, y)| to_point(*x, *y)).collect()).collect();
                marks::thin(area, &runs)?;
            }
            let mean: Vec<_> = mean_of(&plot.lines).iter().map(|(x, y)| to_point(*x, *y)).collect();
            return marks::series(area, 0, &mean);
        }
        let lines = || plot.lines.iter().zip(&plots.series);
        if part.has_bands() {
            for (line, series) in lines() {
                draw_band(area, line, series.style, &to_point)?;
            }
        }
        for (number, (line, series)) in lines().enumerate() {
            let offset = plots.apart * (number as f64 - (plots.series.len() as f64 - 1.0) / 2.0);
            draw_line(area, line, (series.style, offset), &to_point)?;
        }
        Ok(())
    }
}

/// The mean at each place that all lines have.
fn mean_of(lines: &[Line]) -> Vec<(f64, f64)> {
    let mut at: Vec<(f64, f64, usize)> = Vec::new();
    for (x, y) in lines.iter().flat_map(|line| line.runs.iter().flatten()) {
        match at.iter_mut().find(|(known, ..)| known == x) {
            Some((_, sum, count)) => (*sum, *count) = (*sum + y, *count + 1),
            None => at.push((*x, *y, 1)),
        }
    }
    at.retain(|(.., count)| *count == lines.len());
    at.sort_by(|a, b| a.0.total_cmp(&b.0));
    at.into_iter().map(|(x, sum, count)| (x, sum / count as f64)).collect()
}

impl Drawing for Together<'_> {
    fn name(&self) -> &str {
        self.part.name()
    }

    fn blocks(&self, columns: usize) -> Vec<u32> {
        let plots = &self.part.plots.plots;
        let height = |number| {
            let named = number + columns >= plots.len();
            ABOVE + self.plot_height() + if named { BELOW } else { 0 }
        };
        (0..plots.len()).map(height).chain([marks::legend_height(&self.labels) + 20]).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, columns: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let plots = &self.part.plots;
        match plots.plots.get(number) {
            Some(plot) => self.draw_plot(plot, number + columns >= plots.plots.len(), area),
            None => {
                let styles: Vec<usize> = plots.series.iter().map(|series| series.style).collect();
                marks::legend(area, &self.labels, &styles)
            }
        }
    }
}

/// Distance of two plots side by side.
const GAP: u32 = 60;
/// Most lines of a plot's title.
const TITLE_LINES: usize = 3;

struct Apart<'a> {
    part: &'a Part,
    titles: Vec<Vec<String>>,
    /// The base's label; none without a base.
    legend: Vec<Vec<String>>,
    left: u32,
    /// Width of a plot.
    width: u32,
}

impl Apart<'_> {
    /// Series that have a plot.
    fn shown(&self) -> Vec<usize> {
        (0..self.titles.len()).filter(|at| !self.part.plots.series[*at].is_base).collect()
    }

    fn title(&self) -> u32 {
        most_lines(&self.titles) * LINE + 24
    }

    /// Height between the axes.
    fn plot_height(&self) -> u32 {
        self.part.plots.height.map_or(480, |height| (height * 2 / 3).max(400))
    }

    fn rows(&self) -> usize {
        self.shown().len().div_ceil(2)
    }
}

impl Drawing for Apart<'_> {
    fn name(&self) -> &str {
        self.part.name()
    }

    fn blocks(&self, columns: usize) -> Vec<u32> {
        let rows = self.rows();
        let height = |row| {
            let named = row + columns >= rows;
            self.title() + self.plot_height() + if named { BELOW } else { NUMBERS }
        };
        let legend = if self.legend.is_empty() { 20 } else { marks::legend_height(&self.legend) + 20 };
        (0..rows).map(height).chain([legend]).collect()
    }

    fn draw<B: DrawingBackend>(&self, number: usize, columns: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let plots = &self.part.plots;
        let Some(plot) = plots.plots.first() else { return Ok(()) };
        let base = plots.series.iter().position(|series| series.is_base);
        if number >= self.rows() {
            let styles: Vec<usize> = base.iter().map(|at| plots.series[*at].style).collect();
            return marks::legend(area, &self.legend, &styles);
        }
        let named = number + columns >= self.rows();
        if named {
            // Plots side by side have one name.
            let middle = (self.left + self.width + GAP / 2) as i32;
            let at = (middle, (self.title() + self.plot_height() + NAME) as i32);
            area.draw(&Text::new(plot.x.name.clone(), at, font::style(INK, HPos::Center, VPos::Top)))?;
        }
        for (column, at) in self.shown().into_iter().skip(2 * number).take(2).enumerate() {
            let left = (self.left + column as u32 * (self.width + GAP)) as i32;
            let place = Place {
                left,
                right: left + self.width as i32,
                top: self.title() as i32,
                bottom: (self.title() + self.plot_height()) as i32,
            };
            for (line, words) in self.titles[at].iter().enumerate() {
                let lines = self.titles[at].len() as i32;
                let y = place.top - 18 - (lines - 1 - line as i32) * LINE as i32;
                area.draw(&Text::new(words.clone(), (left, y), font::style(INK, HPos::Left, VPos::Bottom)))?;
            }
            let x = Axis { name: "", range: plot.x.range.clone(), ticks: plot.x.ticks.fewer(&plot.x.range) };
            let first = column == 0;
            let y = Axis {
                name: if first { &plot.y.name } else { "" },
                range: plot.y.range.clone(),
                ticks: plot.y.ticks.clone(),
            };
            let to_point = axes(area, place, (&x, true), (&y, first))?;
            if plots.diagonal {
                let ends =
                    [to_point(plot.x.range.start, plot.y.range.start), to_point(plot.x.range.end, plot.y.range.end)];
                marks::reference(area, &ends, GREY)?;
            }
            let lines: Vec<usize> = base.into_iter().chain([at]).collect();
            if self.part.has_bands() {
                for at in &lines {
                    draw_band(area, &plot.lines[*at], plots.series[*at].style, &to_point)?;
                }
            }
            for (beside, at) in lines.iter().enumerate() {
                let offset = plots.apart * (beside as f64 - (lines.len() as f64 - 1.0) / 2.0);
                draw_line(area, &plot.lines[*at], (plots.series[*at].style, offset), &to_point)?;
            }
        }
        Ok(())
    }
}
