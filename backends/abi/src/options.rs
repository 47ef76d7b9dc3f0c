//! What crosses as JSON: descriptions and options. An unknown key is refused, except in a description, where a newer
//! backend may say more. The method's tables (`options`, `arch`) stay JSON, so that this interface need not change with
//! them.

use harness_method::heads::Heads;
/// What a trainer computes.
pub use harness_method::heads::Model;
use harness_method::{Arch, Options, losses};
use serde::{Deserialize, Serialize};
use serde_json::{Error, Value, to_value};

/// A backend's description of itself: the JSON of `describe`. A plugin need not fill in `interface`, which stands in
/// its table, nor, in Rust, `capabilities`.
pub use harness_method::BackendInfo as Description;
/// Precision of an image tower; everything else is f32. `tf32` is an option of a session.
pub use harness_method::Precision;

use crate::table;

/// A group of functions that a backend may have or lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Load an image tower, encode images.
    ImageTower,
    /// Load a text tower, encode token vectors.
    TextTower,
    /// Create a trainer, hold support, step, read and write state, text, score.
    Trainer,
    /// Gradients of a step without the step: for parity tests.
    Gradients,
    /// Anomaly maps from scoring: for parity tests.
    Maps,
    /// Peak memory.
    Memory,
    /// The device's own rate of matrix products.
    Gemm,
    /// Trainers of heads, beside MadCLIP's.
    Heads,
    /// Windows of an image as sequences of their own.
    Windows,
    /// Distances of tokens to the nearest of a bank.
    Nearest,
    /// Adam's moments of a trainer, read and written: a training goes on where it was interrupted.
    Resume,
    /// Taps of images that stay on the device while many states score them.
    HeldTaps,
    /// No functions: kernels are compiled when they first run, some are chosen by their time, and both are kept for
    /// later processes. So a result may differ from one machine or run to the next, and the harness checks more.
    Compiles,
}

impl Capability {
    /// Every group of functions.
    pub const ALL: [Self; 12] = [
        Self::ImageTower,
        Self::TextTower,
        Self::Trainer,
        Self::Gradients,
        Self::Maps,
        Self::Memory,
        Self::Gemm,
        Self::Heads,
        Self::Windows,
        Self::Nearest,
        Self::Resume,
        Self::HeldTaps,
    ];

    /// The name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImageTower => "image_tower",
            Self::TextTower => "text_tower",
            Self::Trainer => "trainer",
            Self::Gradients => "gradients",
            Self::Maps => "maps",
            Self::Memory => "memory",
            Self::Gemm => "gemm",
            Self::Heads => "heads",
            Self::Windows => "windows",
            Self::Nearest => "nearest",
            Self::Resume => "resume",
            Self::HeldTaps => "held_taps",
            Self::Compiles => "compiles",
        }
    }

    /// The first function of the group that the table lacks.
    pub(crate) fn missing(self, table: &table::Table) -> Option<&'static str> {
        let functions: &[(&'static str, bool)] = match self {
            Self::ImageTower => &[
                ("image_tower_load", table.image_tower_load.is_some()),
                ("image_tower_encode", table.image_tower_encode.is_some()),
                ("image_tower_free", table.image_tower_free.is_some()),
            ],
            Self::TextTower => &[
                ("text_tower_load", table.text_tower_load.is_some()),
                ("text_tower_encode", table.text_tower_encode.is_some()),
                ("text_tower_free", table.text_tower_free.is_some()),
            ],
            Self::Trainer | Self::Heads => &[
                ("trainer_create", table.trainer_create.is_some()),
                ("trainer_append_support", table.trainer_append_support.is_some()),
                ("trainer_step", table.trainer_step.is_some()),
                ("trainer_read_state", table.trainer_read_state.is_some()),
                ("trainer_write_state", table.trainer_write_state.is_some()),
                ("trainer_text", table.trainer_text.is_some()),
                ("trainer_score", table.trainer_score.is_some()),
                ("trainer_free", table.trainer_free.is_some()),
            ],
            Self::Gradients => &[("trainer_gradients", table.trainer_gradients.is_some())],
            Self::Maps => &[("trainer_score", table.trainer_score.is_some())],
            Self::Memory => &[("memory", table.memory.is_some())],
            Self::Gemm => &[("gemm_rate", table.gemm_rate.is_some())],
            Self::Windows => &[("image_tower_encode_windows", table.image_tower_encode_windows.is_some())],
            Self::Nearest => &[("nearest", table.nearest.is_some())],
            Self::Resume => &[
                ("trainer_read_moments", table.trainer_read_moments.is_some()),
                ("trainer_write_moments", table.trainer_write_moments.is_some()),
            ],
            Self::HeldTaps => &[
                ("trainer_room", table.trainer_room.is_some()),
                ("trainer_hold_taps", table.trainer_hold_taps.is_some()),
                ("trainer_score_held", table.trainer_score_held.is_some()),
                ("trainer_release_taps", table.trainer_release_taps.is_some()),
            ],
            Self::Compiles => &[],
        };
        functions.iter().find(|(_, present)| !present).map(|(name, _)| *name)
    }
}

