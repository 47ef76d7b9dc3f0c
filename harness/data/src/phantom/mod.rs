//! A generated dataset: brain-like slices with textured lesions, for tests and first runs without data. It has no files
//! and is the same on every machine: only +, -, *, / and square roots of f64 decide a pixel, with draws from named
//! streams.
//!
//! Neither brightness nor an image's maximum tells lesions from tissue; their fine texture does. The constants that
//! decide how hard the set is are in [`lesion`] and [`anatomy`].

pub mod anatomy;
mod field;
pub mod lesion;

use std::ops::RangeInclusive;

use harness_method::options::Side;
use serde::{Deserialize, Serialize};

use crate::layout::Split;
use anatomy::Anatomy;
use field::Draws;
use lesion::Lesion;

/// What is generated: keys of a `phantom` table in `datasets.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhantomSpec {
    /// Side of an image in pixels, 32 to 1024.
    pub side: usize,
    /// Images of each class to draw supports from.
    pub valid: usize,
    /// Test images of each class.
    pub test: usize,
    /// Another seed gives another set.
    pub seed: u64,
}

impl Default for PhantomSpec {
    fn default() -> Self {
        Self { side: 96, valid: 32, test: 40, seed: 0 }
    }
}

/// Sides that can be generated, in pixels.
pub const SIDES: RangeInclusive<usize> = 32..=1024;
/// Images of each class and split that can be generated.
pub const COUNTS: RangeInclusive<usize> = 1..=100_000;

/// An image of the set, or its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhantomPlane {
    /// The set.
    pub spec: PhantomSpec,
    /// Its part.
    pub split: Split,
    /// With lesions or without.
    pub abnormal: bool,
    /// Which image of its class, from 0.
    pub index: usize,
    /// The lesions' mask, not the image.
    pub mask: bool,
}

impl std::fmt::Display for PhantomPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.mask { "mask" } else { "img" };
        write!(f, "{}/{}/{what}/phantom_{:05}", self.split.name(), self.side().name(), self.index)
    }
}

impl PhantomPlane {
    fn side(&self) -> Side {
        if self.abnormal { Side::Abnormal } else { Side::Normal }
    }

    /// Grey values, row-major, `side * side`; a mask holds 0 and 255.
    pub fn pixels(&self) -> Vec<u8> {
        let name = format!("phantom.{}.{}.{}", self.split.name(), self.side().name(), self.index);
        // One stream for each thing drawn, so that one more draw for lesions does not move the anatomy.
        let draws = |part: &str| Draws::new(&format!("{name}.{part}"), self.spec.seed);
        let anatomy = Anatomy::draw(&mut draws("anatomy"));
        let lesions = if self.abnormal { Lesion::draw_all(&mut draws("lesions"), &anatomy) } else { Vec::new() };
        let mut noise = draws("noise");
        let side = self.spec.side;
        let centre = |i: usize| (2 * i + 1) as f64 / side as f64 - 1.0;
        let mut out = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let (u, v) = (centre(column), centre(row));
                if self.mask {
                    let marked = lesions.iter().any(|lesion| lesion.marks(u, v, &anatomy));
                    out.push(if marked { 255 } else { 0 });
                } else {
                    let changed = |value: f64, lesion: &Lesion| lesion.change(value, u, v, &anatomy);
                    let value = lesions.iter().fold(anatomy.tissue(u, v), changed);
                    let value = anatomy.recorded(value, u, v) + anatomy::NOISE * noise.bell();
                    out.push((value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8);
                }
            }
        }
        out
    }

    /// BLAKE3 of side and pixels.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"phantom plane ").update(&(self.spec.side as u64).to_le_bytes()).update(&self.pixels());
        *hasher.finalize().as_bytes()
    }
}
