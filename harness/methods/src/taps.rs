//! The taps of some images as methods read them, and what is known of their tokens.

use std::ops::Range;

use harness_config::named_enum;

use crate::error::Error;

named_enum! {
    /// Which of the taps a method uses.
    pub enum FromTaps {
        /// All.
        All = "all",
        /// The last.
        Last = "last",
        /// The two in the middle.
        Middle = "middle",
    }
}

impl FromTaps {
    /// Of so many taps, those that are used.
    pub fn used(self, count: usize) -> Range<usize> {
        match self {
            Self::All => 0..count,
            Self::Last => count.saturating_sub(1)..count,
            // Of an odd number the one in the middle and the one before it.
            Self::Middle => count.saturating_sub(2) / 2..(count.saturating_sub(2) / 2 + 2).min(count),
        }
    }
}

/// Taps of some images: for each tap `[images, tokens, width]`, the class token first.
#[derive(Clone, Debug)]
pub struct Taps<'a> {
    values: Vec<&'a [f32]>,
    images: usize,
    grid: usize,
    width: usize,
    /// Their windows by side, where they were encoded.
    windows: Vec<(usize, &'a [f32])>,
}

impl<'a> Taps<'a> {
    /// Taps of `images` images whose patches form a grid of `grid` a side, of a tower of this width.
    ///
    /// # Errors
    /// A tap of another length.
    pub fn new(values: Vec<&'a [f32]>, images: usize, grid: usize, width: usize) -> Result<Self, Error> {
        let expected = images * (1 + grid * grid) * width;
        match values.iter().find(|tap| tap.len() != expected) {
            Some(tap) => Err(Error::Length { what: "a tap", found: tap.len(), expected }),
            None => Ok(Self { values, images, grid, width, windows: Vec::new() }),
        }
    }

    /// The same with the images' windows: for each side `[images, (grid - side + 1)^2, embed]`, unit vectors in the
    /// space of texts.
    ///
    /// # Errors
    /// Windows of another length.
    pub fn with_windows(self, windows: Vec<(usize, &'a [f32])>, embed: usize) -> Result<Self, Error> {
        for (side, values) in &windows {
            let expected = self.images * (self.grid + 1).saturating_sub(*side).pow(2) * embed;
            if values.len() != expected {
                return Err(Error::Length { what: "windows", found: values.len(), expected });
            }
        }
        Ok(Self { windows, ..self })
    }

    /// The windows of so many patches a side.
    ///
    /// # Errors
    /// They were not encoded.
    pub fn windows(&self, side: usize) -> Result<&'a [f32], Error> {
        let found = self.windows.iter().find(|(known, _)| *known == side);
        found.map(|(_, values)| *values).ok_or(Error::Length { what: "windows", found: 0, expected: 1 })
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Points a side of a grid of patch tokens.
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// Patch tokens of an image.
    pub fn patches(&self) -> usize {
        self.grid * self.grid
    }

    /// Values of a token.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many taps there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The last of them.
    ///
    /// # Errors
    /// No tap at all.
    pub fn last(&self) -> Result<&'a [f32], Error> {
        self.values.last().copied().ok_or(Error::Length { what: "taps", found: 0, expected: 1 })
    }

    /// Each tap.
    pub fn each(&self) -> impl Iterator<Item = &'a [f32]> + '_ {
        self.values.iter().copied()
    }

    /// The class tokens `[images, width]` of a tap.
    pub fn class_tokens(&self, tap: &[f32]) -> Vec<f32> {
        tap.chunks_exact((1 + self.patches()) * self.width).flat_map(|image| &image[..self.width]).copied().collect()
    }

    /// The patch tokens `[images, patches, width]` of a tap.
    pub fn patch_tokens(&self, tap: &[f32]) -> Vec<f32> {
        tap.chunks_exact((1 + self.patches()) * self.width).flat_map(|image| &image[self.width..]).copied().collect()
    }
}

/// The share of lesion pixels in each whole patch, `[images, patches]`, of masks `[images, side, side]` of 0 and 1.
/// Pixels beyond the last whole patch are left out.
///
/// # Errors
/// Masks that are not whole.
pub fn lesion_shares(masks: &[u8], side: usize, patch: usize) -> Result<Vec<f32>, Error> {
    let pixels = side * side;
    if pixels == 0 || patch == 0 || !masks.len().is_multiple_of(pixels) {
        let expected = masks.len().next_multiple_of(pixels.max(1));
        return Err(Error::Length { what: "masks", found: masks.len(), expected });
    }
    let grid = side / patch;
    let mut shares = Vec::with_capacity(masks.len() / pixels * grid * grid);
    for mask in masks.chunks_exact(pixels) {
        for (row, column) in (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column))) {
            let lines = mask[row * patch * side..].chunks(side).take(patch);
            let lesion: usize =
                lines.flat_map(|line| &line[column * patch..][..patch]).filter(|&&pixel| pixel > 0).count();
            shares.push(lesion as f32 / (patch * patch) as f32);
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_taps_in_the_middle_are_two_where_there_are_two() {
        let used = [0, 1, 2, 3, 4, 5].map(|count| FromTaps::Middle.used(count));
        assert_eq!(used, [0..0, 0..1, 0..2, 0..2, 1..3, 1..3]);
        assert_eq!((FromTaps::Last.used(0), FromTaps::Last.used(4)), (0..0, 3..4));
    }

    #[test]
    fn shares_count_the_lesion_of_whole_patches_alone() {
        let mut mask = vec![0; 25];
        // Two of four pixels of the first patch, all of the last whole one, and the rest beyond it.
        for pixel in [0, 6, 12, 13, 17, 18, 4, 24] {
            mask[pixel] = 1;
        }
        assert_eq!(lesion_shares(&mask, 5, 2).unwrap(), [0.5, 0.0, 0.0, 1.0]);
        assert!(lesion_shares(&mask, 4, 2).is_err());
    }

    #[test]
    fn class_and_patch_tokens_are_told_apart() {
        let tap: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let taps = Taps::new(vec![&tap], 2, 2, 2).unwrap();
        assert_eq!(taps.class_tokens(&tap), [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(taps.patch_tokens(&tap)[..4], [2.0, 3.0, 4.0, 5.0]);
        assert_eq!(taps.patch_tokens(&tap).len(), 16);
        assert!(Taps::new(vec![&tap], 2, 2, 3).is_err());
    }
}
