//! The sizes of a CLIP, image and text tower together (docs/method.md section 1). Read from weights, or written in an
//! experiment that uses synthetic weights.

use harness_config::{Describe, Key, Spanned, Table};
use serde::{Deserialize, Serialize};

/// Largest side of an image, in pixels. Far above what CLIPs see; keeps token counts in range.
pub const MAX_IMAGE: usize = 4096;

macro_rules! sizes {
    ($($(#[doc = $doc:literal])+ $size:ident: $largest:expr, $example:literal;)+) => {
        /// Architecture of a CLIP. All sizes in elements; `image_size` is the position table's own, in pixels a side.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Arch {
            $($(#[doc = $doc])+ pub $size: usize,)+
        }

        impl Arch {
            /// The sizes' names.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($size)),+];

            /// The sizes as keys of a table.
            pub fn keys() -> Vec<Key> {
                let size = |name, meaning| Key::new(name, meaning, usize::schema());
                vec![$(Key { required: true, ..size(stringify!($size), concat!($($doc),+).trim()) }),+]
            }

            /// Reads a table that must have every size, and notes each one's name and position. `None` where one is
            /// missing or can't be read.
            pub fn read(table: &mut Table<'_, '_>, offsets: &mut Vec<(&'static str, usize)>) -> Option<Self> {
                let mut size = |name: &'static str, example: &str| {
                    let value: Spanned<usize> = table.required(name, example)?;
                    offsets.push((name, value.span().start));
                    Some(value.into_inner())
                };
                // Every key is read before the first missing one ends it.
                $(let $size = size(stringify!($size), $example);)+
                Some(Self { $($size: $size?,)+ })
            }

            /// Sizes no CLIP has: the size's name, what is wrong and what to do.
            fn out_of_range(&self) -> Vec<(&'static str, String)> {
                let mut complaints = Vec::new();
                $(
                    let (name, size, largest) = (stringify!($size), self.$size, $largest);
                    if !(1..=largest).contains(&size) {
                        complaints.push((name, format!("`{name}` is {size}; write a number from 1 to {largest}")));
                    }
                )+
                complaints
            }
        }
    };
}

sizes! {
    /// Side of the image the position table was made for.
    image_size: MAX_IMAGE, "96";
    /// Side of a patch, p.
    patch: MAX_IMAGE, "8";
    /// Width of the image tower, W.
    width: 1 << 14, "128";
    /// Blocks of the image tower.
    layers: 1 << 10, "4";
    /// Attention heads of the image tower.
    heads: 1 << 14, "2";
    /// Width of the joint embedding, E.
    embed: 1 << 14, "64";
    /// Entries of the vocabulary.
    vocab: 1 << 20, "49408";
    /// Tokens in a sentence, padding included.
    context: 1 << 12, "77";
    /// Width of the text tower, Wt.
    text_width: 1 << 14, "64";
    /// Blocks of the text tower.
    text_layers: 1 << 10, "2";
    /// Attention heads of the text tower.
    text_heads: 1 << 14, "1";
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

    /// Sizes no CLIP has, or that contradict each other: the size's name, what is wrong and what to do.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let mut complaints = self.out_of_range();
        if !complaints.is_empty() {
            return complaints;
        }
        for (heads, count, width_key, width) in
            [("heads", self.heads, "width", self.width), ("text_heads", self.text_heads, "text_width", self.text_width)]
        {
            if !width.is_multiple_of(count) {
                let message = format!("{count} `{heads}` don't divide `{width_key}` {width}; choose a divisor of it");
                complaints.push((heads, message));
            }
        }
        if self.image_size < self.patch {
            let message = format!(
                "`image_size` {} is smaller than `patch` {}; choose at least one patch a side",
                self.image_size, self.patch
            );
            complaints.push(("image_size", message));
        }
        complaints
    }
}
