//! Line patterns, markers and the legend: how series differ without colour.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};
use plotters_backend::DrawingBackend;

use crate::colour::{GREY, INK, SERIES};
use crate::font;
use crate::render::{Drawn, WIDTH};

/// Series a figure can tell apart.
pub(crate) const MOST_SERIES: usize = SERIES.len();

/// Lengths of dash, gap, dash, gap; empty is a solid line.
const PATTERNS: [&[f64]; MOST_SERIES] =
    [&[], &[36.0, 18.0], &[9.0, 15.0], &[36.0, 15.0, 9.0, 15.0], &[64.0, 20.0], &[20.0, 12.0]];

const STROKE: u32 = 8;
const RADIUS: i32 = 17;

/// Height of one line of a legend.
const LEGEND_LINE: u32 = 76;
/// Most lines of a name in it.
pub(crate) const LEGEND_LINES: usize = 3;

type Point = (i32, i32);

/// Draws the line of the `index`-th series through points of the area, with markers: at every point where there are
/// few, else at some of them.
pub(crate) fn series<B: DrawingBackend>(area: &DrawingArea<B, Shift>, index: usize, points: &[Point]) -> Drawn<B> {
    let colour = SERIES[index % MOST_SERIES];
    let mut path = points.to_vec();
    path.dedup();
    line(area, &path, PATTERNS[index % MOST_SERIES], colour)?;
    for at in markers(&path, index) {
        marker(area, index, at, colour)?;
    }
    Ok(())
}

/// Draws an upright bar from `low` to `high` with ends, in the colour of the `index`-th series.
pub(crate) fn whisker<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    index: usize,
    (low, high): (Point, Point),
) -> Drawn<B> {
    const HALF: i32 = 13;
    let style = SERIES[index % MOST_SERIES].stroke_width(4);
    area.draw(&PathElement::new(vec![low, high], style))?;
    for (x, y) in [low, high] {
        area.draw(&PathElement::new(vec![(x - HALF, y), (x + HALF, y)], style))?;
    }
    Ok(())
}

/// Fills what lies between two lines in a light tint of the `index`-th series, with its edges drawn thin.
pub(crate) fn band<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    index: usize,
    low: &[Point],
    high: &[Point],
) -> Drawn<B> {
    let colour = SERIES[index % MOST_SERIES];
    let outline: Vec<Point> = low.iter().chain(high.iter().rev()).copied().collect();
    area.draw(&Polygon::new(outline, colour.mix(0.16).filled()))?;
    for edge in [low, high] {
        area.draw(&PathElement::new(edge.to_vec(), colour.mix(0.55).stroke_width(2)))?;
    }
    Ok(())
}

/// Draws a dotted reference line.
pub(crate) fn reference<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    points: &[Point],
    colour: RGBColor,
) -> Drawn<B> {
    for piece in pieces(points, &[5.0, 17.0]) {
        area.draw(&PathElement::new(piece, colour.stroke_width(5)))?;
    }
    Ok(())
}

/// Draws lines of which none matters by itself.
pub(crate) fn thin<B: DrawingBackend>(area: &DrawingArea<B, Shift>, runs: &[Vec<Point>]) -> Drawn<B> {
    for run in runs {
        area.draw(&PathElement::new(run.clone(), GREY.stroke_width(2)))?;
    }
    Ok(())
}

/// Whether labels stand two side by side.
fn paired(labels: &[Vec<String>]) -> bool {
    let font = font::font().ok();
    let fits = |label: &Vec<String>| match (label.as_slice(), &font) {
        ([only], Some(font)) => font::width(font, only, font::EM) <= label_room() / 2.0 - 130.0,
        _ => false,
    };
    labels.len() > 2 && labels.iter().all(fits)
}

/// Draws a legend: of each series its words, a few lines; `styles` are those of the series.
pub(crate) fn legend<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    labels: &[Vec<String>],
    styles: &[usize],
) -> Drawn<B> {
    let paired = paired(labels);
    let mut number = 0;
    for (at, (lines, style)) in labels.iter().zip(styles).enumerate() {
        let second = paired && at % 2 == 1;
        if second {
            number -= 1;
        }
        let left = if second { WIDTH as i32 / 2 } else { 0 };
        let y = (number * LEGEND_LINE + LEGEND_LINE / 2) as i32;
        let colour = SERIES[style % MOST_SERIES];
        line(area, &[(left + 40, y), (left + 230, y)], PATTERNS[style % MOST_SERIES], colour)?;
        marker(area, *style, (left + 135, y), colour)?;
        for words in lines {
            let y = (number * LEGEND_LINE + LEGEND_LINE / 2) as i32;
            area.draw(&Text::new(words.clone(), (left + 260, y), font::style(INK, HPos::Left, VPos::Center)))?;
            number += 1;
        }
    }
    Ok(())
}

