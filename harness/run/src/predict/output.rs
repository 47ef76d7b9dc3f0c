//! The files of a prediction beside its table, maps from grids and pictures, and the table's rows.

use std::path::Path;

use harness_data::{Source, load_image};
use harness_disk::write_durable;
use harness_experiment::Training;
use harness_metrics::{MapSource, PredictedMaps, map_maxima};
use harness_tables::PredictionRow;

use super::images::InputImage;
use super::npy;
use crate::error::Error;

/// An image and its map, for a picture of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Name of the image.
    pub title: String,
    /// Its scores, for a line of their own.
    pub scores: String,
    /// Side S of image and map in pixels.
    pub side: usize,
    /// The width of the image over its height, before it was made square.
    pub aspect: f64,
    /// The image, S x S, three bytes a pixel: red, green, blue.
    pub image: Vec<u8>,
    /// The anomaly map, S x S.
    pub map: Vec<f32>,
    /// Values of the ends of the colour scale.
    pub scale: (f32, f32),
}

/// Draws a picture as a PNG file, or says why not.
pub type Draw<'a> = &'a dyn Fn(Picture) -> Result<Vec<u8>, String>;

/// The row of an image that can't be read.
pub(super) fn failed(image: &InputImage, message: &str) -> PredictionRow {
    PredictionRow { image: image.path.display().to_string(), message: message.to_owned(), ..PredictionRow::default() }
}

/// The rows of images that were scored, their maps and pictures written into `out`. `grids` is empty where there are no
/// maps.
pub(super) fn scored(
    training: &Training,
    images: &[InputImage],
    detection: &[f32],
    grids: &[f32],
    out: &Path,
    draw: Draw<'_>,
) -> Result<Vec<PredictionRow>, Error> {
    let mut rows: Vec<PredictionRow> = images
        .iter()
        .zip(detection)
        .map(|(image, detection)| PredictionRow {
            image: image.path.display().to_string(),
            detection: Some(f64::from(*detection)),
            ..PredictionRow::default()
        })
        .collect();
    if !grids.is_empty() {
        write_maps(training, images, grids, out, draw, &mut rows)?;
    }
    Ok(rows)
}

fn write_maps(
    training: &Training,
    images: &[InputImage],
    grids: &[f32],
    out: &Path,
    draw: Draw<'_>,
    rows: &mut [PredictionRow],
) -> Result<(), Error> {
    let size = training.options.image_size();
    let Some(layout) = training.options.maps(training.has_masks) else { return Ok(()) };
    let maps = PredictedMaps::new(layout, grids, training.arch.grid(size), size)?;
    let maxima = map_maxima(&maps)?;
    let mut map = vec![0.0; maps.pixels()];
    // One scale for all pictures, so that they can be compared.
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for image in 0..images.len() {
        maps.read(image, &mut map)?;
        low = map.iter().copied().fold(low, f32::min);
        high = map.iter().copied().fold(high, f32::max);
    }
    for (place, ((image, row), max)) in images.iter().zip(rows).zip(maxima).enumerate() {
        maps.read(place, &mut map)?;
        row.map_max = Some(f64::from(max));
        row.map = format!("maps/{}.npy", image.name);
        row.overlay = format!("overlays/{}.png", image.name);
        write_durable(&out.join(&row.map), &npy::square(size, &map))?;
        let picture = Picture {
            title: image.name.clone(),
            scores: format!("map max {max:.3}, detection {:.3}", row.detection.unwrap_or(f64::NAN)),
            side: size,
            aspect: {
                let (width, height) = Source::File(image.path.clone()).dimensions()?;
                f64::from(width) / f64::from(height.max(1))
            },
            image: interleaved(&load_image(&Source::File(image.path.clone()), size)?),
            map: std::mem::replace(&mut map, vec![0.0; maps.pixels()]),
            scale: (low, high),
        };
        write_durable(&out.join(&row.overlay), &draw(picture).map_err(|error| Error::Unusable { what: error })?)?;
    }
    Ok(())
}

/// `[3, S, S]` to `[S, S, 3]`.
fn interleaved(planar: &[u8]) -> Vec<u8> {
    let area = planar.len() / 3;
    (0..area).flat_map(|i| [planar[i], planar[area + i], planar[2 * area + i]]).collect()
}
