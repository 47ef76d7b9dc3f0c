//! From logits and distances of both adapters to the scores of an image.

use harness_method::{Link, Part};
use harness_metrics::{GridMaps, MapSource};

use crate::error::Error;
use crate::scores::Scores;

/// From grids `[n, 4 * taps, G, G]` of logits and distances, those of the adapters of pixels and of images in turn: the
/// maps' two parts from the adapters of pixels; and from those of images the sum over taps of the mean probability of a
/// token, and the mean over pixels of the map of distances.
///
/// # Errors
/// Grids that are not whole images.
pub fn complete(grids: &[f32], taps: usize, grid: usize, image_size: usize) -> Result<Scores, Error> {
    let points = grid * grid;
    let (each, whole) = (taps * points, 4 * taps * points);
    if whole == 0 || !grids.len().is_multiple_of(whole) {
        let expected = grids.len().next_multiple_of(whole.max(1));
        return Err(Error::Length { what: "the heads' grids", found: grids.len(), expected });
    }
    let images = grids.len() / whole;
    let mut scores = Scores::default();
    let mut distances = Vec::with_capacity(images * each);
    for image in grids.chunks_exact(whole) {
        let [pixel_logits, image_logits, pixel_distances, image_distances] =
            [0, 1, 2, 3].map(|group| &image[group * each..][..each]);
        scores.grids.extend_from_slice(pixel_logits);
        scores.grids.extend_from_slice(pixel_distances);
        let mean = |tap: &[f32]| tap.iter().map(|&logit| sigmoid(logit)).sum::<f32>() / points as f32;
        scores.detection.push(image_logits.chunks_exact(points).map(mean).sum());
        distances.extend_from_slice(image_distances);
    }
    let maps = GridMaps::of_part(Part { link: Link::Identity, grids: taps }, &distances, grid, image_size)?;
    let mut map = vec![0.0; maps.pixels()];
    for image in 0..images {
        maps.read(image, &mut map)?;
        let sum: f64 = map.iter().map(|&pixel| f64::from(pixel)).sum();
        scores.few.push((sum / map.len() as f64) as f32);
    }
    Ok(scores)
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
