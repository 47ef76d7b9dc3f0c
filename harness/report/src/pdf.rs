//! The PDF of a figure, written from the document that its PNG is rendered from: paths as paths, text as text in the
//! embedded font, of which it holds the letters that it needs. Crates that convert SVG are made for other versions of
//! the parser, which would be compiled twice.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{CidFontType, FontFlags, Predictor, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use resvg::tiny_skia::{Path, PathSegment, Transform};
use resvg::usvg::{Fill, Group, LineCap, LineJoin, Node, Paint, Stroke, Text, Tree};
use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};
use subsetter::GlyphRemapper;

use crate::ReportError;
use crate::font;
use crate::picture::Encoded;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const INFO: Ref = Ref::new(5);
const FONT: Ref = Ref::new(6);
const CID_FONT: Ref = Ref::new(7);
const DESCRIPTOR: Ref = Ref::new(8);
const FONT_FILE: Ref = Ref::new(9);
const UNICODE: Ref = Ref::new(10);
/// The first of the objects whose number depends on the figure.
const FIRST: i32 = 11;

/// The font's name, with the tag that a subset must have.
const FONT_NAME: Name<'static> = Name(b"HARNES+DejaVuSans");
const FACE: Name<'static> = Name(b"F");

/// A figure as PDF: a document of `size` units with pictures above it, `millimetres` wide.
pub(crate) fn pdf(
    tree: &Tree,
    pictures: &[Encoded],
    (size, millimetres): ((u32, u32), f64),
    figure: &str,
) -> Result<Vec<u8>, ReportError> {
    let failed = |what: String| ReportError::Drawing { figure: figure.to_owned(), what };
    let scale = (millimetres / 25.4 * 72.0 / f64::from(size.0)) as f32;
    let (width, height) = (size.0 as f32 * scale, size.1 as f32 * scale);
    let mut letters = Letters::default();
    letters.gather(tree.root());
    let remapper = GlyphRemapper::new_from_glyphs_sorted(&letters.0.keys().copied().collect::<Vec<_>>());
    let mut page = Drawn { content: Content::new(), alphas: BTreeMap::new(), remapper: &remapper, widths: widths()? };
    // A document's y goes down, a page's up.
    page.content.transform([scale, 0.0, 0.0, -scale, 0.0, height]);
    page.group(tree.root());
    for (number, picture) in pictures.iter().enumerate() {
        let ((x, y), (w, h)) = (picture.at, picture.size);
        page.content.save_state();
        page.content.transform([w as f32, 0.0, 0.0, -(h as f32), x as f32, y as f32 + h as f32]);
        page.content.x_object(Name(format!("P{number}").as_bytes()));
        page.content.restore_state();
    }

    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.pages(PAGES).kids([PAGE]).count(1);
    pdf.document_info(INFO).title(TextStr(figure)).creator(TextStr("harness"));
    let alphas: Vec<(Alpha, Ref)> =
        page.alphas.keys().enumerate().map(|(at, alpha)| (*alpha, Ref::new(FIRST + at as i32))).collect();
    let first = FIRST + alphas.len() as i32;
    let mut head = pdf.page(PAGE);
    head.media_box(Rect::new(0.0, 0.0, width, height)).parent(PAGES).contents(CONTENT);
    let mut resources = head.resources();
    resources.fonts().pair(FACE, FONT);
    let mut states = resources.ext_g_states();
    for (alpha, id) in &alphas {
        states.pair(Name(alpha.name().as_bytes()), *id);
    }
    states.finish();
    let mut objects = resources.x_objects();
    for number in 0..pictures.len() {
        objects.pair(Name(format!("P{number}").as_bytes()), Ref::new(first + number as i32));
    }
    objects.finish();
    resources.finish();
    head.finish();
    for (Alpha(fill, stroke), id) in &alphas {
        let part = |percent: u8| f32::from(percent) / 100.0;
        pdf.ext_graphics(*id).non_stroking_alpha(part(*fill)).stroking_alpha(part(*stroke));
    }
    for (number, picture) in pictures.iter().enumerate() {
        let mut image = pdf.image_xobject(Ref::new(first + number as i32), &picture.deflated);
        image.filter(Filter::FlateDecode);
        // The bytes are those of the PNG in the SVG, filters and all.
        image
            .decode_parms()
            .predictor(Predictor::PngOptimum)
            .colors(3)
            .bits_per_component(8)
            .columns(picture.size.0 as i32);
        image.width(picture.size.0 as i32).height(picture.size.1 as i32).bits_per_component(8);
        image.color_space().device_rgb();
    }
    let widths = std::mem::take(&mut page.widths);
    let drawn = page.content.finish();
    let content = deflated(drawn.as_slice()).map_err(|error| failed(error.to_string()))?;
    pdf.stream(CONTENT, &content).filter(Filter::FlateDecode);
    write_font(&mut pdf, &letters, &remapper, &widths).map_err(failed)?;
    Ok(pdf.finish())
}

