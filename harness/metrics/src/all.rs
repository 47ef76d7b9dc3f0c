//! All metrics together, by name.

use crate::error::Error;
use crate::maps::MapSource;
use crate::metric::Metric;
use crate::sweep::{ImageMetrics, PixelMetrics};
use crate::truth::PixelTruth;

/// Values of the metrics of one evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricValues {
    /// The metrics over images.
    pub image: ImageMetrics,
    /// The metrics over pixels; none for a dataset without masks.
    pub pixel: Option<PixelMetrics>,
}

impl MetricValues {
    /// The value of one metric, if it was computed.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.image.get(metric).or_else(|| self.pixel?.get(metric))
    }

    /// The computed metrics with their values, in the order of [`Metric::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Metric, f64)> + use<> {
        let values = *self;
        Metric::ALL.into_iter().filter_map(move |metric| Some((metric, values.get(metric)?)))
    }
}

/// All metrics of one evaluation: of image scores (f32 or f64; `labels` are true for abnormal images) and, where there
/// are masks, of maps.
///
/// # Errors
/// As [`crate::auroc`] and [`PixelMetrics::compute`]; maps of another number of images than there are labels.
pub fn all_metrics<T: Copy + Into<f64>>(
    labels: &[bool],
    scores: &[T],
    pixels: Option<(&PixelTruth, &dyn MapSource)>,
) -> Result<MetricValues, Error> {
    let image = ImageMetrics::compute(labels, scores)?;
    let pixel = match pixels {
        Some((_, maps)) if maps.images() != labels.len() => {
            let (found, expected) = (maps.images(), labels.len());
            return Err(Error::Length { what: "maps", found, expected, why: "one map for each label" });
        }
        Some((truth, maps)) => Some(PixelMetrics::compute(truth, maps)?),
        None => None,
    };
    Ok(MetricValues { image, pixel })
}
