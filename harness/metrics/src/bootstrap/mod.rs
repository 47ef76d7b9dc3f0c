//! The bootstrap over test images, draws and seeds: how far a metric, or the difference of two variants, would move
//! with another test set and other trainings. Tests by formula are in `delong`, `wilcoxon` and `holm`.
//!
//! 1. A [`Resampling`] draws the images (or patients) of a test set with replacement within their class, 2,000 times,
//!    as a weight for each image. It depends on the test set's name, a seed and the labels alone, so every variant has
//!    the same images in resample `r`.
//! 2. [`Resampling::metrics`] takes the image scores of one evaluation and the
//!    [`PixelHistograms`](crate::PixelHistograms) of its maps and makes the [`Replicates`] of each metric. Nothing is
//!    sorted again: scores are ranked once and counted with weights.
//! 3. Replicates are what an evaluation stores. [`nested`] joins those of several draws and seeds, [`Replicates::mean`]
//!    those of several test sets; [`Replicates::interval`] belongs to a value in a table, [`Replicates::minus`] makes
//!    the paired [`Difference`] of two variants with its interval and p.
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
//! Measured with `cargo run --release -p harness-metrics --example coverage`: 2,000 simulated evaluations a setting,
//! 2,000 resamples each, so a share of 95 % is known to 0.5. How many per cent of the 95 % intervals held the truth:
//!
//! | setting | value | difference of two variants |
//! |---|---|---|
//! | `image_auroc`, 80 to 200 images, true values 0.80 to 0.98 | 94.7 to 96.9 | 94.2 to 95.3 |
//! | `image_ap`, the same | 93.8 to 95.5 | 92.2 to 94.5 |
//! | `image_f1_max`, the same | 90.6 to 92.9 | 95.8 to 97.4 |
//! | `pixel_auroc`, 100 and 200 maps, true values 0.73 and 0.89 | 93.4, 93.4 | 93.2, 93.2 |
//! | `pixel_ap`, true values 0.09 and 0.34 | 93.2, 94.3 | 92.0, 93.7 |
//! | `pixel_f1_max` | 93.7, 94.9 | 93.8, 94.6 |
//! | `pro_0_3` | 93.8, 93.8 | 93.2, 94.0 |
//! | `image_auroc`, 60 patients with 1 to 5 images each, by patient | 94.5 | |
//! | the same, wrongly by image | 81.1 | |
//! | `image_auroc`, one draw, 3 seeds | 98.0 | 99.0 |
//! | 2 draws of 2 seeds | 94.4 | 95.8 |
//! | 3 draws of 1 seed | 97.2 | 98.5 |
//! | 3 draws of 3 seeds | 95.7 | 96.4 |
//! | 5 draws of 2 seeds | 96.2 | 98.4 |
//!
//! Where two variants don't differ, p was below 0.05 in 5.1 to 6.0 % (`image_auroc`). So the intervals are what they
//! say within two points, but for values of `image_f1_max`: the largest value over thresholds is too high in any sample
//! (most misses lie below the interval), and for differences of AP on few images (92). Several trainings make intervals
//! cautious: what is special to a training on an image is in the variation of both.
//!
//! # Why these
//! - Values: bias-corrected and accelerated. In settings like these, percentile intervals held AUROCs of 0.95 and 0.98
//!   in 92.9 and 92.6 %, APs of 0.95 and 0.98 in 89.6 and 90.0 % and F1-max in 76 to 83 % (800 simulations). An
//!   acceleration from leaving out each image did no better than a sixth of the skewness of the replicates, which needs
//!   nothing but them.
//! - Differences: percentile. They are nearly symmetric, and correcting them lost 1 to 4 points in AUROC and AP.
//! - Trainings: drawing n of n draws and again n of n seeds held 89 to 99 %, one draw fewer and its seeds as they are
//!   93 to 99 % (500 simulations of 16 settings).

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
pub use nested::{Nesting, Repetition, nested};
pub use replicates::Replicates;
pub use resampling::Resampling;