fn deflated(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Advance widths of all glyphs of the font, in thousandths of an em.
fn widths() -> Result<Vec<f32>, ReportError> {
    let font = font::font()?;
    let metrics = font.glyph_metrics(Size::new(1000.0), LocationRef::default());
    let count = metrics.glyph_count();
    Ok((0..count).map(|id| metrics.advance_width(skrifa::GlyphId::new(id)).unwrap_or_default()).collect())
}

/// The glyphs of a figure, each with the text that it stands for.
#[derive(Default)]
struct Letters(BTreeMap<u16, String>);

impl Letters {
    fn gather(&mut self, group: &Group) {
        for node in group.children() {
            match node {
                Node::Group(group) => self.gather(group),
                Node::Text(text) => {
                    for glyph in text.layouted().iter().flat_map(|span| &span.positioned_glyphs) {
                        self.0.entry(number(glyph.id.0)).or_insert_with(|| glyph.text.clone());
                    }
                }
                _ => {}
            }
        }
    }
}

/// A glyph's number in the font, which has fewer than 65,536.
fn number(id: u32) -> u16 {
    u16::try_from(id).unwrap_or(0)
}

fn write_font(pdf: &mut Pdf, letters: &Letters, remapper: &GlyphRemapper, widths: &[f32]) -> Result<(), String> {
    const SYSTEM: SystemInfo<'static> =
        SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    let file = subsetter::subset(font::bytes(), 0, remapper).map_err(|error| error.to_string())?;
    let file_deflated = deflated(&file).map_err(|error| error.to_string())?;
    pdf.type0_font(FONT)
        .base_font(FONT_NAME)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(CID_FONT)
        .to_unicode(UNICODE);
    let mut cid = pdf.cid_font(CID_FONT);
    cid.subtype(CidFontType::Type2).base_font(FONT_NAME).system_info(SYSTEM).font_descriptor(DESCRIPTOR);
    cid.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
    let of = |old: u16| widths.get(usize::from(old)).copied().unwrap_or_default();
    cid.widths().consecutive(0, remapper.remapped_gids().map(of));
    cid.finish();
    // Of DejaVu Sans, in thousandths of an em.
    pdf.font_descriptor(DESCRIPTOR)
        .name(FONT_NAME)
        .flags(FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(-1021.0, -463.0, 1793.0, 1232.0))
        .italic_angle(0.0)
        .ascent(928.0)
        .descent(-236.0)
        .cap_height(729.0)
        .stem_v(90.0)
        .font_file2(FONT_FILE);
    let mut stream = pdf.stream(FONT_FILE, &file_deflated);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), i32::try_from(file.len()).unwrap_or(i32::MAX));
    stream.finish();
    let mut unicode = UnicodeCmap::new(Name(b"Harness"), SYSTEM);
    for (old, text) in &letters.0 {
        if let Some(new) = remapper.get(*old).filter(|_| !text.is_empty()) {
            unicode.pair_with_multiple(new, text.chars());
        }
    }
    pdf.cmap(UNICODE, unicode.finish().as_slice());
    Ok(())
}

/// Opacity of fills and of strokes in percent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Alpha(u8, u8);

impl Alpha {
    fn of(fill: Option<f32>, stroke: Option<f32>) -> Self {
        let percent = |opacity: Option<f32>| (opacity.unwrap_or(1.0) * 100.0).round() as u8;
        Self(percent(fill), percent(stroke))
    }

    fn name(self) -> String {
        format!("G{}-{}", self.0, self.1)
    }
}

/// A page being drawn.
struct Drawn<'a> {
    content: Content,
    alphas: BTreeMap<Alpha, ()>,
    remapper: &'a GlyphRemapper,
    widths: Vec<f32>,
}

