//! The picture of one prediction: the image, and its anomaly map over it, with the colour scale.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Text;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::colour::{INK, heat};
use crate::panel::{GAP, HEADINGS, MARGIN, OF_MAPS, SCALE, TITLE, fitted, picture, scale, shaped};
use crate::render::{Drawing, Drawn, Paper, WIDTH, png};
use crate::{ReportError, font};

/// An image and its map.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlayFigure {
    /// Name of the image.
    pub title: String,
    /// Its scores, for a line of their own.
    pub scores: String,
    /// Side S of image and map in pixels.
    pub side: usize,
    /// The width of the image over its height, before it was made square.
    pub aspect: f64,
    /// The image, S x S, three bytes a pixel: red, green, blue.
    pub image: Vec<u8>,
    /// The anomaly map, S x S.
    pub map: Vec<f32>,
    /// Values of the scale's ends; the map's values beyond them have the ends' colours.
    pub scale: (f32, f32),
}

/// Side of a picture in units: two fill the width.
const CELL: u32 = (WIDTH - 2 * MARGIN - GAP) / 2;

/// Share of the map's colour at the scale's low and high end; the image's grey is the rest. What is normal stays
/// readable, what is not stands out.
const OPACITY: [f64; 2] = [0.35, 0.85];

/// Draws a prediction as a PNG file, 1640 pixels wide.
///
/// # Errors
/// A picture or map that is not S x S, a value that is not finite.
pub fn overlay(figure: &OverlayFigure) -> Result<Vec<u8>, ReportError> {
    let wrong = |what: String| ReportError::Figure { figure: figure.title.clone(), what };
    let area = figure.side.saturating_mul(figure.side);
    if figure.side == 0 || figure.side > 1 << 14 {
        return Err(wrong("the side must be 1 to 16384 pixels".to_owned()));
    }
    if figure.image.len() != 3 * area || figure.map.len() != area {
        return Err(wrong(format!("image or map is not {0} x {0}", figure.side)));
    }
    let (low, high) = (f64::from(figure.scale.0), f64::from(figure.scale.1));
    if !low.is_finite() || !high.is_finite() || figure.map.iter().any(|value| !value.is_finite()) {
        return Err(wrong("the map or its scale has a value that is not finite".to_owned()));
    }
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, low + 0.5) };
    let over = figure.image.as_chunks().0.iter().zip(&figure.map);
    let over = over.flat_map(|(rgb, value)| blended(*rgb, (f64::from(*value) - low) / (high - low))).collect();
    let font = &font::font()?;
    let title = font::shorten(font, &figure.title, font::EM, f64::from(WIDTH - 2 * MARGIN));
    let side = figure.side as u32;
    let size = shaped(figure.aspect, CELL);
    let pictures = [fitted(side, size, figure.image.clone()), fitted(side, size, over)];
    png(&Sketch { title, scores: &figure.scores, pictures, size, low, high }, Paper::default())
}

/// A pixel of the image in grey under the colour of its map value, `t` along the scale.
fn blended([red, green, blue]: [u8; 3], t: f64) -> [u8; 3] {
    let t = t.clamp(0.0, 1.0);
    // Luma of ITU-R BT.601, as grey pictures are made.
    let grey = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    let share = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * t;
    heat(t).map(|colour| (share * f64::from(colour) + (1.0 - share) * grey).round() as u8)
}

struct Sketch<'a> {
    title: String,
    scores: &'a str,
    pictures: [Vec<u8>; 2],
    /// Width and height of each.
    size: (u32, u32),
    low: f64,
    high: f64,
}

impl Drawing for Sketch<'_> {
    fn name(&self) -> &str {
        &self.title
    }

    fn blocks(&self, _: usize) -> Vec<u32> {
        vec![2 * TITLE + HEADINGS + self.size.1 + SCALE]
    }

    fn draw<B: DrawingBackend>(&self, _: usize, _: usize, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        for (line, text) in [self.title.as_str(), self.scores].into_iter().enumerate() {
            let at = (MARGIN as i32, (line as u32 * TITLE + TITLE / 2 + 10) as i32);
            area.draw(&Text::new(text.to_owned(), at, font::style(INK, HPos::Left, VPos::Center)))?;
        }
        let top = (2 * TITLE + HEADINGS) as i32;
        for (column, (heading, rgb)) in ["Image", "Anomaly map over it"].into_iter().zip(&self.pictures).enumerate() {
            let left = (MARGIN + column as u32 * (CELL + GAP)) as i32;
            let style = font::style(INK, HPos::Center, VPos::Center);
            area.draw(&Text::new(heading, (left + CELL as i32 / 2, top - HEADINGS as i32 / 2 + 4), style))?;
            let beside = (CELL - self.size.0) as i32 / 2;
            picture(area, (left + beside, top), self.size, rgb.clone())?;
        }
        let at = (MARGIN as i32, top + self.size.1 as i32);
        scale(area, at, WIDTH - 2 * MARGIN, &(self.low..self.high), OF_MAPS)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn figure() -> OverlayFigure {
        let image = (0..4 * 4 * 3).map(|i| i * 5).collect();
        let map = (0..16).map(|i| i as f32 / 15.0).collect();
        let (title, scores) = ("a".to_owned(), "map max 1.000".to_owned());
        OverlayFigure { title, scores, side: 4, aspect: 1.0, image, map, scale: (0.0, 1.0) }
    }

    #[test]
    fn a_prediction_is_a_png_of_the_documented_width_and_the_same_each_time() {
        let png = overlay(&figure()).unwrap();
        assert_eq!(&png[..4], b"\x89PNG");
        assert_eq!(u32::from_be_bytes([png[16], png[17], png[18], png[19]]), WIDTH);
        assert_eq!(overlay(&figure()).unwrap(), png);
    }

    #[test]
    fn pictures_that_do_not_fit_and_values_that_are_none_are_refused() {
        let mut short = figure();
        short.map.pop();
        assert!(overlay(&short).unwrap_err().to_string().contains("not 4 x 4"));
        let mut broken = figure();
        broken.map[3] = f32::NAN;
        assert!(overlay(&broken).unwrap_err().to_string().contains("not finite"));
        assert!(overlay(&OverlayFigure { side: 0, ..figure() }).is_err());
        // Equal values have a scale too.
        assert!(overlay(&OverlayFigure { scale: (0.5, 0.5), ..figure() }).is_ok());
    }

    #[test]
    fn what_is_anomalous_hides_more_of_the_image() {
        let far =
            |t: f64| blended([255; 3], t).iter().zip(blended([0; 3], t)).map(|(a, b)| u32::from(a - b)).sum::<u32>();
        assert!(far(0.0) > far(0.5) && far(0.5) > far(1.0) && far(1.0) > 0);
        assert_eq!(far(2.0), far(1.0));
    }
}
