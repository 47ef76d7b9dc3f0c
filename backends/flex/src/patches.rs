//! From an image's pixels to a tower's tokens: patches unfolded, multiplied, and put at their positions.

use rayon::prelude::*;

use crate::linear::{Layer, Then};

/// Makes tokens of an image.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    pub(crate) layer: &'a Layer,
    /// The class token at its position, `[W]`.
    pub(crate) class_row: &'a [f32],
    /// `[grid * grid, W]`.
    pub(crate) positions: &'a [f32],
    pub(crate) patch: usize,
    pub(crate) grid: usize,
    /// Side of an image, S.
    pub(crate) size: usize,
}

/// Images `[B, 3, S, S]` to tokens `[B, 1 + grid * grid, W]`, class token first, into `out`.
pub(crate) fn embed(images: &[f32], patches: Patches<'_>, out: &mut [f32]) {
    let Patches { layer, class_row, positions, size, .. } = patches;
    let width = class_row.len();
    out.par_chunks_mut(width + positions.len()).zip(images.par_chunks(3 * size * size)).for_each(|(out, image)| {
        let (class, tokens) = out.split_at_mut(width);
        class.copy_from_slice(class_row);
        layer.apply_here(&unfolded(image, patches), Then::Add(positions), tokens);
    });
}

/// The pixels of each patch next to each other, channel by channel and row by row.
fn unfolded(image: &[f32], Patches { patch, grid, size, .. }: Patches<'_>) -> Vec<f32> {
    let mut pixels = Vec::with_capacity(grid * grid * 3 * patch * patch);
    for (row, column) in (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column))) {
        for plane in image.chunks_exact(size * size) {
            for line in plane.chunks_exact(size).skip(row * patch).take(patch) {
                pixels.extend_from_slice(&line[column * patch..][..patch]);
            }
        }
    }
    pixels
}
