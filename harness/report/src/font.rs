//! The font that comes with the program, and how wide text is in it. What is written is elsewhere.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, TextStyle, register_font};

use crate::ReportError;

/// Family as SVG names it: the embedded font first, then what viewers without it may take.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Size of all text in units of a drawing, an em: 7.4 points at 85 mm.
pub(crate) const EM: f64 = 50.0;

/// Plotters' font size of an em of one: its SVG backend divides by this.
pub(crate) const SIZE_OF_EM: f64 = 1.24;

/// DejaVu Sans 2.37, licence beside it.
static BYTES: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");

/// The font, known to Plotters too.
pub(crate) fn font() -> Result<&'static FontRef<'static>, ReportError> {
    static FONT: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    let load = || {
        register_font(FAMILY, FontStyle::Normal, BYTES).ok()?;
        FontRef::try_from_slice(BYTES).ok()
    };
    FONT.get_or_init(load).as_ref().ok_or(ReportError::Font)
}

/// The scale at which an em is `em` pixels.
pub(crate) fn scale(font: &FontRef<'_>, em: f64) -> PxScale {
    // Ab_glyph scales by ascent and descent together, not by the em.
    let em_of_height = font.units_per_em().map_or(1.0, |units| font.height_unscaled() / units);
    PxScale::from(em as f32 * em_of_height)
}

/// Width of a line of text whose em is `em`.
pub(crate) fn width(font: &FontRef<'_>, text: &str, em: f64) -> f64 {
    let scaled = font.as_scaled(scale(font, em));
    text.chars().map(|c| f64::from(scaled.h_advance(scaled.glyph_id(c)))).sum()
}

/// The text, its middle left out where it would be wider than `room`.
pub(crate) fn shorten(font: &FontRef<'_>, text: &str, em: f64, room: f64) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if width(font, &text, em) <= room {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    for keep in (1..chars.len()).rev() {
        let head = keep.div_ceil(2);
        let tail = chars.len() - (keep - head);
        let short: String = chars[..head].iter().chain(&['…']).chain(&chars[tail..]).collect();
        if width(font, &short, em) <= room {
            return short;
        }
    }
    "…".to_owned()
}

/// A style of text of the usual size, anchored.
pub(crate) fn style(colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    let font = FontDesc::new(FontFamily::Name(FAMILY), EM * SIZE_OF_EM, FontStyle::Normal);
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(horizontal, vertical) }
}

/// The same, read from bottom to top.
pub(crate) fn upright(colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    style(colour, horizontal, vertical).transform(FontTransform::Rotate270)
}
