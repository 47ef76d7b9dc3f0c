//! The metrics of docs/method.md section 8 and the one definition of a map: plain slices and readers in, numbers out.
//! It knows no file format and no tensor type.
//!
//! - [`Metric`] names the metrics, [`all_metrics`] computes them.
//! - [`auroc`], [`average_precision`], [`f1_max`] and [`roc_curve`] are about images: labels and one score each.
//! - [`PixelMetrics`] and [`per_image_ap`] pool pixels. They read maps from a [`MapSource`], which may keep them in
//!   memory ([`Maps`]), make them from grids ([`GridMaps`]) or fetch them from a disk, and compare them with a
//!   [`PixelTruth`], which keeps lesions as runs of pixels.
//! - [`Upsampler`] makes a map from the grids of a score; [`map_maxima`] gives the image scores `map-max`.
//! - [`Summary`] is mean and deviation over repetitions; [`bootstrap`] has intervals and the p of differences,
//!   [`delong`] compares two AUROCs, [`wilcoxon`] variants over datasets, [`holm`] adjusts a family of p values.
//!
//! Metrics are exact and handle ties: no binning, no sampling of thresholds. Resampled pixel metrics come from
//! [`PixelHistograms`], with a small, documented error. No result depends on the number of threads.
//!
//! ```
//! use harness_metrics::{GridMaps, PixelTruth, all_metrics, map_maxima};
//!
//! // Two images of 4 x 4 pixels, one tap with a 2 x 2 grid each; the second has a lesion in its right column.
//! let grids = [-3.0, -3.0, -3.0, -3.0, -3.0, 2.0, -3.0, 2.0];
//! let maps = GridMaps::new(&grids, 1, 2, 4)?;
//! let mut truth = PixelTruth::new(4, 4)?;
//! truth.push(&[0; 16])?;
//! truth.push(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1])?;
//! let metrics = all_metrics(&[false, true], &map_maxima(&maps)?, Some((&truth, &maps)))?;
//! assert!(metrics.iter().all(|(_, value)| value == 1.0));
//! # Ok::<(), harness_metrics::Error>(())
//! ```

mod all;
mod bins;
pub mod bootstrap;
mod components;
mod delong;
mod error;
mod histograms;
mod holm;
mod image;
mod joined;
mod lesions;
mod maps;
mod metric;
mod normal;
mod order;
mod percentile;
mod pixel;
mod predicted;
mod ranked;
mod sigmoid;
mod statistics;
mod sweep;
mod truth;
mod upsample;
mod wilcoxon;

pub use all::{MetricValues, all_metrics};
pub use bootstrap::{Difference, Interval, Nesting, Repetition, Replicates, Resampling, nested};
pub use components::{Regions, Run, regions};
pub use delong::{DeLong, delong};
pub use error::Error;
pub use histograms::{HistogramParts, PixelHistograms, SparseCounts};
pub use holm::holm;
pub use image::{RocPoint, auroc, average_precision, f1_max, roc_curve};
pub use joined::{Extremes, Join, JoinedMaps};
pub use maps::{MapSource, Maps, map_maxima};
pub use metric::Metric;
pub use percentile::{median, percentile};
pub use pixel::per_image_ap;
pub use predicted::{PredictedMaps, joined_scores};
pub use sigmoid::sigmoid;
pub use statistics::Summary;
pub use sweep::{ImageMetrics, PixelMetrics};
pub use truth::PixelTruth;
pub use upsample::{GridMaps, Upsampler};
pub use wilcoxon::{Wilcoxon, smallest_wilcoxon_p, wilcoxon};
