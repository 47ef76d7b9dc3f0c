//! The part of a benchmark that no backend computes: metrics of a batch's maps.

use std::time::Instant;

use harness_method::streams;
use harness_metrics::{GridMaps, ImageMetrics, PixelMetrics, PixelTruth, map_maxima};
use harness_worker::Workload;
use harness_worker::masks;

use crate::error::Error;

/// Grids and truth that metrics are computed of, one measurement after the other.
pub(super) struct Maps {
    grids: Vec<f32>,
    taps: usize,
    grid: usize,
    size: usize,
    labels: Vec<bool>,
    truth: PixelTruth,
}

impl Maps {
    /// As many maps as a workload has images, at least one of each class.
    pub(super) fn new(workload: &Workload) -> Result<Self, Error> {
        let (taps, size) = (workload.options.taps.len(), workload.options.image_size);
        let grid = workload.arch.grid(size);
        let labels: Vec<u8> = (0..workload.images.max(2)).map(|image| (image % 2) as u8).collect();
        let mut truth = PixelTruth::new(size, size)?;
        for mask in masks(&labels, size).chunks_exact(size * size) {
            truth.push(mask)?;
        }
        let grids = streams::uniform("bench.grids", 0, labels.len() * taps * grid * grid, 1.0);
        Ok(Self { grids, taps, grid, size, labels: labels.into_iter().map(|label| label == 1).collect(), truth })
    }

    /// Seconds for the image scores and all metrics.
    pub(super) fn time(&self) -> Result<f64, Error> {
        let start = Instant::now();
        let maps = GridMaps::new(&self.grids, self.taps, self.grid, self.size)?;
        ImageMetrics::compute(&self.labels, &map_maxima(&maps)?)?;
        PixelMetrics::compute(&self.truth, &maps)?;
        Ok(start.elapsed().as_secs_f64())
    }
}
