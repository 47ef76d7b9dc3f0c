//! The rows of results that others published.

use harness_method::{ImageScore, Selection};
use harness_metrics::Metric;

use crate::names::Stated;
use crate::row;

row! {
    /// One published number.
    PublishedRow is "published" {
        /// Name of the method.
        method: String,
        /// Who ran it.
        run_by: String,
        /// Name of the dataset in tables of published results.
        dataset: String,
        /// Support images a class, K; 0 for none; absent where all normal training images were used.
        shots: Option<u32>,
        /// The metric (docs/method.md section 8).
        metric: Metric,
        /// The metric in percent, as published.
        percent: f64,
        /// `few-shot`, `zero-shot`, `full normal training`, `third-party` or `few-shot, normal images alone`.
        protocol: String,
        /// Rule that chose the epoch.
        selection: Stated<Selection>,
        /// The score that ranks images; for pixel metrics, the score that chose the epoch.
        image_score: Stated<ImageScore>,
        /// Where the number was published.
        source: String,
        /// What a reader should know of it.
        note: String,
    }
}
