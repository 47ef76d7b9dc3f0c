//! Where maps come from: a reader of one map at a time, and the reader of maps that are in memory.

use rayon::prelude::*;

use crate::error::Error;

/// The maps of a test set, read one at a time, in any order, by several threads and more than once: pixel metrics make
/// up to two passes. Every reading of a map must give the same values.
pub trait MapSource: Sync {
    /// How many maps there are: one an image, in test order.
    fn images(&self) -> usize;

    /// Pixels of a map, the same for all.
    fn pixels(&self) -> usize;

    /// Writes the map of an image, row-major, higher for more abnormal. `map` has [`Self::pixels`] values and may hold
    /// anything before.
    ///
    /// # Errors
    /// [`Error::Read`] where the source fails. Values that are not finite are found by the reader.
    fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error>;
}

/// Maps in memory, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    values: &'a [f32],
    pixels: usize,
}

impl<'a> Maps<'a> {
    /// Maps `[N, H, W]` of `pixels` = H x W values each.
    ///
    /// # Errors
    /// Maps without pixels; values that are not whole maps.
    pub fn new(values: &'a [f32], pixels: usize) -> Result<Self, Error> {
        if pixels == 0 {
            return Err(Error::Size { what: "the number of a map's pixels", found: 0, largest: u32::MAX as usize });
        }
        if !values.len().is_multiple_of(pixels) {
            let expected = values.len().next_multiple_of(pixels);
            return Err(Error::Length { what: "map values", found: values.len(), expected, why: "maps are whole" });
        }
        Ok(Self { values, pixels })
    }
}

impl MapSource for Maps<'_> {
    fn images(&self) -> usize {
        self.values.len() / self.pixels
    }

    fn pixels(&self) -> usize {
        self.pixels
    }

    fn read(&self, image: usize, map: &mut [f32]) -> Result<(), Error> {
        map.copy_from_slice(&self.values[image * self.pixels..][..self.pixels]);
        Ok(())
    }
}

/// The largest value of every map: the image scores `map-max` (docs/method.md section 8).
///
/// # Errors
/// No map, a map that can't be read, a value that is not finite (the first such image is named).
pub fn map_maxima<S: MapSource + ?Sized>(maps: &S) -> Result<Vec<f32>, Error> {
    if maps.images() == 0 {
        return Err(Error::Empty { what: "maps" });
    }
    let maximum = |map: &mut Vec<f32>, image| {
        read_finite(maps, image, map)?;
        // Eight at a time, as one running maximum is a chain of dependent comparisons.
        let mut largest = [f32::NEG_INFINITY; 8];
        let chunks = map.chunks_exact(8);
        let rest = chunks.remainder().iter().copied();
        for chunk in chunks {
            for (best, &value) in largest.iter_mut().zip(chunk) {
                *best = if value > *best { value } else { *best };
            }
        }
        Ok(largest.into_iter().chain(rest).fold(f32::NEG_INFINITY, f32::max))
    };
    let maxima: Vec<Result<f32, Error>> =
        (0..maps.images()).into_par_iter().map_init(|| vec![0.0; maps.pixels()], maximum).collect();
    maxima.into_iter().collect()
}

/// Reads a map and refuses values that are not finite.
pub(crate) fn read_finite<S: MapSource + ?Sized>(maps: &S, image: usize, map: &mut [f32]) -> Result<(), Error> {
    maps.read(image, map)?;
    // Without an early exit this vectorises; the search is for the message alone.
    if map.iter().fold(true, |finite, value| finite & value.is_finite()) {
        return Ok(());
    }
    let pixel = map.iter().position(|value| !value.is_finite()).unwrap_or(0);
    Err(Error::Pixel { image, pixel, value: map[pixel] })
}
