//! 8-connected components of a mask, as runs of pixels.

use crate::error::Error;

/// Neighbouring lesion pixels of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the first pixel, row-major.
    pub start: u32,
    /// Index after the last pixel; in the same row.
    pub end: u32,
    /// The run's region, an index into [`Regions::sizes`].
    pub region: u32,
}

/// The 8-connected regions of a mask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// All lesion pixels, in row-major order.
    pub runs: Vec<Run>,
    /// Pixels of each region. Regions are numbered by their first pixel, row-major.
    pub sizes: Vec<u32>,
}

/// The 8-connected regions of a mask with rows of `width` pixels; every value but 0 is lesion.
///
/// # Errors
/// A width of 0 or one that does not divide the mask; a mask of more than `u32::MAX` pixels.
pub fn regions(mask: &[u8], width: usize) -> Result<Regions, Error> {
    if width == 0 || width > u32::MAX as usize {
        return Err(Error::Size { what: "the width of a mask", found: width, largest: u32::MAX as usize });
    }
    if mask.len() > u32::MAX as usize {
        return Err(Error::Size {
            what: "the number of a mask's pixels",
            found: mask.len(),
            largest: u32::MAX as usize,
        });
    }
    if !mask.len().is_multiple_of(width) {
        let (expected, why) = (mask.len().next_multiple_of(width), "a mask is made of whole rows");
        return Err(Error::Length { what: "mask pixels", found: mask.len(), expected, why });
    }
    let mut runs: Vec<Run> = Vec::new();
    let mut parents: Vec<u32> = Vec::new();
    let mut above = 0..0;
    for (row, pixels) in mask.chunks_exact(width).enumerate() {
        let first = runs.len();
        find_runs(pixels, (row * width) as u32, &mut runs);
        parents.extend(first as u32..runs.len() as u32);
        join_rows(&runs, above, first, width as u32, &mut parents);
        above = first..runs.len();
    }
    // A root is the first run of its region, so numbering roots in order numbers regions by their first pixel.
    let mut sizes = Vec::new();
    for i in 0..runs.len() {
        let root = root(&mut parents, i as u32);
        runs[i].region = if root as usize == i {
            sizes.push(0);
            sizes.len() as u32 - 1
        } else {
            runs[root as usize].region
        };
        sizes[runs[i].region as usize] += runs[i].end - runs[i].start;
    }
    Ok(Regions { runs, sizes })
}

/// Appends the runs of one row that starts at pixel index `base`.
fn find_runs(pixels: &[u8], base: u32, runs: &mut Vec<Run>) {
    let mut at = 0;
    while let Some(skipped) = pixels[at..].iter().position(|&pixel| pixel != 0) {
        let start = at + skipped;
        let end = pixels[start..].iter().position(|&pixel| pixel == 0).map_or(pixels.len(), |length| start + length);
        runs.push(Run { start: base + start as u32, end: base + end as u32, region: 0 });
        at = end;
    }
}

/// Joins the runs from `first` on with those of the row above that touch them, corners included.
fn join_rows(runs: &[Run], above: std::ops::Range<usize>, first: usize, width: u32, parents: &mut [u32]) {
    let (mut i, mut j) = (above.start, first);
    while i < above.end && j < runs.len() {
        // Shifted down by a row, the upper run covers these pixels.
        let (start, end) = (u64::from(runs[i].start) + u64::from(width), u64::from(runs[i].end) + u64::from(width));
        if start <= u64::from(runs[j].end) && u64::from(runs[j].start) <= end {
            let (a, b) = (root(parents, i as u32), root(parents, j as u32));
            parents[a.max(b) as usize] = a.min(b);
        }
        if end < u64::from(runs[j].end) {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// The first run of a run's set so far; halves the path on the way.
fn root(parents: &mut [u32], run: u32) -> u32 {
    let mut at = run as usize;
    while parents[at] as usize != at {
        parents[at] = parents[parents[at] as usize];
        at = parents[at] as usize;
    }
    at as u32
}
