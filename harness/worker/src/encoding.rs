//! How a training's images become taps and windows: options of the image tower, keys of the tap store, shape of what is
//! kept of an image.

use harness_backend_abi::host::ImageTowerOptions;
use harness_experiment::Training;
use harness_features::{EncodingKey, Shape, TapStore, TapWriter};
use harness_methods::work;

use crate::error::Error;

/// All that decides one kind of an image's vectors, in the forms that store and backend want: its taps, or its windows
/// of one side.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    /// For the backend.
    pub(crate) tower: ImageTowerOptions,
    /// For the store. Its `windows` tells the kind.
    pub(crate) key: EncodingKey,
    /// Of one image's taps; or of its windows, unit vectors in the space of texts, as if they were tokens of one tap.
    pub(crate) shape: Shape,
}

impl Encoding {
    /// The taps of a training's support images, and of the images its states score.
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
            windows: None,
        };
        let shape = Shape::new(options.taps.len(), arch.tokens(options.image_size), arch.width, store)?;
        Ok(Self { tower, key, shape })
    }

    /// Those of its windows, side by side; none for most methods.
    pub(crate) fn of_windows(training: &Training) -> Result<Vec<Self>, Error> {
        let (options, taps) = (training.options.encoding(), Self::of(training)?);
        let last = options.taps.last().copied();
        let of = |&side: &usize| {
            // They come out of the last tap's block, whatever else is tapped.
            let key = EncodingKey { windows: Some(side), taps: last.into_iter().collect(), ..taps.key.clone() };
            let count = work::window_count(&training.arch, options.image_size, side);
            let shape = Shape::new(1, count, training.arch.embed, training.store)?;
            Ok(Self { tower: taps.tower.clone(), key, shape })
        };
        options.windows.iter().map(of).collect()
    }

    /// Taps, then windows: all that a training asks of an image.
    pub(crate) fn all(training: &Training) -> Result<Vec<Self>, Error> {
        let mut all = vec![Self::of(training)?];
        all.extend(Self::of_windows(training)?);
        Ok(all)
    }
}

/// A writer for each of some encodings of `count` images; none at all where the store has no room for them. `label` is
/// for people; encoder and backend are added to it.
pub(crate) fn writers<'a>(
    store: &'a TapStore,
    encodings: &[Encoding],
    count: usize,
    label: &str,
) -> Result<Vec<TapWriter<'a>>, Error> {
    let shapes: Vec<Shape> = encodings.iter().map(|encoding| encoding.shape).collect();
    if !store.fits(count as u64, &shapes)? {
        return Ok(Vec::new());
    }
    let writer = |encoding: &Encoding| {
        let EncodingKey { windows, image_size, weights_hash, backend, .. } = &encoding.key;
        let windows = windows.map(|side| format!(", windows of {side} x {side}")).unwrap_or_default();
        let weights: String = weights_hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let label = format!("{label}{windows}, {image_size} px, weights {weights}, {}", backend.name);
        Ok(store.writer(encoding.shape, &label)?)
    };
    encodings.iter().map(writer).collect()
}

/// Completes what writers hold.
pub(crate) fn finish(writers: Vec<TapWriter<'_>>) -> Result<(), Error> {
    Ok(writers.into_iter().try_for_each(TapWriter::finish)?)
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
