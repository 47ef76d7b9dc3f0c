//! The rows of what a run records: results, curves, scores.

use harness_method::{Draw, ImageScore, Selection, Shots};
use harness_metrics::Metric;

use crate::names::{Smoke, Status};
use crate::row;

row! {
    /// One number of one cell: `results.csv`, `results.parquet`. A cell that failed or was not run has one row, without
    /// metric and value.
    #[derive(Default)]
    ResultRow is "results" {
        /// Id of the cell.
        cell: String,
        /// Name of the experiment.
        experiment: String,
        /// Name of the variant.
        variant: String,
        /// Target dataset.
        dataset: String,
        /// Dataset the support images came from.
        trained_on: String,
        /// Support images of each class.
        shots: Shots,
        /// The support draw.
        draw: Draw,
        /// Seed of initial values, jitter and shuffles.
        seed: u64,
        /// Backend that computed.
        backend: String,
        /// Rule that chose the epoch.
        selection: Selection,
        /// Epoch the number was read at.
        epoch: Option<u32>,
        /// The image score; absent for pixel metrics that do not depend on it.
        image_score: Option<ImageScore>,
        /// The metric (docs/method.md section 8).
        metric: Option<Metric>,
        /// The metric, a fraction.
        value: Option<f64>,
        /// Test images behind it.
        n_images: Option<u64>,
        /// Hash of the support images and masks.
        support_hash: String,
        /// Hash of the weights.
        weights_hash: String,
        /// What became of the cell.
        status: Status,
        /// Seconds of training.
        train_secs: Option<f64>,
        /// Seconds of scoring.
        eval_secs: Option<f64>,
        /// Seconds of encoding.
        encode_secs: Option<f64>,
        /// Peak memory of the worker.
        peak_memory_bytes: Option<u64>,
        /// Id of the training.
        training: String,
        /// Id of the evaluation.
        evaluation: String,
        /// Device that computed.
        device: String,
        /// Precision of the encoder and of stored taps.
        precision: String,
        /// Support and test images were allowed to share a patient or an image.
        allow_overlap: bool,
        /// Why the cell failed; else empty.
        message: String,
        /// The training has one state alone, so every rule reports the same number.
        no_choice: bool,
        /// The method sees no support set, so K and draw decide nothing.
        no_support: bool,
        /// The cell is of a smoke test: its numbers mean nothing.
        smoke: Smoke,
    }
}

row! {
    /// One loss of one epoch of one training: `curve.parquet`. A row for each loss, so that a new loss needs no new
    /// column; their sum over an epoch is what is minimised.
    #[derive(Default)]
    CurveRow is "curve" {
        /// The epoch.
        epoch: u32,
        /// Steps of the epoch.
        steps: u32,
        /// Name of the loss (docs/method.md section 7).
        loss: String,
        /// Its mean over the epoch's batches, summed over taps.
        value: f64,
        /// Wall time of the epoch in seconds.
        secs: f64,
    }
}

row! {
    /// Scores of one test image after one epoch. Format 1 of `scores.parquet` has such rows; later ones have
    /// [`ImageScoreRow`]s.
    #[derive(Default)]
    ScoreRow is "scores" {
        /// The epoch.
        epoch: u32,
        /// Name of the image within its dataset.
        image: String,
        /// True for an abnormal image.
        label: bool,
        /// Largest value of the anomaly map; absent where the map is not defined.
        map_max: Option<f64>,
        /// Sum over taps of the aggregated abnormal probability of the det heads.
        detection: Option<f64>,
    }
}

impl ScoreRow {
    /// An image score, where it is defined.
    pub fn score(&self, score: ImageScore) -> Option<f64> {
        match score {
            ImageScore::MapMax => self.map_max,
            ImageScore::Detection => self.detection,
        }
    }

    fn score_mut(&mut self, score: ImageScore) -> &mut Option<f64> {
        match score {
            ImageScore::MapMax => &mut self.map_max,
            ImageScore::Detection => &mut self.detection,
        }
    }
}

row! {
    /// One score of one test image after one epoch: `scores.parquet`. A row for each score, so that a new one needs no
    /// new column.
    ImageScoreRow is "scores" {
        /// The epoch.
        epoch: u32,
        /// Name of the image within its dataset.
        image: String,
        /// True for an abnormal image.
        label: bool,
        /// Name of the image score; empty in the only row of an image that has none.
        image_score: String,
        /// The score; absent where the image has none.
        score: Option<f64>,
    }
}

impl ImageScoreRow {
    /// The rows of images, in their order.
    pub(crate) fn of(rows: &[ScoreRow]) -> Vec<Self> {
        let mut all = Vec::new();
        for row in rows {
            let one = |image_score: &str, score| Self {
                epoch: row.epoch,
                image: row.image.clone(),
                label: row.label,
                image_score: image_score.to_owned(),
                score,
            };
            let before = all.len();
            let has = |score: ImageScore| row.score(score).map(|value| one(score.name(), Some(value)));
            all.extend(ImageScore::ALL.into_iter().filter_map(has));
            if all.len() == before {
                all.push(one("", None));
            }
        }
        all
    }

    /// The images of rows: those of one image follow one another.
    pub(crate) fn together(rows: Vec<Self>) -> Vec<ScoreRow> {
        let mut all: Vec<ScoreRow> = Vec::new();
        for Self { epoch, image, label, image_score, score } in rows {
            let known = ImageScore::ALL.into_iter().find(|known| known.name() == image_score);
            if all.last().is_none_or(|row| (row.epoch, &row.image) != (epoch, &image)) {
                all.push(ScoreRow { epoch, image, label, ..ScoreRow::default() });
            }
            if let (Some(known), Some(row)) = (known, all.last_mut()) {
                *row.score_mut(known) = score;
            }
        }
        all
    }
}
