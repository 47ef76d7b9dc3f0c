//! A Plotters backend that paints pixels with smooth edges and the embedded font's true spacing. Which is painted, and
//! the PNG around it, is elsewhere.
//!
//! Plotters' own bitmap backend leaves edges of wide lines jagged and drops the bearings of glyphs.

use std::convert::Infallible;

use ab_glyph::{Font, FontRef, ScaleFont};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
};

use crate::font;

/// Pixels painted a unit, a side.
const SCALE: u32 = 2;
/// Pixels averaged into one of the result, a side.
const AVERAGED: u32 = 2;

/// A canvas of `width` x `height` units.
pub(crate) struct Raster<'a> {
    width: u32,
    height: u32,
    pixels: &'a mut [[u8; 3]],
    font: &'static FontRef<'static>,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// White pixels for a canvas of `width` x `height` units.
pub(crate) fn blank(width: u32, height: u32) -> Vec<[u8; 3]> {
    vec![[255; 3]; (width * SCALE) as usize * (height * SCALE) as usize]
}

/// The painted picture, RGB, with its width and height in pixels.
pub(crate) fn finish(pixels: &[[u8; 3]], width: u32, height: u32) -> (u32, u32, Vec<u8>) {
    let line = (width * SCALE) as usize;
    let (width, height) = (width * SCALE / AVERAGED, height * SCALE / AVERAGED);
    let side = AVERAGED as usize;
    let mut out = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height as usize {
        for x in 0..width as usize {
            let mut sum = [0u32; 3];
            for dy in 0..side {
                let at = (y * side + dy) * line + x * side;
                for pixel in &pixels[at..at + side] {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                }
            }
            out.extend(sum.map(|sum| ((sum + AVERAGED * AVERAGED / 2) / (AVERAGED * AVERAGED)) as u8));
        }
    }
    (width, height, out)
}

impl<'a> Raster<'a> {
    /// A canvas on pixels of [`blank`].
    pub(crate) fn new(pixels: &'a mut [[u8; 3]], width: u32, height: u32, font: &'static FontRef<'static>) -> Self {
        Self { width, height, pixels, font }
    }

    fn blend(&mut self, x: i64, y: i64, colour: BackendColor, cover: f64) {
        let (width, height) = (i64::from(self.width * SCALE), i64::from(self.height * SCALE));
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
            *old = (f64::from(*old) * (1.0 - alpha) + f64::from(new) * alpha).round() as u8;
        }
    }

    /// Paints every pixel of a box (in units) by how much of it `cover` says, given the pixel's centre in units.
    fn paint(
        &mut self,
        (left, top): (f64, f64),
        (right, bottom): (f64, f64),
        colour: BackendColor,
        cover: impl Fn(f64, f64) -> f64,
    ) {
        let k = f64::from(SCALE);
        let low = |v: f64| (v * k).floor().max(0.0) as i64 - 1;
        let high = |v: f64, end: u32| (v * k).ceil().min(f64::from(end) * k) as i64 + 1;
        for y in low(top)..=high(bottom, self.height) {
            for x in low(left)..=high(right, self.width) {
                let part = cover((x as f64 + 0.5) / k, (y as f64 + 0.5) / k);
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
        let low = (a.0.min(b.0) - radius - 1.0, a.1.min(b.1) - radius - 1.0);
        let high = (a.0.max(b.0) + radius + 1.0, a.1.max(b.1) + radius + 1.0);
        self.paint(low, high, colour, |x, y| {
            let along = if square > 0.0 { (((x - a.0) * dx + (y - a.1) * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
            inside(radius - (x - a.0 - along * dx).hypot(y - a.1 - along * dy))
        });
    }
}

/// The middle of a unit.
fn centre((x, y): BackendCoord) -> (f64, f64) {
    (f64::from(x) + 0.5, f64::from(y) + 0.5)
}

/// How much of a pixel lies inside an edge that is `distance` units away, positive inward.
fn inside(distance: f64) -> f64 {
    (distance * f64::from(SCALE) + 0.5).clamp(0.0, 1.0)
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
        let k = i64::from(SCALE);
        for dy in 0..k {
            for dx in 0..k {
                self.blend(i64::from(x) * k + dx, i64::from(y) * k + dy, colour, 1.0);
            }
        }
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
                let place = |unit: i64| (unit.clamp(0, i64::from(end)) as u32 * SCALE) as usize;
                place(i64::from(low))..place(i64::from(high) + 1)
            };
            let rows = span(a.1.min(b.1), a.1.max(b.1), self.height);
            let columns = span(a.0.min(b.0), a.0.max(b.0), self.width);
            let (line, (red, green, blue)) = ((self.width * SCALE) as usize, style.color().rgb);
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
            let distance = (x - cx).hypot(y - cy);
            inside(if fill { radius - distance } else { half - (distance - radius).abs() })
        });
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<(f64, f64)> = path.into_iter().map(centre).collect();
        let k = f64::from(SCALE);
        let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.1), h.max(p.1)));
        let rows = (low * k).floor().max(0.0) as i64..((high * k).ceil().min(f64::from(self.height) * k) as i64).max(0);
        let mut crossings: Vec<f64> = Vec::new();
        // Line by line: a pixel is inside where an odd number of edges is left of its centre.
        for row in rows {
            let y = (row as f64 + 0.5) / k;
            let edges = points.iter().zip(points.iter().cycle().skip(1));
            crossings.clear();
            crossings.extend(
                edges.filter(|(a, b)| (a.1 > y) != (b.1 > y)).map(|(a, b)| (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0),
            );
            crossings.sort_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let first = (span[0] * k - 0.5).ceil().max(0.0) as i64;
                let last = (span[1] * k - 0.5).ceil().min(f64::from(self.width) * k) as i64;
                (first..last).for_each(|x| self.blend(x, row, style.color(), 1.0));
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let k = f64::from(SCALE);
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
        let scaled = self.font.as_scaled(font::scale(self.font, em * k));
        let mut pen = start * k;
        for c in text.chars() {
            let id = scaled.glyph_id(c);
            let glyph = id.with_scale_and_position(scaled.scale(), ab_glyph::point(pen as f32, (baseline * k) as f32));
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
                    let (ox, oy) = (i64::from(x) * i64::from(SCALE), i64::from(y) * i64::from(SCALE));
                    self.blend(ox + gx, oy + gy, colour, f64::from(cover));
                });
            }
            pen += f64::from(scaled.h_advance(id));
        }
        Ok(())
    }
}
