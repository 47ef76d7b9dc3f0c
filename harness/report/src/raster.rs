//! A Plotters backend that paints pixels with smooth edges and the embedded font's true spacing. Which is painted, and
//! the PNG around it, is elsewhere.
//!
//! Plotters' own bitmap backend leaves edges of wide lines jagged and drops the bearings of glyphs.

use std::convert::Infallible;
use std::ops::Range;

use ab_glyph::{Font, FontRef, ScaleFont};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
};

use crate::font;

/// A canvas of `width` x `height` units, a pixel each.
pub(crate) struct Raster<'a> {
    width: u32,
    height: u32,
    pixels: &'a mut [[u8; 3]],
    font: &'static FontRef<'static>,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// White pixels for a canvas of `width` x `height` units.
pub(crate) fn blank(width: u32, height: u32) -> Vec<[u8; 3]> {
    vec![[255; 3]; width as usize * height as usize]
}

impl<'a> Raster<'a> {
    /// A canvas on pixels of [`blank`].
    pub(crate) fn new(pixels: &'a mut [[u8; 3]], width: u32, height: u32, font: &'static FontRef<'static>) -> Self {
        Self { width, height, pixels, font }
    }

    fn blend(&mut self, x: i64, y: i64, colour: BackendColor, cover: f64) {
        let (width, height) = (i64::from(self.width), i64::from(self.height));
        if x < 0 || y < 0 || x >= width || y >= height {
            return;
        }
        let alpha = (colour.alpha * cover).clamp(0.0, 1.0);
        let (r, g, b) = colour.rgb;
        let pixel = &mut self.pixels[(y * width + x) as usize];
        if alpha >= 1.0 {
            *pixel = [r, g, b];
            return;
        }
        for (old, new) in pixel.iter_mut().zip([r, g, b]) {
            *old = mixed(*old, new, alpha);
        }
    }

    /// The pixels of a line from the first column to before the second, those that there are.
    fn line(&mut self, row: i64, columns: Range<i64>) -> &mut [[u8; 3]] {
        if row < 0 || row >= i64::from(self.height) {
            return &mut [];
        }
        let place = |at: i64| at.clamp(0, i64::from(self.width)) as usize;
        let columns = place(columns.start)..place(columns.end.max(columns.start));
        &mut self.pixels[row as usize * self.width as usize..][columns]
    }

    /// Paints every pixel of a box by how much of it `cover` says, given the pixel's centre.
    fn paint(&mut self, low: (f64, f64), high: (f64, f64), colour: BackendColor, cover: impl Fn(f64, f64) -> f64) {
        self.paint_lines((low.1, high.1), |_| (low.0, high.0), colour, cover);
    }

    /// The same, where only a part of each line of pixels can be covered: from the first to the second of `span`.
    fn paint_lines(
        &mut self,
        (top, bottom): (f64, f64),
        span: impl Fn(f64) -> (f64, f64),
        colour: BackendColor,
        cover: impl Fn(f64, f64) -> f64,
    ) {
        let low = |v: f64| v.floor().max(0.0) as i64 - 1;
        let high = |v: f64, end: u32| v.ceil().min(f64::from(end)) as i64 + 1;
        for y in low(top)..=high(bottom, self.height) {
            let middle = y as f64 + 0.5;
            let (left, right) = span(middle);
            for x in low(left)..=high(right, self.width) {
                let part = cover(x as f64 + 0.5, middle);
                if part > 0.0 {
                    self.blend(x, y, colour, part);
                }
            }
        }
    }

