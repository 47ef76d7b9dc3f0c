//! A healthy slice: head outline, scalp and skull, grey and white matter, ventricles, bright vessels, and what a
//! scanner adds. Lengths are in half sides of the image, values in 0 to 1.

use super::field::{Draws, Lattice, smoothstep};

/// Deviation of the noise of a pixel.
pub const NOISE: f64 = 0.01;
/// Most that the receive field brightens or darkens, as a share.
pub const BIAS: f64 = 0.15;
/// Amplitude of the smooth variation within tissue, coarse and fine.
pub const TISSUE_VARIATION: (f64, f64) = (0.03, 0.012);
/// Chance of each of three bright spots, as of vessels or calcifications, in healthy and diseased slices alike.
pub const SPOT_CHANCE: f64 = 0.5;

const AIR: f64 = 0.03;
const SCALP: (f64, f64) = (0.52, 0.66);
const SKULL: f64 = 0.06;
const GREY: (f64, f64) = (0.33, 0.38);
const WHITE: (f64, f64) = (0.23, 0.28);
const FLUID: f64 = 0.07;
/// Relative distances from the centre at which scalp, skull and brain end.
const SCALP_INNER: f64 = 0.91;
const SKULL_INNER: f64 = 0.85;

/// An ellipse with soft edges.
#[derive(Clone, Debug)]
struct Ellipse {
    centre: (f64, f64),
    radii: (f64, f64),
}

impl Ellipse {
    /// 1 inside, 0 outside.
    fn cover(&self, u: f64, v: f64) -> f64 {
        let (x, y) = ((u - self.centre.0) / self.radii.0, (v - self.centre.1) / self.radii.1);
        smoothstep(1.2, 0.8, (x * x + y * y).sqrt())
    }
}

/// A healthy slice.
#[derive(Clone, Debug)]
pub struct Anatomy {
    centre: (f64, f64),
    radii: (f64, f64),
    /// Cosine and sine of the head's tilt.
    tilt: (f64, f64),
    outline: Lattice,
    folds: Lattice,
    coarse: Lattice,
    fine: Lattice,
    scalp: f64,
    grey: f64,
    white: f64,
    ventricles: [Ellipse; 2],
    nuclei: [Ellipse; 2],
    spots: Vec<(Ellipse, f64)>,
    bias: [f64; 3],
}

impl Anatomy {
    pub(super) fn draw(draws: &mut Draws) -> Self {
        let centre = (0.04 * draws.signed(), 0.03 * draws.signed());
        let radii = (draws.range((0.84, 0.92)), draws.range((0.92, 0.98)));
        let slope = 0.12 * draws.signed();
        let length = (1.0 + slope * slope).sqrt();
        // Each side is drawn for itself: no brain is its own mirror image.
        let mut pair = |x: f64, y: f64, rx: (f64, f64), ry: (f64, f64)| {
            [-1.0, 1.0].map(|side| Ellipse {
                centre: (side * (x + 0.03 * draws.signed()), y + 0.04 * draws.signed()),
                radii: (draws.range(rx), draws.range(ry)),
            })
        };
        let ventricles = pair(0.13, -0.08, (0.05, 0.10), (0.15, 0.25));
        let nuclei = pair(0.33, 0.02, (0.08, 0.13), (0.10, 0.17));
        let mut spots = Vec::new();
        for _ in 0..3 {
            let (direction, distance) = (draws.direction(), 0.7 * draws.unit().sqrt());
            let centre = (direction.0 * distance * 0.85, direction.1 * distance);
            let radii = (draws.range((0.04, 0.10)), draws.range((0.04, 0.10)));
            let brighter = draws.range((0.10, 0.28));
            if draws.chance(SPOT_CHANCE) {
                spots.push((Ellipse { centre, radii }, brighter));
            }
        }
        Self {
            centre,
            radii,
            tilt: (1.0 / length, slope / length),
            outline: Lattice::draw(draws, 5),
            folds: Lattice::draw(draws, 10),
            coarse: Lattice::draw(draws, 8),
            fine: Lattice::draw(draws, 16),
            scalp: draws.range(SCALP),
            grey: draws.range(GREY),
            white: draws.range(WHITE),
            ventricles,
            nuclei,
            spots,
            bias: [draws.signed(), draws.signed(), draws.signed()],
        }
    }

    /// From image to head coordinates.
    fn head(&self, u: f64, v: f64) -> (f64, f64) {
        let (x, y) = (u - self.centre.0, v - self.centre.1);
        (x * self.tilt.0 + y * self.tilt.1, y * self.tilt.0 - x * self.tilt.1)
    }

    /// Distance from the centre, 1 at the scalp's outside.
    pub(super) fn distance(&self, u: f64, v: f64) -> f64 {
        let (x, y) = self.head(u, v);
        let (x, y) = (x / self.radii.0, y / self.radii.1);
        (x * x + y * y).sqrt() * (1.0 + 0.03 * self.outline.at(u, v))
    }

    /// How much of a point is brain, 0 to 1.
    pub(super) fn brain(&self, u: f64, v: f64) -> f64 {
        smoothstep(SKULL_INNER + 0.02, SKULL_INNER - 0.02, self.distance(u, v))
    }

    /// How much of a point is fluid, 0 to 1.
    pub(super) fn fluid(&self, u: f64, v: f64) -> f64 {
        let (x, y) = self.head(u, v);
        self.ventricles.iter().map(|ventricle| ventricle.cover(x, y)).fold(0.0, f64::max)
    }

    /// The value of tissue, bone or air at a point, before the scanner.
    pub(super) fn tissue(&self, u: f64, v: f64) -> f64 {
        let (x, y) = self.head(u, v);
        let distance = self.distance(u, v);
        let cortex = 0.64 + 0.16 * self.folds.at(u, v);
        let nuclei = self.nuclei.iter().map(|nucleus| nucleus.cover(x, y)).fold(0.0, f64::max);
        let grey = smoothstep(cortex - 0.06, cortex + 0.06, distance).max(0.8 * nuclei);
        let mut value = self.white + (self.grey - self.white) * grey;
        value += TISSUE_VARIATION.0 * self.coarse.at(u, v) + TISSUE_VARIATION.1 * self.fine.at(u, v);
        // The fissure between the halves, away from the middle.
        value -= 0.12 * smoothstep(0.03, 0.01, x.abs()) * smoothstep(0.35, 0.45, y.abs());
        value += (FLUID - value) * self.fluid(u, v);
        for (spot, brighter) in &self.spots {
            value += brighter * spot.cover(x, y);
        }
        value = SKULL + (value - SKULL) * self.brain(u, v);
        value += (self.scalp - value) * smoothstep(SCALP_INNER - 0.02, SCALP_INNER + 0.02, distance);
        value + (AIR - value) * smoothstep(0.985, 1.015, distance)
    }

    /// What the receive field makes of a value.
    pub(super) fn recorded(&self, value: f64, u: f64, v: f64) -> f64 {
        let [across, along, twisted] = self.bias;
        value * (1.0 + BIAS * (across * u + along * v + twisted * u * v) / 2.0)
    }
}