impl Drawn<'_> {
    fn group(&mut self, group: &Group) {
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(group),
                Node::Path(path) if path.is_visible() => {
                    let Some(shape) = path.data().clone().transform(path.abs_transform()) else { continue };
                    self.path(&shape, path.fill(), path.stroke());
                }
                Node::Text(text) => self.text(text),
                // Pictures come by themselves.
                Node::Path(_) | Node::Image(_) => {}
            }
        }
    }

    fn alpha(&mut self, alpha: Alpha) {
        self.alphas.insert(alpha, ());
        self.content.set_parameters(Name(alpha.name().as_bytes()));
    }

    fn path(&mut self, path: &Path, fill: Option<&Fill>, stroke: Option<&Stroke>) {
        let opacity = |opacity: resvg::usvg::Opacity| opacity.get();
        self.alpha(Alpha::of(fill.map(|fill| opacity(fill.opacity())), stroke.map(|stroke| opacity(stroke.opacity()))));
        if let Some(fill) = fill {
            let [red, green, blue] = colour(fill.paint());
            self.content.set_fill_rgb(red, green, blue);
        }
        if let Some(stroke) = stroke {
            let [red, green, blue] = colour(stroke.paint());
            self.content.set_stroke_rgb(red, green, blue).set_line_width(stroke.width().get());
            self.content.set_line_cap(match stroke.linecap() {
                LineCap::Butt => pdf_writer::types::LineCapStyle::ButtCap,
                LineCap::Round => pdf_writer::types::LineCapStyle::RoundCap,
                LineCap::Square => pdf_writer::types::LineCapStyle::ProjectingSquareCap,
            });
            self.content.set_line_join(match stroke.linejoin() {
                LineJoin::Round => pdf_writer::types::LineJoinStyle::RoundJoin,
                LineJoin::Bevel => pdf_writer::types::LineJoinStyle::BevelJoin,
                LineJoin::Miter | LineJoin::MiterClip => pdf_writer::types::LineJoinStyle::MiterJoin,
            });
        }
        let mut last = (0.0, 0.0);
        for segment in path.segments() {
            match segment {
                PathSegment::MoveTo(to) => {
                    self.content.move_to(to.x, to.y);
                    last = (to.x, to.y);
                }
                PathSegment::LineTo(to) => {
                    self.content.line_to(to.x, to.y);
                    last = (to.x, to.y);
                }
                PathSegment::QuadTo(by, to) => {
                    let third = |from: f32, by: f32| from + (by - from) * 2.0 / 3.0;
                    let (a, b) = ((third(last.0, by.x), third(last.1, by.y)), (third(to.x, by.x), third(to.y, by.y)));
                    self.content.cubic_to(a.0, a.1, b.0, b.1, to.x, to.y);
                    last = (to.x, to.y);
                }
                PathSegment::CubicTo(a, b, to) => {
                    self.content.cubic_to(a.x, a.y, b.x, b.y, to.x, to.y);
                    last = (to.x, to.y);
                }
                PathSegment::Close => {
                    self.content.close_path();
                }
            }
        }
        match (fill.is_some(), stroke.is_some()) {
            (true, true) => self.content.fill_nonzero_and_stroke(),
            (true, false) => self.content.fill_nonzero(),
            (false, true) => self.content.stroke(),
            (false, false) => self.content.end_path(),
        };
    }

    /// Each span as a run of glyphs, so that readers find its words.
    fn text(&mut self, text: &Text) {
        let em = |transform: Transform, units: f32| {
            let all = text.abs_transform().pre_concat(transform).pre_scale(units, units);
            [all.sx, all.ky, all.kx, all.sy, all.tx, all.ty]
        };
        let units = font::font()
            .map_or(2048.0, |font| f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em));
        for span in text.layouted().iter().filter(|span| span.visible) {
            let Some(first) = span.positioned_glyphs.first() else { continue };
            self.alpha(Alpha::of(span.fill.as_ref().map(|fill| fill.opacity().get()), None));
            let [red, green, blue] = span.fill.as_ref().map_or([0.0; 3], |fill| colour(fill.paint()));
            self.content.set_fill_rgb(red, green, blue);
            self.content.begin_text().set_font(FACE, 1.0);
            let start = em(first.outline_transform(), units);
            self.content.set_text_matrix(start);
            let (mut run, mut end) = (self.content.show_positioned(), None::<(f32, f32)>);
            let mut items = run.items();
            let length = start[0].hypot(start[1]).max(f32::MIN_POSITIVE);
            for glyph in &span.positioned_glyphs {
                let here = em(glyph.outline_transform(), units);
                let along = ((here[4] - start[4]) * start[0] + (here[5] - start[5]) * start[1]) / (length * length);
                if let Some((at, width)) = end {
                    let off = (at + width - along) * 1000.0;
                    if off.abs() > 0.5 {
                        items.adjust(off);
                    }
                }
                let width = self.widths.get(usize::from(number(glyph.id.0))).copied().unwrap_or_default() / 1000.0;
                end = Some((along, width));
                let new = self.remapper.get(number(glyph.id.0)).unwrap_or(0);
                items.show(Str(&new.to_be_bytes()));
            }
            items.finish();
            run.finish();
            self.content.end_text();
        }
    }
}

fn colour(paint: &Paint) -> [f32; 3] {
    match paint {
        Paint::Color(colour) => [colour.red, colour.green, colour.blue].map(|part| f32::from(part) / 255.0),
        _ => [0.0; 3],
    }
}
