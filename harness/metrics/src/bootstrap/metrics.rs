//! All metrics of all resamples.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::pixels::LANES;
use super::replicates::Replicates;
use super::resampling::Resampling;
use super::{images, pixels};
use crate::all::MetricValues;
use crate::error::Error;
use crate::histograms::PixelHistograms;
use crate::metric::Metric;
use crate::ranked::Ranked;

impl Resampling {
    /// The image metrics of scores (f32 or f64, in test order) and, where histograms are given, the pixel metrics, over
    /// all resamples; on all threads of the current pool, with the same result on any number of them.
    ///
    /// # Errors
    /// As [`crate::auroc`]; histograms of another number of images; a resample without lesion pixels or without others.
    pub fn metrics<T: Copy + Into<f64> + Sync>(
        &self,
        scores: &[T],
        pixels: Option<&PixelHistograms>,
    ) -> Result<BTreeMap<Metric, Replicates>, Error> {
        let ranked = Ranked::new(self.labels(), scores)?;
        if let Some(pixels) = pixels.filter(|pixels| pixels.images() != self.images()) {
            let (found, expected) = (pixels.images(), self.images());
            return Err(Error::Length { what: "images of histograms", found, expected, why: "one for each label" });
        }
        let values = self.block(&ranked, pixels, |_| vec![1; self.images()], 1)?;
        let blocks: Vec<_> = (0..self.resamples().div_ceil(LANES))
            .into_par_iter()
            .map(|block| {
                let first = block * LANES;
                self.block(&ranked, pixels, |lane| self.weights(first + lane), LANES.min(self.resamples() - first))
            })
            .collect();
        let mut resamples = Vec::with_capacity(self.resamples());
        for block in blocks {
            resamples.extend(block?);
        }
        let pairing = self.pairing().0;
        let of_metric = |(metric, value)| {
            let replicates = resamples.iter().filter_map(|resample| resample.get(metric)).collect();
            (metric, Replicates { value, replicates, pairing })
        };
        Ok(values[0].iter().map(of_metric).collect())
    }

    fn block(
        &self,
        ranked: &Ranked,
        pixels: Option<&PixelHistograms>,
        weights: impl Fn(usize) -> Vec<u32>,
        lanes: usize,
    ) -> Result<Vec<MetricValues>, Error> {
        let mut image_metrics = Vec::with_capacity(lanes);
        let mut by_image = vec![[1; LANES]; if pixels.is_some() { self.images() } else { 0 }];
        for lane in 0..lanes {
            let weights = weights(lane);
            image_metrics.push(images::weighted(ranked, &weights));
            for (place, weight) in by_image.iter_mut().zip(weights) {
                place[lane] = weight;
            }
        }
        let pixels = pixels.map(|pixels| pixels::weighted(pixels, &by_image)).transpose()?;
        let of_lane = |(lane, image)| MetricValues { image, pixel: pixels.as_ref().map(|pixels| pixels[lane]) };
        Ok(image_metrics.into_iter().enumerate().map(of_lane).collect())
    }
}