/// Options of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOptions {
    /// One of the description's devices.
    pub device: String,
    /// CPU threads; the backend's choice without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Whether products of f32 matrices may round their factors to TF32, in towers and trainers. Only backends whose
    /// description has it among the precisions know this key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tf32: bool,
}

impl SessionOptions {
    /// A session on this device with all else as the backend chooses.
    pub fn on(device: impl Into<String>) -> Self {
        Self { device: device.into(), threads: None, tf32: false }
    }
}

/// Options of an image tower (docs/method.md section 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTowerOptions {
    /// The method's `Arch`. Its `image_size` is the position table's own.
    pub arch: Value,
    /// Side of the images, S, in pixels. The backend resizes the position table where it differs.
    pub image_size: usize,
    /// Blocks whose outputs are wanted, counted from 1, ascending.
    pub taps: Vec<usize>,
    /// The method's `activation`.
    pub activation: Value,
    /// The method's `normalize`: the backend applies it to the images.
    pub normalize: Value,
    /// Precision inside the tower, not `tf32`; taps are f32 anyway.
    pub precision: Precision,
}

impl ImageTowerOptions {
    /// The tower of a model.
    ///
    /// # Errors
    /// The model can't be written as JSON.
    pub fn of_model(options: &Options, arch: &Arch, precision: Precision) -> Result<Self, Error> {
        Ok(Self {
            arch: to_value(arch)?,
            image_size: options.image_size,
            taps: options.taps.clone(),
            activation: to_value(options.activation)?,
            normalize: to_value(options.normalize)?,
            precision,
        })
    }
}

/// Options of a text tower (docs/method.md section 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTowerOptions {
    /// The method's `Arch`.
    pub arch: Value,
    /// The method's `activation`.
    pub activation: Value,
}

impl TextTowerOptions {
    /// The tower of a model.
    ///
    /// # Errors
    /// The model can't be written as JSON.
    pub fn of_model(options: &Options, arch: &Arch) -> Result<Self, Error> {
        Ok(Self { arch: to_value(arch)?, activation: to_value(options.activation)? })
    }
}

/// Options of a trainer (docs/method.md sections 2 to 7, docs/methods.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerOptions {
    /// What it computes; `heads` is asked only of a backend with that capability.
    #[serde(default, skip_serializing_if = "is_madclip")]
    pub model: Model,
    /// MadCLIP's `Options`, or the `Heads`.
    pub options: Value,
    /// The method's `Arch`.
    pub arch: Value,
    /// Whether support images come with masks.
    pub has_masks: bool,
    /// Adam's rate.
    pub learning_rate: f64,
    /// Names of the losses, in the order in which a step reports them; they follow from `options` and `has_masks`.
    /// Their sum is minimised.
    pub losses: Vec<String>,
}

impl TrainerOptions {
    /// The trainer of a model, with the losses that the method gives it.
    ///
    /// # Errors
    /// The model can't be written as JSON.
    pub fn of_model(options: &Options, arch: &Arch, has_masks: bool, learning_rate: f64) -> Result<Self, Error> {
        Ok(Self {
            model: Model::Madclip,
            options: to_value(options)?,
            arch: to_value(arch)?,
            has_masks,
            learning_rate,
            losses: losses::names(options, has_masks).iter().map(ToString::to_string).collect(),
        })
    }
    /// The trainer of heads.
    ///
    /// # Errors
    /// They can't be written as JSON.
    pub fn of_heads(heads: &Heads, arch: &Arch, has_masks: bool, learning_rate: f64) -> Result<Self, Error> {
        Ok(Self {
            model: Model::Heads,
            options: to_value(heads)?,
            arch: to_value(arch)?,
            has_masks,
            learning_rate,
            losses: heads.losses(has_masks).iter().map(ToString::to_string).collect(),
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_madclip(model: &Model) -> bool {
    *model == Model::Madclip
}
