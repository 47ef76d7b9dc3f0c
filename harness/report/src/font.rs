//! The embedded font: the styles of text, and how wide text is in it.

use std::sync::{Arc, OnceLock};

use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, TextStyle};
use resvg::usvg::fontdb::{Database, Source};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use crate::ReportError;

/// Family as SVG names it: the embedded font first, then what viewers without it may take.
pub(crate) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Size of all text in units of a drawing, an em: 7.4 points at 85 mm.
pub(crate) const EM: f64 = 50.0;

/// Plotters' font size of an em of one: its SVG backend divides by this.
const SIZE_OF_EM: f64 = 1.24;

/// DejaVu Sans 2.37, licence beside it.
static BYTES: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");

/// The font's file.
pub(crate) fn bytes() -> &'static [u8] {
    BYTES
}

/// The font.
pub(crate) fn font() -> Result<FontRef<'static>, ReportError> {
    FontRef::new(BYTES).map_err(|_| ReportError::Font)
}

/// The same as the only font of the SVG renderer: pictures must not depend on what a machine has installed.
pub(crate) fn database() -> Arc<Database> {
    static DATABASE: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut database = Database::new();
        database.load_font_source(Source::Binary(Arc::new(BYTES)));
        Arc::new(database)
    };
    Arc::clone(DATABASE.get_or_init(load))
}

/// Width of a line of text whose em is `em`, without kerning, which makes it narrower at most.
pub(crate) fn width(font: &FontRef<'_>, text: &str, em: f64) -> f64 {
    let (characters, metrics) = (font.charmap(), font.glyph_metrics(Size::new(em as f32), LocationRef::default()));
    let advance = |c: char| metrics.advance_width(characters.map(c).unwrap_or_default()).unwrap_or_default();
    text.chars().map(|c| f64::from(advance(c))).sum()
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
