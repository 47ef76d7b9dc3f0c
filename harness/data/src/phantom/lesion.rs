//! Lesions: their position, size and brightness, and the fine texture that tells them from tissue. Lengths are in half
//! sides of the image, values in 0 to 1. The constants here decide how hard the phantom set is.

use super::anatomy::Anatomy;
use super::field::{Draws, Lattice, smoothstep, wave};

/// Mean radius of a lesion.
pub const RADIUS: (f64, f64) = (0.18, 0.36);
/// Most that a lesion is brighter or darker than tissue on average; the sign is drawn.
pub const CONTRAST: (f64, f64) = (0.0, 0.05);
/// Amplitude of the texture.
pub const TEXTURE: (f64, f64) = (0.10, 0.18);
/// Wavelength of the texture: 5 to 7 pixels at a side of 96.
pub const WAVELENGTH: (f64, f64) = (0.105, 0.145);
/// Chance of a second lesion, half as large.
pub const SECOND_CHANCE: f64 = 0.3;
/// How ragged the border is, as a share of the radius.
const RAGGED: f64 = 0.3;
/// Farthest that a lesion's centre lies from the head's.
const FARTHEST: f64 = 0.62;

/// The fine structure of a lesion.
#[derive(Clone, Debug)]
enum Texture {
    /// Parallel stripes.
    Striped,
    /// Stripes in two directions.
    Woven,
    /// Grains of about half a wavelength.
    Granular(Lattice),
}

/// A lesion.
#[derive(Clone, Debug)]
pub struct Lesion {
    centre: (f64, f64),
    radii: (f64, f64),
    direction: (f64, f64),
    border: Lattice,
    contrast: f64,
    amplitude: f64,
    wavelength: f64,
    phases: (f64, f64),
    grain: (f64, f64),
    texture: Texture,
}

impl Lesion {
    /// One or two lesions inside the brain.
    pub(super) fn draw_all(draws: &mut Draws, anatomy: &Anatomy) -> Vec<Self> {
        let mut lesions = vec![Self::draw(draws, anatomy, 1.0)];
        if draws.chance(SECOND_CHANCE) {
            lesions.push(Self::draw(draws, anatomy, 0.5));
        }
        lesions
    }

    fn draw(draws: &mut Draws, anatomy: &Anatomy, scale: f64) -> Self {
        /// Enough to find a position; otherwise the last one tried is taken.
        const TRIES: usize = 64;
        let mut centre = (0.4, 0.0);
        for _ in 0..TRIES {
            centre = (draws.signed(), draws.signed());
            if anatomy.distance(centre.0, centre.1) < FARTHEST && anatomy.fluid(centre.0, centre.1) < 0.1 {
                break;
            }
            centre = (0.4, 0.0);
        }
        let (radius, long) = (scale * draws.range(RADIUS), draws.range((0.8, 1.25)));
        let contrast = draws.range(CONTRAST);
        let wavelength = draws.range(WAVELENGTH);
        Self {
            centre,
            radii: (radius * long, radius / long),
            direction: draws.direction(),
            border: Lattice::draw(draws, 9),
            contrast: if draws.chance(0.5) { contrast } else { -contrast },
            amplitude: draws.range(TEXTURE),
            wavelength,
            phases: (draws.unit(), draws.unit()),
            grain: draws.direction(),
            texture: match (draws.unit() * 3.0) as usize {
                0 => Texture::Striped,
                1 => Texture::Woven,
                _ => Texture::Granular(Lattice::draw(draws, (4.0 / wavelength) as usize)),
            },
        }
    }

    /// How much of a point is lesion, 0 to 1, half at its border.
    fn cover(&self, u: f64, v: f64, anatomy: &Anatomy) -> f64 {
        let (x, y) = (u - self.centre.0, v - self.centre.1);
        let along = (x * self.direction.0 + y * self.direction.1) / self.radii.0;
        let across = (y * self.direction.0 - x * self.direction.1) / self.radii.1;
        let distance = (along * along + across * across).sqrt() * (1.0 + RAGGED * self.border.at(u, v));
        smoothstep(1.15, 0.85, distance) * anatomy.brain(u, v)
    }

    /// Whether the mask marks a point.
    pub(super) fn marks(&self, u: f64, v: f64, anatomy: &Anatomy) -> bool {
        self.cover(u, v, anatomy) > 0.5
    }

    /// What the lesion makes of the tissue's value.
    pub(super) fn change(&self, value: f64, u: f64, v: f64, anatomy: &Anatomy) -> f64 {
        let (x, y) = (u * self.grain.0 + v * self.grain.1, v * self.grain.0 - u * self.grain.1);
        let along = wave(x / self.wavelength + self.phases.0);
        let texture = match &self.texture {
            Texture::Striped => along,
            Texture::Woven => 0.7 * (along + wave(y / self.wavelength + self.phases.1)),
            // Blended uniforms have less than half the deviation of a wave.
            Texture::Granular(lattice) => 1.8 * lattice.at(u, v),
        };
        value + (self.contrast + self.amplitude * texture) * self.cover(u, v, anatomy)
    }
}
