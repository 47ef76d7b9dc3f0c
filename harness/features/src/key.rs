//! Keys: a hash of everything that decides an image's taps and of nothing else. No path, date, dataset, draw or seed
//! enters, so that images with the same pixels and encoder share taps.

use std::fmt;

use harness_method::options::{Activation, Normalize};
use harness_method::{Backend, StorePrecision};

/// Name and version of what is hashed: a change of the method's encoding or of this file's rule changes it.
const DOMAIN: &[u8] = b"harness taps, key version 1";

/// Identifies the taps of one image under one encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// All that decides taps, except the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingKey {
    /// Statistics taken off an image just before the encoder.
    pub normalize: Normalize,
    /// Hash of the encoder's weights: of the file, or of the recipe of synthetic ones.
    pub weights_hash: [u8; 32],
    /// Attention heads of the image tower. Every other size follows from the weights.
    pub heads: usize,
    /// Side of the image, S, in pixels.
    pub image_size: usize,
    /// Activation inside the tower.
    pub activation: Activation,
    /// Blocks whose outputs are kept, counted from 1, in stored order.
    pub taps: Vec<usize>,
    /// Precision the encoder runs in (`f32`, `tf32`, `f16`, `bf16`).
    pub precision: String,
    /// What encodes.
    pub backend: Backend,
    /// Type the taps are stored in.
    pub store: StorePrecision,
    /// Side, in patches, of the windows that are stored in place of taps: their class tokens behind the last of `taps`,
    /// in the space of texts.
    pub windows: Option<usize>,
}

impl EncodingKey {
    /// Key of an image of u8 pixels, [3, S, S], resized and neither augmented nor normalised.
    pub fn of_pixels(&self, pixels: &[u8]) -> Key {
        let mut fields = self.fields();
        fields.bytes("pixels u8", pixels);
        fields.finish()
    }

    /// Key of an image of f32 pixels in 0..1, [3, S, S], resized and augmented but not normalised. An image has another
    /// key as f32 than as u8, also where the values are the same: use one of the two throughout a kind of image.
    pub fn of_f32_pixels(&self, pixels: &[f32]) -> Key {
        let mut fields = self.fields();
        fields.bytes("pixels f32", bytemuck::cast_slice(pixels));
        fields.finish()
    }

    fn fields(&self) -> Fields {
        let mut fields = Fields(blake3::Hasher::new());
        fields.bytes("domain", DOMAIN);
        fields.bytes("normalize", normalize_name(self.normalize).as_bytes());
        fields.bytes("weights", &self.weights_hash);
        fields.number("heads", self.heads);
        fields.number("image_size", self.image_size);
        fields.bytes("activation", activation_name(self.activation).as_bytes());
        fields.number("taps", self.taps.len());
        self.taps.iter().for_each(|&tap| fields.number("tap", tap));
        fields.bytes("precision", self.precision.as_bytes());
        fields.bytes("backend.name", self.backend.name.as_bytes());
        fields.bytes("backend.version", self.backend.version.as_bytes());
        fields.bytes("backend.device", self.backend.device.as_bytes());
        fields.bytes("store", self.store.name().as_bytes());
        // Only where there are any, so that taps keep the keys they had before.
        if let Some(side) = self.windows {
            fields.number("windows", side);
        }
        fields
    }
}

/// A hash over named fields, each name and value preceded by its length so that no two lists run together alike.
struct Fields(blake3::Hasher);

impl Fields {
    fn bytes(&mut self, name: &str, value: &[u8]) {
        for part in [name.as_bytes(), value] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    fn number(&mut self, name: &str, value: usize) {
        self.bytes(name, &(value as u64).to_le_bytes());
    }

    fn finish(self) -> Key {
        Key(*self.0.finalize().as_bytes())
    }
}

// Written out rather than derived: a renamed variant must not silently change every key.
fn normalize_name(normalize: Normalize) -> &'static str {
    match normalize {
        Normalize::None => "none",
        Normalize::Clip => "clip",
        Normalize::Imagenet => "imagenet",
    }
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding() -> EncodingKey {
        EncodingKey {
            normalize: Normalize::None,
            weights_hash: [7; 32],
            heads: 16,
            image_size: 2,
            activation: Activation::Gelu,
            taps: vec![6, 12],
            precision: "f32".into(),
            backend: Backend { name: "flex".into(), version: "0.21.0".into(), device: "cpu".into() },
            store: StorePrecision::F32,
            windows: None,
        }
    }

    #[test]
    fn every_field_decides_the_key() {
        let changes: [fn(&mut EncodingKey); 16] = [
            |_| (),
            |e| e.normalize = Normalize::Clip,
            |e| e.normalize = Normalize::Imagenet,
            |e| e.weights_hash[31] ^= 1,
            |e| e.heads = 8,
            |e| e.image_size = 3,
            |e| e.activation = Activation::QuickGelu,
            |e| e.taps = vec![12, 6],
            |e| e.taps = vec![6],
            |e| e.precision = "f16".into(),
            |e| e.backend.name = "libtorch".into(),
            |e| e.backend.version = "0.21.1".into(),
            |e| e.backend.device = "cuda".into(),
            |e| e.store = StorePrecision::F16,
            |e| e.windows = Some(2),
            |e| e.windows = Some(3),
        ];
        let mut keys = std::collections::BTreeSet::new();
        for change in changes {
            let mut changed = encoding();
            change(&mut changed);
            keys.insert(changed.of_pixels(&[1; 12]));
            keys.insert(changed.of_f32_pixels(&[0.5; 12]));
        }
        assert_eq!(keys.len(), 2 * changes.len());
    }

    #[test]
    fn neighbouring_fields_do_not_run_together() {
        let (mut a, mut b) = (encoding(), encoding());
        (a.backend.name, a.backend.version) = ("flex0".into(), ".21.0".into());
        (b.backend.name, b.backend.version) = ("flex".into(), "0.21.0".into());
        assert_ne!(a.of_pixels(&[]), b.of_pixels(&[]));
    }

    #[test]
    fn draws_that_share_pixels_share_keys() {
        let image: Vec<f32> = (0..12u8).map(|i| f32::from(i) / 11.0).collect();
        let first_draw = encoding().of_f32_pixels(&image);
        let second_draw = encoding().of_f32_pixels(&image.clone());
        assert_eq!(first_draw, second_draw);
        let mut other = image;
        other[11] = f32::from_bits(other[11].to_bits() - 1);
        assert_ne!(encoding().of_f32_pixels(&other), first_draw);
    }

    #[test]
    fn keys_stay_what_they_are_between_versions() {
        // A change here orphans every cache in the field: raise DOMAIN's version with it.
        let key = encoding().of_pixels(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).to_string();
        assert_eq!(key, "4b61fa2c03d5f3de5b164483c7478363bd8e0493ec6288164ebf59cbc19d32f9");
    }
}