    /// A line with round ends, `width` units wide.
    fn segment(&mut self, from: BackendCoord, to: BackendCoord, width: f64, colour: BackendColor) {
        let (a, b) = (centre(from), centre(to));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = dx * dx + dy * dy;
        let radius = width / 2.0;
        let reach = radius + 1.0;
        let (left, right) = (a.0.min(b.0) - reach, a.0.max(b.0) + reach);
        // A line of pixels meets a steep line in few of them, of a box as wide as the line is long.
        let across = reach * square.sqrt();
        let span = |y: f64| {
            let ends = [(y - a.1) * dx - across, (y - a.1) * dx + across].map(|end| a.0 + end / dy);
            match dy == 0.0 {
                true => (left, right),
                false => (left.max(ends[0].min(ends[1])), right.min(ends[0].max(ends[1]))),
            }
        };
        self.paint_lines((a.1.min(b.1) - reach, a.1.max(b.1) + reach), span, colour, |x, y| {
            let along = if square > 0.0 { (((x - a.0) * dx + (y - a.1) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
            let (x, y) = (x - a.0 - along * dx, y - a.1 - along * dy);
            inside(radius - (x * x + y * y).sqrt())
        });
    }
}

/// An old value of a channel under a new one.
fn mixed(old: u8, new: u8, alpha: f64) -> u8 {
    (f64::from(old) * (1.0 - alpha) + f64::from(new) * alpha + 0.5) as u8
}

/// The middle of a unit.
fn centre((x, y): BackendCoord) -> (f64, f64) {
    (f64::from(x) + 0.5, f64::from(y) + 0.5)
}

/// How much of a pixel lies inside an edge that is `distance` units away, positive inward.
fn inside(distance: f64) -> f64 {
    (distance + 0.5).clamp(0.0, 1.0)
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.blend(i64::from(x), i64::from(y), colour, 1.0);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.segment(from, to, f64::from(style.stroke_width()), style.color());
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let mut points = path.into_iter();
        let Some(mut last) = points.next() else { return Ok(()) };
        for next in points {
            self.draw_line(last, next, style)?;
            last = next;
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Drawn {
        if !fill {
            return self.draw_path([a, (b.0, a.1), b, (a.0, b.1), a], style);
        }
        if style.color().alpha >= 1.0 {
            // Most of a figure is background: whole lines at once.
            let span = |low: i32, high: i32, end: u32| {
                let place = |unit: i64| unit.clamp(0, i64::from(end)) as usize;
                place(i64::from(low))..place(i64::from(high) + 1)
            };
            let rows = span(a.1.min(b.1), a.1.max(b.1), self.height);
            let columns = span(a.0.min(b.0), a.0.max(b.0), self.width);
            let (line, (red, green, blue)) = (self.width as usize, style.color().rgb);
            for row in rows {
                self.pixels[row * line..][columns.clone()].fill([red, green, blue]);
            }
            return Ok(());
        }
        let low = (f64::from(a.0.min(b.0)), f64::from(a.1.min(b.1)));
        let high = (f64::from(a.0.max(b.0)) + 1.0, f64::from(a.1.max(b.1)) + 1.0);
        let within = |v: f64, low: f64, high: f64| v > low && v < high;
        self.paint(low, high, style.color(), |x, y| {
            f64::from(u8::from(within(x, low.0, high.0) && within(y, low.1, high.1)))
        });
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (cx, cy) = centre(at);
        let (radius, half) = (f64::from(radius), f64::from(style.stroke_width()) / 2.0);
        let reach = radius + half + 1.0;
        self.paint((cx - reach, cy - reach), (cx + reach, cy + reach), style.color(), |x, y| {
            let distance = ((x - cx) * (x - cx) + (y - cy) * (y - cy)).sqrt();
            inside(if fill { radius - distance } else { half - (distance - radius).abs() })
        });
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<(f64, f64)> = path.into_iter().map(centre).collect();
        let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.1), h.max(p.1)));
        let rows = low.floor().max(0.0) as i64..(high.ceil().min(f64::from(self.height)) as i64).max(0);
        let mut crossings: Vec<f64> = Vec::new();
        let BackendColor { alpha, rgb: (red, green, blue) } = style.color();
        // Most pixels lie inside as a whole: what becomes of each old value is known beforehand.
        let tables = [red, green, blue]
            .map(|new| std::array::from_fn::<u8, 256, _>(|old| mixed(old as u8, new, alpha.clamp(0.0, 1.0))));
        // Line by line, through the pixels' middles: inside is what has an odd number of edges to its left.
        for row in rows {
            let y = row as f64 + 0.5;
            let edges = points.iter().zip(points.iter().cycle().skip(1));
            crossings.clear();
            crossings.extend(
                edges.filter(|(a, b)| (a.1 > y) != (b.1 > y)).map(|(a, b)| (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0),
            );
            crossings.sort_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let (left, right) = (span[0].max(0.0), span[1].min(f64::from(self.width)));
                let (first, last) = (left.floor() as i64, right.ceil() as i64);
                let (inner, end) = (left.ceil() as i64, (right.floor() as i64).max(left.ceil() as i64));
                for x in (first..inner).chain(end..last) {
                    let part = (x as f64 + 1.0).min(right) - (x as f64).max(left);
                    self.blend(x, row, style.color(), part);
                }
                for pixel in self.line(row, inner..end) {
                    pixel.iter_mut().zip(&tables).for_each(|(old, table)| *old = table[usize::from(*old)]);
                }
            }
        }
        Ok(())
    }

    fn blit_bitmap(&mut self, (x, y): BackendCoord, (width, height): (u32, u32), rgb: &[u8]) -> Drawn {
        let (x, y) = (i64::from(x), i64::from(y));
        let (pixels, _) = rgb.as_chunks::<3>();
        for (row, line) in (y..).zip(pixels.chunks_exact((width as usize).max(1)).take(height as usize)) {
            // What lies left of the canvas is not seen.
            let seen = line.iter().skip((-x).max(0) as usize);
            self.line(row, x..x + i64::from(width)).iter_mut().zip(seen).for_each(|(old, new)| *old = *new);
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let em = style.size() / font::SIZE_OF_EM;
        let (colour, transform) = (style.color(), style.transform());
        // The SVG backend's anchors, so that both pictures agree.
        let start = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -font::width(self.font, text, em) / 2.0,
            HPos::Right => -font::width(self.font, text, em),
        };
        let ex = 0.547 * em;
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.5 * ex,
            VPos::Bottom => -0.5 * ex,
        };
        let scaled = self.font.as_scaled(font::scale(self.font, em));
        let mut pen = start;
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            let glyph = id.with_scale_and_position(scaled.scale(), ab_glyph::point(pen as f32, baseline as f32));
            if let Some(outline) = scaled.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|gx, gy, cover| {
                    let (gx, gy) = (i64::from(gx) + corner.x as i64, i64::from(gy) + corner.y as i64);
                    let (gx, gy) = match transform {
                        FontTransform::None => (gx, gy),
                        FontTransform::Rotate90 => (-gy, gx),
                        FontTransform::Rotate180 => (-gx, -gy),
                        FontTransform::Rotate270 => (gy, -gx),
                    };
                    let (ox, oy) = (i64::from(x), i64::from(y));
                    self.blend(ox + gx, oy + gy, colour, f64::from(cover));
                });
            }
            pen += f64::from(scaled.h_advance(id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const RED: BackendColor = BackendColor { alpha: 0.5, rgb: (255, 0, 0) };

    /// What is drawn on a canvas of 4 x 3.
    fn drawn(draw: impl FnOnce(&mut Raster<'_>)) -> Vec<[u8; 3]> {
        let mut pixels = blank(4, 3);
        draw(&mut Raster::new(&mut pixels, 4, 3, font::font().unwrap()));
        pixels
    }

    #[test]
    fn of_a_picture_that_reaches_over_an_edge_the_rest_is_seen() {
        let rgb: Vec<u8> = (1..=6).flat_map(|grey| [grey; 3]).collect();
        let pixels = drawn(|raster| raster.blit_bitmap((-1, 2), (3, 2), &rgb).unwrap());
        let mut expected = blank(4, 3);
        (expected[8], expected[9]) = ([2; 3], [3; 3]);
        assert_eq!(pixels, expected);
        let pixels = drawn(|raster| raster.blit_bitmap((3, -1), (3, 2), &rgb).unwrap());
        let mut expected = blank(4, 3);
        expected[3] = [4; 3];
        assert_eq!(pixels, expected);
        assert_eq!(drawn(|raster| raster.blit_bitmap((9, 9), (3, 2), &rgb).unwrap()), blank(4, 3));
    }

    #[test]
    fn pixels_within_a_polygon_are_mixed_as_each_would_be_alone() {
        // Through the middles of the outer pixels: of those half is covered.
        let pixels = drawn(|raster| raster.fill_polygon([(0, 0), (3, 0), (3, 2), (0, 2)], &RED).unwrap());
        let alone = drawn(|raster| raster.draw_pixel((1, 1), RED).unwrap());
        assert_eq!([pixels[5], pixels[6]], [alone[5]; 2]);
        let half = drawn(|raster| raster.blend(0, 1, RED, 0.5));
        assert_eq!([pixels[4], pixels[7]], [half[4]; 2]);
    }
}
