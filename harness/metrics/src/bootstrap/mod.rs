//! The bootstrap over test images, draws and seeds: how far a metric, or the difference of two variants, would move with
//! another test set and other trainings. Tests by formula are outside: `delong`, `wilcoxon`, `holm`.
//!
//! 1. A [`Resampling`] draws the images (or patients) of a test set with replacement within their class, 2,000 times, as a
//!    weight for each image. It depends on the test set's name, a seed and the labels alone, so every variant has the same
//!    images in resample `r`.
//! 2. [`Resampling::metrics`] takes the image scores of one evaluation and the [`PixelHistograms`](crate::PixelHistograms)
//!    of its maps and makes the [`Replicates`] of each metric. Nothing is sorted again: scores are ranked once and counted
//!    with weights.
//! 3. Replicates are what an evaluation stores. [`nested`] joins those of several draws and seeds, [`Replicates::mean`]
//!    those of several test sets; [`Replicates::interval`] belongs to a value in a table, [`Replicates::minus`] makes the
//!    paired [`Difference`] of two variants with its interval and p.
//!
//! ```
//! use harness_metrics::{Metric, Repetition, Resampling, nested};
//!
//! let labels = [false, false, false, true, true, true];
//! let resampling = Resampling::new("LggMri", 0, Resampling::RESAMPLES, &labels)?;
//! let base = resampling.metrics(&[0.1, 0.4, 0.2, 0.3, 0.8, 0.9], None)?;
//! let variant = resampling.metrics(&[0.1, 0.4, 0.2, 0.5, 0.8, 0.9], None)?;
//! let of = |metrics| nested("LggMri", 0, &[Repetition { draw: 0, seed: 0, replicates: metrics }]);
//! let (base, variant) = (of(&base[&Metric::ImageAuroc])?, of(&variant[&Metric::ImageAuroc])?);
//! let difference = variant.minus(&base)?;
//! assert!(difference.value > 0.1 && difference.interval(0.95)?.low == 0.0 && difference.p_value()? > 0.05);
//! # Ok::<(), harness_metrics::Error>(())
//! ```
//!
//! # How good the intervals are
//! COVERAGE
mod difference;
mod images;
mod interval;
mod metrics;
mod nested;
mod pairing;
mod pixels;
mod replicates;
mod resampling;

pub use difference::Difference;
pub use interval::Interval;
pub use nested::{Repetition, nested};
pub use replicates::Replicates;
pub use resampling::Resampling;
