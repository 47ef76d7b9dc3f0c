//! The descriptions of records: `training.toml` and `evaluation.toml`.

use std::path::Path;

use harness_experiment::{EpochRange, Evaluation, Training};
use harness_method::{Combine, Layout, Link, Part};
use serde::{Deserialize, Serialize};

use crate::format::Stored;

/// What a record took. Nothing here is part of an id or of a reproducible table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds in the encoder; 0 where all taps were stored already. Without `load_secs`, as older records are, loading
    /// the encoder's weights is in it.
    pub encode_secs: f64,
    /// Images that went through the encoder.
    pub encoded: u64,
    /// Images whose windows went through the encoder, once for each side; their seconds are in `encode_secs`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub windowed: u64,
    /// Seconds of training steps or of scoring.
    pub compute_secs: f64,
    /// Seconds of the whole job.
    pub total_secs: f64,
    /// Peak memory of the worker process so far, in bytes, where the system or the backend says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Peak memory of the device so far, in bytes, where the backend says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory_bytes: Option<u64>,
    /// Images the encoder took at once, where it was fewer than usual for lack of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduced_encode_batch: Option<u64>,
    /// Seconds to load the backend, to open its device and to load weights into it, as far as this job did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_secs: Option<f64>,
    /// Images a second through the encoder, of the median batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode_rate: Option<f64>,
    /// Median of a training step's milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_p50_ms: Option<f64>,
    /// 95th percentile of a training step's milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_p95_ms: Option<f64>,
    /// Images a second that one state scores, of the median batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_rate: Option<f64>,
    /// The rate of matrix products in f32, in 10^9 operations a second, measured when the worker that did the job
    /// started: by its threads on the processor, by the backend on another device; only where backends are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gemm_gflops: Option<f64>,
    /// Seconds in which results of a device that compiles its kernels were computed again: see [`Check`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_secs: Option<f64>,
}

/// What of a record's numbers was computed again by another backend, and how far off it was. Of backends that don't
/// compile their kernels nothing is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The other backend, with its version.
    pub by: String,
    /// What was compared; all of it is within its tolerance.
    pub quantities: Vec<Quantity>,
}

/// One quantity of a [`Check`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Of what it is, such as the first step.
    pub of: String,
    /// Its name, such as `gradients`: the worst of them.
    pub name: String,
    /// Norm of the difference by the norm of what was expected.
    pub error: f64,
    /// The most that may be.
    pub tolerance: f64,
}

impl Check {
    /// By a backend, of nothing yet.
    pub fn new(by: String) -> Self {
        Self { by, quantities: Vec::new() }
    }
}

/// `training.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Of this file.
    pub format: u32,
    /// Version of the program that wrote it.
    pub harness: String,
    /// Epochs whose states were kept when it was written.
    pub kept: EpochRange,
    /// What it took.
    pub cost: Cost,
    /// What was computed again by another backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What was trained.
    pub training: Training,
}

/// `evaluation.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Of this file.
    pub format: u32,
    /// Version of the program that wrote it.
    pub harness: String,
    /// Side of images and maps, S, in pixels.
    pub image_size: usize,
    /// Grids of an image: one a tap for MadCLIP; 0 where there are no maps.
    pub taps: usize,
    /// What makes them a map.
    #[serde(default = "sigmoid", skip_serializing_if = "is_sigmoid")]
    pub link: Link,
    /// The second part of a map, the last of the grids, where it has two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few: Option<SecondPart>,
    /// Side of a grid, G.
    pub grid: usize,
    /// Version of the layout of `grids.f32`, which has no head of its own.
    #[serde(default = "one")]
    pub grids_format: u32,
    /// Epochs whose states were scored, ascending: the rows of `scores.parquet` and the blocks of `grids.f32`.
    pub epochs: Vec<u32>,
    /// What it took.
    pub cost: Cost,
    /// What was computed again by another backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What was evaluated.
    pub evaluation: Evaluation,
}

/// The second part of maps, and how the two are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondPart {
    /// Its grids.
    pub grids: usize,
    /// What makes them a map.
    pub link: Link,
    /// How the maps of both parts become one.
    pub rule: Combine,
}

impl SecondPart {
    /// Of maps that have one.
    pub fn of(layout: Layout) -> Option<Self> {
        match layout {
            Layout::One(_) => None,
            Layout::Joined { few: Part { grids, link }, rule, .. } => Some(Self { grids, link, rule }),
        }
    }
}

fn one() -> u32 {
    1
}

fn sigmoid() -> Link {
    Link::Sigmoid
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_sigmoid(link: &Link) -> bool {
    *link == Link::Sigmoid
}

impl TrainingRecord {
    /// The record of a training that is done.
    pub fn new(training: Training, kept: EpochRange, cost: Cost) -> Self {
        let harness = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: Self::FORMAT, harness, kept, cost, check: None, training }
    }
}

impl Stored for TrainingRecord {
    const FORMAT: u32 = 1;

    fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>> {
        match format {
            1 => Some(toml::from_str(text)),
            _ => None,
        }
    }
}

impl Stored for EvaluationRecord {
    const FORMAT: u32 = 1;

    fn parse(format: u32, text: &str) -> Option<Result<Self, toml::de::Error>> {
        match format {
            1 => Some(toml::from_str(text)),
            _ => None,
        }
    }
}

impl EvaluationRecord {
    /// The layout of `grids.f32` that is written.
    pub const GRIDS_FORMAT: u32 = 1;

    /// What its maps are made of.
    pub fn layout(&self) -> Layout {
        let Some(SecondPart { grids, link, rule }) = self.few else {
            return Layout::One(Part { link: self.link, grids: self.taps });
        };
        let zero = Part { link: self.link, grids: self.taps.saturating_sub(grids) };
        Layout::Joined { zero, few: Part { link, grids }, rule }
    }

    /// Values of one epoch in `grids.f32`, which holds f32 `[epochs, N, taps, G, G]`, little-endian.
    pub fn grid_values(&self) -> usize {
        usize::try_from(self.evaluation.test_images).unwrap_or(usize::MAX) * self.taps * self.grid * self.grid
    }
}

/// The file, in a training's folder, of its state after an epoch.
pub fn state_file(training: &Path, epoch: u32) -> std::path::PathBuf {
    training.join("states").join(format!("{epoch:04}.safetensors"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_cost_of_an_older_record_reads_and_has_no_rate() {
        let older = "encode_secs = 1.5\nencoded = 32\ncompute_secs = 2.0\ntotal_secs = 4.0\n";
        let cost: Cost = toml::from_str(older).unwrap();
        assert_eq!(cost, Cost { encode_secs: 1.5, encoded: 32, compute_secs: 2.0, total_secs: 4.0, ..Cost::default() });
        let full = Cost { load_secs: Some(0.5), encode_rate: Some(20.0), step_p95_ms: Some(3.0), ..cost };
        assert_eq!(toml::from_str::<Cost>(&toml::to_string(&full).unwrap()).unwrap(), full);
    }
}
