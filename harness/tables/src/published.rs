//! The rows of results that others published. What they are compared with is not known here.

use crate::row::row;

row! {
    /// One published number.
    PublishedRow is "published" {
        /// Name of the method.
        method: String,
        /// Who ran it.
        run_by: String,
        /// Name of the data set in tables of published results.
        dataset: String,
        /// Support images a class, K; 0 for none; absent where all normal training images were used.
        shots: Option<u32>,
        /// Name of the metric (docs/method.md section 8).
        metric: String,
        /// The metric in percent, as published.
        percent: f64,
        /// `few-shot`, `zero-shot`, `full normal training`, `third-party` or `few-shot, normal images alone`.
        protocol: String,
        /// Rule that chose the epoch, or `not stated`.
        selection: String,
        /// `map-max`, `detection` or `not stated`: what images are ranked by; of pixel metrics, what the epoch was chosen by.
        image_score: String,
        /// Where the number stands.
        source: String,
        /// What a reader should know of it.
        note: String,
    }
}
