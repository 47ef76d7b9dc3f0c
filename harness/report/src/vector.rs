//! Plotters' SVG backend with pictures in it and a size in millimetres. What is drawn is elsewhere.

use plotters::backend::SVGBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// Width of every figure in millimetres: a column of a two-column page.
const MILLIMETRES: f64 = 85.0;

/// An SVG document in the making. Pictures lie above everything else.
pub(crate) struct Vector<'a> {
    inner: SVGBackend<'a>,
    pictures: &'a mut Vec<Picture>,
}

/// A picture's place and RGB bytes.
pub(crate) struct Picture {
    at: BackendCoord,
    size: (u32, u32),
    rgb: Vec<u8>,
}

impl<'a> Vector<'a> {
    pub(crate) fn new(text: &'a mut String, pictures: &'a mut Vec<Picture>, size: (u32, u32)) -> Self {
        Self { inner: SVGBackend::with_string(text, size), pictures }
    }
}

/// The finished document.
pub(crate) fn finish(text: &str, pictures: &[Picture], (width, height): (u32, u32)) -> image::ImageResult<String> {
    let unit = MILLIMETRES / f64::from(width);
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let scaled = format!("width=\"{MILLIMETRES}mm\" height=\"{:.2}mm\"", f64::from(height) * unit);
    let mut text = text.replacen(&size, &scaled, 1);
    let end = text.rfind("</svg>").unwrap_or(text.len());
    let mut tags = String::new();
    for picture in pictures {
        let ((x, y), (w, h)) = (picture.at, picture.size);
        let png = base64(&crate::render::encode_png(w, h, &picture.rgb)?);
        tags.push_str(&format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" href=\"data:image/png;base64,{png}\"/>\n"
        ));
    }
    text.insert_str(end, &tags);
    Ok(text)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i > group.len() { '=' } else { char::from(digit) });
        }
    }
    out
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
        self.inner.draw_rect(a, b, style, fill)
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
    use super::base64;

    #[test]
    fn base64_pads_as_rfc_4648_says() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
