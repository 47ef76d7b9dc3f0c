//! The one definition of a map (docs/method.md sections 7 and 8): the sum over a part's grids of their link, pixel by
//! pixel. For MadCLIP the grids hold d = s_ab - s_n of each tap, and the link is a sigmoid: the sum over taps of
//! abnormal probabilities.

use harness_method::{Link, Part};

use crate::error::Error;
use crate::maps::MapSource;
use crate::sigmoid::sigmoid;

/// Makes maps `[S, S]` of grids `[n, G, G]`: bilinear with aligned corners, the link, the sum over grids.
///
/// All in f32 and in one fixed order, across a row first, then down, then over grids from the first to the last; so a
/// map has the same bits on every platform and with any number of threads.
#[derive(Clone, Debug)]
pub struct Upsampler {
    grid: usize,
    size: usize,
    /// For each of S pixels along an axis, the grid points around it and the weights of both.
    axis: Vec<Between>,
}

#[derive(Clone, Copy, Debug)]
struct Between {
    low: usize,
    high: usize,
    low_weight: f32,
    high_weight: f32,
}

impl Upsampler {
    /// For grids of `grid` points a side and maps of `size` pixels a side.
    ///
    /// # Errors
    /// A side of 0 or above 65,535.
    pub fn new(grid: usize, size: usize) -> Result<Self, Error> {
        let largest = usize::from(u16::MAX);
        for (what, found) in [("the side of a grid", grid), ("the side of a map", size)] {
            if found == 0 || found > largest {
                return Err(Error::Size { what, found, largest });
            }
        }
        // Pixel i lies at i (G - 1) / (S - 1); in whole numbers, so that no grid point is missed by a rounding.
        let steps = (size - 1).max(1);
        let axis = (0..size).map(|i| {
            let (low, rest) = (i * (grid - 1) / steps, i * (grid - 1) % steps);
            let high_weight = rest as f32 / steps as f32;
            Between { low, high: (low + 1).min(grid - 1), low_weight: 1.0 - high_weight, high_weight }
        });
        Ok(Self { grid, size, axis: axis.collect() })
    }

    /// Points a side of a grid.
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// Pixels a side of a map.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The map `[S, S]` of one image's grids `[n, G, G]` of logits: values between 0 and the number of grids.
    ///
    /// # Errors
    /// As [`Self::map_of`].
    pub fn map(&self, grids: &[f32], map: &mut [f32]) -> Result<(), Error> {
        self.map_of(Link::Sigmoid, grids, map)
    }

    /// The map `[S, S]` of one image's grids `[n, G, G]` of a link.
    ///
    /// # Errors
    /// `grids` that are not whole grids, or none; `map` of another length than S x S.
    pub fn map_of(&self, link: Link, grids: &[f32], map: &mut [f32]) -> Result<(), Error> {
        let (points, pixels) = (self.grid * self.grid, self.size * self.size);
        if grids.is_empty() {
            return Err(Error::Empty { what: "taps" });
        }
        if !grids.len().is_multiple_of(points) {
            let expected = grids.len().next_multiple_of(points);
            return Err(Error::Length { what: "grid values", found: grids.len(), expected, why: "grids are whole" });
        }
        if map.len() != pixels {
            let why = "a map has the upsampler's size";
            return Err(Error::Length { what: "map values", found: map.len(), expected: pixels, why });
        }
        map.fill(0.0);
        let mut rows = vec![0.0; self.grid * self.size];
        for tap in grids.chunks_exact(points) {
            self.stretch_rows(tap, &mut rows);
            match link {
                Link::Sigmoid => self.add(&rows, map, sigmoid),
                Link::Identity => self.add(&rows, map, |value| value),
            }
        }
        Ok(())
    }

    /// Adds the link of a grid `[G, S]`, stretched to `[S, S]`, to a map.
    #[inline(always)]
    fn add(&self, rows: &[f32], map: &mut [f32], link: impl Fn(f32) -> f32) {
        for (pixels, at) in map.chunks_exact_mut(self.size).zip(&self.axis) {
            let low = &rows[at.low * self.size..][..self.size];
            let high = &rows[at.high * self.size..][..self.size];
            for ((pixel, low), high) in pixels.iter_mut().zip(low).zip(high) {
                *pixel += link(at.low_weight * low + at.high_weight * high);
            }
        }
    }

    /// A grid `[G, G]` to `[G, S]`.
    fn stretch_rows(&self, grid: &[f32], rows: &mut [f32]) {
        for (points, row) in grid.chunks_exact(self.grid).zip(rows.chunks_exact_mut(self.size)) {
            for (value, at) in row.iter_mut().zip(&self.axis) {
                *value = at.low_weight * points[at.low] + at.high_weight * points[at.high];
            }
        }
    }
}

/// Maps made from grids when they are read, so that a test set's maps never exist at once: grids are about fifty times
/// smaller.
#[derive(Clone, Debug)]
pub struct GridMaps<'a> {
    grids: &'a [f32],
    link: Link,
    /// Values of one image: taps x G x G.
    values: usize,
    /// Values from one image to the next, and those of an image that stand before its own.
    stride: usize,
    before: usize,
    upsampler: Upsampler,
}

impl<'a> GridMaps<'a> {
    /// Maps of `size` pixels a side from grids `[N, taps, G, G]` of d = s_ab - s_n.
    ///
    /// # Errors
    /// As [`Self::of_part`].
    pub fn new(grids: &'a [f32], taps: usize, grid: usize, size: usize) -> Result<Self, Error> {
        Self::of_part(Part { link: Link::Sigmoid, grids: taps }, grids, grid, size)
    }

    /// Maps of `size` pixels a side from the grids `[N, n, G, G]` of a part.
    ///
    /// # Errors
    /// No grid; a side of 0; grids that are not whole images.
    pub fn of_part(part: Part, grids: &'a [f32], grid: usize, size: usize) -> Result<Self, Error> {
        Self::of_part_among(part, part.grids, 0, grids, grid, size)
    }

    /// The same where an image has `all` grids, of which `before` stand before those of the part.
    ///
    /// # Errors
    /// As [`Self::of_part`].
    pub(crate) fn of_part_among(
        part: Part,
        all: usize,
        before: usize,
        grids: &'a [f32],
        grid: usize,
        size: usize,
    ) -> Result<Self, Error> {
        let Part { link, grids: taps } = part;
        let upsampler = Upsampler::new(grid, size)?;
        let largest = usize::from(u16::MAX);
        if taps == 0 || taps > largest {
            return Err(Error::Size { what: "the number of taps", found: taps, largest });
        }
        let area = grid * grid;
        let (values, stride, before) = (taps * area, all * area, before * area);
        if !grids.len().is_multiple_of(stride) {
            let (found, expected) = (grids.len(), grids.len().next_multiple_of(stride));
            let why = "every image has taps x G x G of them";
            return Err(Error::Length { what: "grid values", found, expected, why });
        }
        Ok(Self { grids, link, values, stride, before, upsampler })
    }
}

impl MapSource for GridMaps<'_> {
    fn images(&self) -> usize {
        self.grids.len() / self.stride
    }

    fn pixels(&self) -> usize {
        self.upsampler.size * self.upsampler.size
    }

    fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error> {
        self.upsampler.map_of(self.link, &self.grids[image * self.stride + self.before..][..self.values], map)
    }
}
