//! Plotters' SVG backend, with pictures and a size in millimetres. Its own pictures would bring a second version of
//! `image`.
//!
//! The bitmap of a drawing is rendered from the document without its pictures, which are copied in afterwards
//! ([`crate::raster`]): they are opaque, lie above everything else and have a pixel a unit, so rendering them would
//! only take longer. Half of a report's time went into that.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plotters::backend::SVGBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use crate::picture::{Encoded, Picture};

/// An SVG document being drawn. Pictures lie above everything else.
pub(crate) struct Vector<'a> {
    inner: SVGBackend<'a>,
    pictures: &'a mut Vec<Picture>,
}

impl<'a> Vector<'a> {
    pub(crate) fn new(text: &'a mut String, pictures: &'a mut Vec<Picture>, size: (u32, u32)) -> Self {
        Self { inner: SVGBackend::with_string(text, size), pictures }
    }
}

/// The finished document without its pictures, a pixel a unit.
pub(crate) fn finish(text: &str) -> String {
    // SVG's own default is blunt ends and sharp corners, which reach far beyond a curve's turns.
    let text = text.replacen(" xmlns=", " stroke-linecap=\"round\" stroke-linejoin=\"round\" xmlns=", 1);
    // Plotters gives every shape an opacity as a group, which a renderer must draw on a layer of its own; no shape of
    // it has both a fill and a stroke, so those of the paints say the same.
    let mut parts = text.split(" opacity=\"");
    let mut finished = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (opacity, rest) = part.split_once('"').unwrap_or((part, ""));
        if opacity != "1" {
            let _ = write!(finished, " fill-opacity=\"{opacity}\" stroke-opacity=\"{opacity}\"");
        }
        finished.push_str(rest);
    }
    finished
}

/// A finished document with its pictures.
pub(crate) fn with_pictures(mut text: String, pictures: &[Encoded]) -> String {
    let end = text.rfind("</svg>").unwrap_or(text.len());
    let mut tags = String::new();
    for Encoded { at: (x, y), size: (w, h), png, .. } in pictures {
        let _ = write!(tags, "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" href=\"data:image/png;base64,");
        STANDARD.encode_string(png, &mut tags);
        tags.push_str("\"/>\n");
    }
    text.insert_str(end, &tags);
    text
}

/// The same document at its printed size, so many millimetres wide.
pub(crate) fn printed(text: &str, (width, height): (u32, u32), millimetres: f64) -> String {
    let pixels = format!("width=\"{width}\" height=\"{height}\"");
    let unit = millimetres / f64::from(width);
    let printed = format!("width=\"{millimetres}mm\" height=\"{:.2}mm\"", f64::from(height) * unit);
    text.replacen(&pixels, &printed, 1)
}

type Drawn<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

impl<'a> DrawingBackend for Vector<'a> {
    type ErrorType = <SVGBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<Self> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<Self> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn<Self> {
        self.inner.draw_pixel(point, colour)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<Self> {
        self.inner.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Drawn<Self> {
        if fill {
            return self.inner.draw_rect(a, b, style, true);
        }
        // Plotters' own leaves out the width of the line.
        self.inner.draw_path([a, (b.0, a.1), b, (a.0, b.1), a], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<Self> {
        self.inner.draw_path(path, style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<Self> {
        self.inner.draw_circle(at, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn<Self> {
        self.inner.fill_polygon(vertices, style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<Self> {
        self.inner.draw_text(text, style, at)
    }

    fn blit_bitmap(&mut self, at: BackendCoord, size: (u32, u32), rgb: &[u8]) -> Drawn<Self> {
        self.pictures.push(Picture { at, size, rgb: rgb.to_vec() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opacity_belongs_to_paints_so_that_no_layer_is_needed() {
        let text = "<svg xmlns=\"u\"><polygon opacity=\"0.16\" fill=\"#0\"/><circle opacity=\"1\" r=\"2\"/></svg>";
        assert_eq!(
            finish(text),
            "<svg stroke-linecap=\"round\" stroke-linejoin=\"round\" xmlns=\"u\">\
             <polygon fill-opacity=\"0.16\" stroke-opacity=\"0.16\" fill=\"#0\"/><circle r=\"2\"/></svg>"
        );
    }
}
