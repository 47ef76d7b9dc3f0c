//! The sizes of a CLIP, image and text tower together (docs/method.md section 1). Read from weights, or written in an
//! experiment that uses synthetic weights.

use serde::{Deserialize, Serialize};

/// Architecture of a CLIP. All sizes in elements; `image_size` is the position table's own, in pixels a side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arch {
    /// Side of the image the position table was made for.
    pub image_size: usize,
    /// Side of a patch, p.
    pub patch: usize,
    /// Width of the image tower, W.
    pub width: usize,
    /// Blocks of the image tower.
    pub layers: usize,
    /// Attention heads of the image tower.
    pub heads: usize,
    /// Width of the joint embedding, E.
    pub embed: usize,
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// Tokens in a sentence, padding included.
    pub context: usize,
    /// Width of the text tower, Wt.
    pub text_width: usize,
    /// Blocks of the text tower.
    pub text_layers: usize,
    /// Attention heads of the text tower.
    pub text_heads: usize,
}

impl Arch {
    /// Patches a side at another image size: whole division, the right and bottom rest is unused.
    pub fn grid(&self, image_size: usize) -> usize {
        image_size / self.patch
    }

    /// Tokens of an image, class token included.
    pub fn tokens(&self, image_size: usize) -> usize {
        1 + self.grid(image_size).pow(2)
    }
}
