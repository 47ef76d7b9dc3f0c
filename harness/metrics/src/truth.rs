//! The truth of pixel metrics: the lesions of a test set, packed.

use crate::components::regions;
use crate::error::Error;
use crate::maps::MapSource;

/// The masks of a test set, as runs of lesion pixels with the size of their region: 12 bytes a run, nothing for a
/// normal image. Built once and used for every epoch.
#[derive(Clone, Debug)]
pub struct PixelTruth {
    width: usize,
    pixels: usize,
    runs: Vec<LesionRun>,
    images: Vec<ImageTruth>,
    regions: u64,
    abnormal: u64,
}

/// Lesion pixels from `start` to before `end`, in a region of `region_size` pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LesionRun {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) region_size: u32,
}

#[derive(Clone, Copy, Debug)]
struct ImageTruth {
    runs_end: usize,
    abnormal: u32,
}

impl PixelTruth {
    /// The truth of no image yet; masks will have `height` rows of `width` pixels.
    ///
    /// # Errors
    /// A side of 0; masks of more than `u32::MAX` pixels.
    pub fn new(width: usize, height: usize) -> Result<Self, Error> {
        let largest = u32::MAX as usize;
        for (what, found) in [("the width of a mask", width), ("the height of a mask", height)] {
            if found == 0 || found > largest {
                return Err(Error::Size { what, found, largest });
            }
        }
        match width.checked_mul(height).filter(|pixels| *pixels <= largest) {
            Some(pixels) => Ok(Self { width, pixels, runs: Vec::new(), images: Vec::new(), regions: 0, abnormal: 0 }),
            None => {
                let found = width.saturating_mul(height);
                Err(Error::Size { what: "the number of a mask's pixels", found, largest })
            }
        }
    }

    /// Adds the mask of the next image, row-major; every value but 0 is lesion. A normal image has a mask of zeros.
    ///
    /// # Errors
    /// A mask of another size.
    pub fn push(&mut self, mask: &[u8]) -> Result<(), Error> {
        if mask.len() != self.pixels {
            let why = "all masks of a test set have one size";
            return Err(Error::Length { what: "mask pixels", found: mask.len(), expected: self.pixels, why });
        }
        let found = regions(mask, self.width)?;
        self.runs.extend(found.runs.iter().map(|run| LesionRun {
            start: run.start,
            end: run.end,
            region_size: found.sizes[run.region as usize],
        }));
        let abnormal = found.sizes.iter().sum();
        self.images.push(ImageTruth { runs_end: self.runs.len(), abnormal });
        self.regions += found.sizes.len() as u64;
        self.abnormal += u64::from(abnormal);
        Ok(())
    }

    /// Adds a normal image, which needs no mask.
    pub fn push_normal(&mut self) {
        self.images.push(ImageTruth { runs_end: self.runs.len(), abnormal: 0 });
    }

    /// How many images were added.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Pixels of a mask.
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// 8-connected lesions, over all images.
    pub fn regions(&self) -> u64 {
        self.regions
    }

    /// Lesion pixels, over all images.
    pub fn abnormal_pixels(&self) -> u64 {
        self.abnormal
    }

    /// Pixels of no lesion, over all images, those of normal images included.
    pub fn normal_pixels(&self) -> u64 {
        self.images.len() as u64 * self.pixels as u64 - self.abnormal
    }

    /// Lesion pixels of one image.
    pub(crate) fn abnormal_of(&self, image: usize) -> usize {
        self.images[image].abnormal as usize
    }

    /// The runs of one image, in order.
    pub(crate) fn runs_of(&self, image: usize) -> &[LesionRun] {
        let start = if image == 0 { 0 } else { self.images[image - 1].runs_end };
        &self.runs[start..self.images[image].runs_end]
    }

    /// The stretches of one map outside lesions.
    pub(crate) fn normal_stretches<'a>(&'a self, image: usize, map: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
        let runs = self.runs_of(image);
        let starts = std::iter::once(0).chain(runs.iter().map(|run| run.end as usize));
        let ends = runs.iter().map(|run| run.start as usize).chain(std::iter::once(map.len()));
        starts.zip(ends).map(|(start, end)| &map[start..end])
    }
}

/// Refuses maps of other images, or of another size, than the truth's.
pub(crate) fn check_sizes<S: MapSource + ?Sized>(truth: &PixelTruth, maps: &S) -> Result<(), Error> {
    if maps.images() != truth.images() {
        let (found, expected) = (maps.images(), truth.images());
        return Err(Error::Length { what: "maps", found, expected, why: "one map for each mask" });
    }
    if truth.images() == 0 {
        return Err(Error::Empty { what: "images" });
    }
    if maps.pixels() != truth.pixels() {
        let (found, expected) = (maps.pixels(), truth.pixels());
        return Err(Error::Length { what: "pixels a map", found, expected, why: "maps and masks have one size" });
    }
    Ok(())
}