/// Height of a legend.
pub(crate) fn legend_height(labels: &[Vec<String>]) -> u32 {
    let lines = labels.iter().map(|lines| lines.len() as u32).sum::<u32>();
    LEGEND_LINE * if paired(labels) { lines.div_ceil(2) } else { lines }
}

/// Width a legend's label may have.
pub(crate) fn label_room() -> f64 {
    f64::from(WIDTH) - 290.0
}

fn line<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    path: &[Point],
    pattern: &[f64],
    colour: RGBColor,
) -> Drawn<B> {
    for piece in pieces(path, pattern) {
        area.draw(&PathElement::new(piece, colour.stroke_width(STROKE)))?;
    }
    Ok(())
}

fn marker<B: DrawingBackend>(area: &DrawingArea<B, Shift>, index: usize, (x, y): Point, colour: RGBColor) -> Drawn<B> {
    let fill = colour.filled();
    let r = RADIUS;
    match index % MOST_SERIES {
        0 => area.draw(&Circle::new((x, y), r, fill)),
        1 => area.draw(&Rectangle::new([(x - r + 2, y - r + 2), (x + r - 2, y + r - 2)], fill)),
        2 => area.draw(&Polygon::new(vec![(x, y - r - 4), (x + r + 3, y + r), (x - r - 3, y + r)], fill)),
        3 => area.draw(&Polygon::new(vec![(x, y - r - 5), (x + r + 5, y), (x, y + r + 5), (x - r - 5, y)], fill)),
        4 => area.draw(&Polygon::new(vec![(x, y + r + 4), (x + r + 3, y - r), (x - r - 3, y - r)], fill)),
        _ => {
            let cross = |a, b| PathElement::new(vec![a, b], colour.stroke_width(STROKE));
            area.draw(&cross((x - r, y - r), (x + r, y + r)))?;
            area.draw(&cross((x - r, y + r), (x + r, y - r)))
        }
    }
}

/// Points of a path that have a marker: all where they are few, else some that lie far enough apart. A marker says that
/// something was measured there, so there is none between points.
fn markers(path: &[Point], index: usize) -> Vec<Point> {
    const FEW: usize = 12;
    const APART: f64 = 330.0;
    if path.len() <= FEW {
        return path.to_vec();
    }
    // Each series starts elsewhere, so that markers of lines that coincide don't hide each other.
    let mut left = APART * (0.2 + (index % MOST_SERIES) as f64 / MOST_SERIES as f64);
    let mut found = Vec::new();
    for pair in path.windows(2) {
        left -= distance(pair[0], pair[1]);
        if left <= 0.0 {
            found.push(pair[1]);
            left = APART;
        }
    }
    found
}

/// Cuts a path into its dashes.
fn pieces(path: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    if path.len() < 2 {
        return Vec::new();
    }
    if pattern.is_empty() {
        return vec![path.to_vec()];
    }
    let (mut pieces, mut current) = (Vec::new(), vec![path[0]]);
    let mut step = 0;
    let mut left = pattern[0];
    for pair in path.windows(2) {
        let length = distance(pair[0], pair[1]);
        let mut along = 0.0;
        while along + left < length {
            along += left;
            let at = between(pair[0], pair[1], along / length);
            if step % 2 == 0 {
                current.push(at);
                pieces.push(std::mem::take(&mut current));
            } else {
                current = vec![at];
            }
            step += 1;
            left = pattern[step % pattern.len()];
        }
        left -= length - along;
        if step % 2 == 0 {
            current.push(pair[1]);
        }
    }
    if current.len() > 1 {
        pieces.push(current);
    }
    pieces
}

fn distance(a: Point, b: Point) -> f64 {
    f64::from(b.0 - a.0).hypot(f64::from(b.1 - a.1))
}

fn between(a: Point, b: Point, t: f64) -> Point {
    let mix = |a: i32, b: i32| (f64::from(a) + f64::from(b - a) * t).round() as i32;
    (mix(a.0, b.0), mix(a.1, b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_round_corners() {
        let path = [(0, 0), (10, 0), (10, 20)];
        assert_eq!(
            pieces(&path, &[6.0, 3.0]),
            [vec![(0, 0), (6, 0)], vec![(9, 0), (10, 0), (10, 5)], vec![(10, 8), (10, 14)], vec![(10, 17), (10, 20)]]
        );
        assert_eq!(pieces(&path, &[]), [path.to_vec()]);
        assert!(pieces(&path[..1], &[6.0, 3.0]).is_empty());
    }

    #[test]
    fn few_points_are_all_marked_and_many_are_not() {
        let few: Vec<Point> = (0..5).map(|i| (i * 200, 0)).collect();
        assert_eq!(markers(&few, 3), few);
        let many: Vec<Point> = (0..1000).map(|i| (i, 0)).collect();
        assert_eq!(markers(&many, 0).len(), 3);
        assert_ne!(markers(&many, 0), markers(&many, 1));
        let far: Vec<Point> = (0..20).map(|i| (i * 500, i % 3)).collect();
        assert!(markers(&far, 2).iter().all(|point| far.contains(point)));
    }
}
