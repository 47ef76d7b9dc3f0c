//! How a training's images become taps: options of the image tower, keys of the tap store, shape of an image's taps.

use harness_backend_abi::host::ImageTowerOptions;
use harness_experiment::Training;
use harness_features::{EncodingKey, Shape};

use crate::error::Error;

/// All that decides an image's taps, in the forms that store and backend want.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    /// For the backend.
    pub(crate) tower: ImageTowerOptions,
    /// For the store.
    pub(crate) key: EncodingKey,
    /// Of one image's taps.
    pub(crate) shape: Shape,
}

impl Encoding {
    /// That of a training's support images, and of the images its states score.
    pub(crate) fn of(training: &Training) -> Result<Self, Error> {
        let (options, arch) = (training.options.encoding(), &training.arch);
        let precision = training.precision.of_numbers();
        let store = training.store;
        let tower = ImageTowerOptions {
            arch: json(arch)?,
            image_size: options.image_size,
            taps: options.taps.to_vec(),
            activation: json(&options.activation)?,
            normalize: json(&options.normalize)?,
            precision,
        };
        let backend = training.backend.clone();
        let key = EncodingKey {
            normalize: options.normalize,
            weights_hash: *training.weights.as_bytes(),
            heads: arch.heads,
            image_size: options.image_size,
            activation: options.activation,
            taps: options.taps.to_vec(),
            precision: precision.name().to_owned(),
            backend,
            store,
        };
        let shape = Shape::new(options.taps.len(), arch.tokens(options.image_size), arch.width, store)?;
        Ok(Self { tower, key, shape })
    }
}

/// A value as the backend wants it.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(unsendable)
}

/// Options that are no JSON.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn unsendable(error: serde_json::Error) -> Error {
    Error::internal(format!("options: {error}"))
}
