//! Colours of series and of anomaly maps.

use plotters::style::RGBColor;

/// Marks of a warning.
pub(crate) const RED: RGBColor = RGBColor(190, 30, 0);
/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(20, 20, 20);
/// Grid lines.
pub(crate) const FAINT: RGBColor = RGBColor(218, 218, 218);
/// Reference lines.
pub(crate) const GREY: RGBColor = RGBColor(130, 130, 130);

/// Colours of series, told apart by readers with any colour vision (Okabe and Ito 2008).
pub(crate) const SERIES: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 0, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

/// Colour of a map's value, 0 the lowest and 1 the highest; values that are not finite have the lowest.
///
/// A path through CIELAB, dark violet over red to pale yellow. Its lightness rises in equal steps from 10 to 95, so
/// order and size of differences survive printing in grey.
pub fn heat(value: f64) -> [u8; 3] {
    let t = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    let lightness = 10.0 + 85.0 * t;
    // Hue in degrees at t = 0, 1/4, ... 1, and chroma, kept inside sRGB.
    let hue = between(&[305.0, 340.0, 385.0, 425.0, 460.0], t).to_radians();
    let chroma = between(&[22.0, 52.0, 66.0, 68.0, 40.0], t);
    srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// Linear interpolation between points at equal distances.
fn between(points: &[f64; 5], t: f64) -> f64 {
    let at = t * 4.0;
    let low = (at.floor() as usize).min(3);
    points[low] + (points[low + 1] - points[low]) * (at - low as f64)
}

/// CIELAB (D65) to sRGB bytes, IEC 61966-2-1.
fn srgb(lightness: f64, a: f64, b: f64) -> [u8; 3] {
    let inverse = |t: f64| if t > 6.0 / 29.0 { t.powi(3) } else { 3.0 * (6.0_f64 / 29.0).powi(2) * (t - 4.0 / 29.0) };
    let fy = (lightness + 16.0) / 116.0;
    let (x, y, z) = (0.95047 * inverse(fy + a / 500.0), inverse(fy), 1.08883 * inverse(fy - b / 200.0));
    let linear = [
        3.2406 * x - 1.5372 * y - 0.4986 * z,
        -0.9689 * x + 1.8758 * y + 0.0415 * z,
        0.0557 * x - 0.2040 * y + 1.0570 * z,
    ];
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let coded = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (coded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::heat;

    /// CIE lightness of sRGB bytes.
    fn lightness(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    #[test]
    fn lightness_of_the_map_rises_in_equal_steps() {
        for i in 0..=255 {
            let t = f64::from(i) / 255.0;
            let found = lightness(heat(t));
            assert!((found - (10.0 + 85.0 * t)).abs() < 2.5, "{i}: {found}, {:?}", heat(t));
        }
    }

    #[test]
    fn values_outside_the_scale_are_its_ends() {
        assert_eq!(heat(-1.0), heat(0.0));
        assert_eq!(heat(f64::NAN), heat(0.0));
        assert_eq!(heat(f64::INFINITY), heat(0.0));
        assert_eq!(heat(7.0), heat(1.0));
    }
}
