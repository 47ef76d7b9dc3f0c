//! The rows of what follows from many results: intervals, differences, tests, and the speeds of backends.

use harness_method::{Draw, ImageScore, Selection, Shots};
use harness_metrics::Metric;

use crate::row;

row! {
    /// A mean over draws and seeds with its interval: `tables/intervals.csv`, `.parquet`.
    IntervalRow is "intervals" {
        /// Name of the variant.
        variant: String,
        /// Dataset that was scored; empty: the mean over the datasets of the experiment.
        dataset: String,
        /// Dataset that was trained on; empty where `dataset` is.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch.
        selection: Selection,
        /// The image score; absent for pixel metrics that do not depend on it.
        image_score: Option<ImageScore>,
        /// The metric (docs/method.md section 8).
        metric: Metric,
        /// Mean over draws of the means over their seeds, a fraction.
        mean: f64,
        /// Lower end of the interval.
        low: f64,
        /// Upper end of the interval.
        high: f64,
        /// Level of the interval, 0.95.
        level: f64,
        /// Draws behind it.
        draws: u32,
        /// Trainings behind it, all draws and seeds; of each dataset, where there are several.
        count: u64,
    }
}

row! {
    /// A variant minus another (the base, or the best where that is not the base) on the same test images, draws and
    /// seeds: `tables/differences.csv`, `.parquet`.
    DifferenceRow is "differences" {
        /// Name of the variant.
        variant: String,
        /// Name of the variant it is compared with.
        base: String,
        /// Dataset that was scored; empty: the mean over the datasets of the experiment.
        dataset: String,
        /// Dataset that was trained on; empty where `dataset` is.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch.
        selection: Selection,
        /// The image score; absent for pixel metrics that do not depend on it.
        image_score: Option<ImageScore>,
        /// The metric.
        metric: Metric,
        /// The variant's mean minus that of `base`, a fraction.
        difference: f64,
        /// Lower end of the interval.
        low: f64,
        /// Upper end of the interval.
        high: f64,
        /// Level of the interval, 0.95.
        level: f64,
        /// Two-sided, of no difference, by the nested bootstrap.
        p: f64,
        /// The same after Holm's correction for all variants compared with `base` on this metric under the same
        /// conditions.
        p_holm: f64,
        /// Pairs of trainings behind it.
        count: u64,
    }
}

row! {
    /// DeLong's test of one pair of trainings on the same test set: `tables/delong.csv`, `.parquet`.
    #[derive(Default)]
    DeLongRow is "delong" {
        /// Name of the variant.
        variant: String,
        /// Name of the variant it is compared with.
        base: String,
        /// Dataset that was scored.
        dataset: String,
        /// Dataset that was trained on.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// The support draw.
        draw: Draw,
        /// Seed of both trainings.
        seed: u64,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch.
        selection: Selection,
        /// The image score.
        image_score: Option<ImageScore>,
        /// The variant's image AUROC.
        auroc: f64,
        /// The base's.
        base_auroc: f64,
        /// Two-sided p of no difference, 1 for equal AUROCs; absent where the difference has no variance, as between 0
        /// and 1.
        p: Option<f64>,
    }
}

row! {
    /// What a variant's method sees, what it gives and what it takes, at one K: `tables/methods.csv`, `.parquet`.
    #[derive(Default)]
    MethodRow is "methods" {
        /// Name of the variant.
        variant: String,
        /// Its method.
        method: String,
        /// What of a support set it learns from: `nothing`, `normal` or `both`.
        sees: String,
        /// States that a training has to choose from.
        states: u64,
        /// Whether a score depends on the other images of its test set.
        transductive: bool,
        /// Support images of each class.
        shots: Shots,
        /// Image AUROC by the paper's image score, the mean of the datasets' means.
        image_auroc: Option<f64>,
        /// Pixel AUROC, likewise over datasets with masks.
        pixel_auroc: Option<f64>,
        /// PRO up to 0.3, likewise.
        pro: Option<f64>,
        /// Datasets behind the means.
        datasets: u64,
        /// Trainings behind the means, each counted once.
        trainings: u64,
        /// Seconds of a training without encoding, the median of trainings.
        fit_secs: Option<f64>,
        /// Images a second that one state scores, their taps encoded, the median of records.
        score_rate: Option<f64>,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch; with one state there was nothing to choose.
        selection: Selection,
        /// The image score behind `image_auroc`, at whose epoch the others are; absent where datasets differ in it.
        image_score: Option<ImageScore>,
        /// Whether `image_auroc` is the best at this K, or compared with the best and not significantly worse.
        image_mark: String,
        /// The same of `pixel_auroc`.
        pixel_mark: String,
        /// The same of `pro`.
        pro_mark: String,
    }
}

row! {
    /// How well directions that know nothing part the classes of a dataset: `tables/controls.csv`, `.parquet`.
    #[derive(Default)]
    ControlRow is "controls" {
        /// Name of the variant.
        variant: String,
        /// Dataset that was scored.
        dataset: String,
        /// Backend that computed.
        backend: String,
        /// The image score.
        image_score: Option<ImageScore>,
        /// Median over directions of |AUROC - 0.5|, plus 0.5.
        level: f64,
        /// Directions behind it.
        directions: u64,
    }
}

row! {
    /// Speed, memory and results of one backend on the cells that all backends computed: `tables/backends.csv`,
    /// `.parquet`.
    #[derive(Default)]
    BackendRow is "backends" {
        /// Name of the backend.
        backend: String,
        /// Its version.
        version: String,
        /// Device that computed.
        device: String,
        /// Precision of the encoder and of stored taps.
        precision: String,
        /// Cells behind the row.
        cells: u64,
        /// Most seconds that a record needed to load backend and weights.
        load_secs: Option<f64>,
        /// Images a second through the encoder: of the median batch of a record, the median of records.
        encode_rate: Option<f64>,
        /// Median of a training step's milliseconds, the median of trainings.
        step_p50_ms: Option<f64>,
        /// 95th percentile of a training step's milliseconds, the median of trainings.
        step_p95_ms: Option<f64>,
        /// Images a second that one state scores, as `encode_rate`.
        score_rate: Option<f64>,
        /// Encoding's share of its device's rate of large f32 products, measured by the same worker; absent where a
        /// backend that doesn't use the processor doesn't report it.
        gemm_share: Option<f64>,
        /// Peak memory of the worker in bytes.
        host_bytes: Option<u64>,
        /// Peak memory of the device in bytes.
        device_bytes: Option<u64>,
        /// Mean image AUROC by the first image score.
        image_auroc: Option<f64>,
        /// Mean pixel AUROC.
        pixel_auroc: Option<f64>,
        /// Largest difference of a map's value from the reference backend's, over all test images, after the last epoch
        /// that both scored; absent for the reference.
        map_difference: Option<f64>,
        /// Largest difference of an image score from the reference backend's, likewise.
        score_difference: Option<f64>,
    }
}
