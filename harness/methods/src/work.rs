//! Floating-point operations of towers (docs/method.md section 11). Only large products are counted.

use harness_method::{Arch, prompts};

use crate::settings::{Encoding, Sentences};

/// Passes of one block over `tokens` tokens: four times W by W for attention, eight for the feed-forward part, and
/// attention itself.
fn block(tokens: usize, width: usize) -> f64 {
    let (tokens, width) = (tokens as f64, width as f64);
    24.0 * tokens * width * width + 4.0 * tokens * tokens * width
}

/// Floating-point operations of one image through the image tower up to its last tap.
pub fn encoding(encoding: Encoding<'_>, arch: &Arch) -> f64 {
    let tokens = arch.tokens(encoding.image_size);
    let patches = 6.0 * (tokens * arch.patch * arch.patch * arch.width) as f64;
    patches + encoding.taps.last().copied().unwrap_or(0) as f64 * block(tokens, arch.width)
}

/// Floating-point operations of the windows of one image, beside those of the image itself.
pub fn windows(encoding: Encoding<'_>, arch: &Arch) -> f64 {
    let layers = encoding.taps.last().copied().unwrap_or(0) as f64;
    let of = |&side: &usize| window_count(arch, encoding.image_size, side) as f64 * block(1 + side * side, arch.width);
    encoding.windows.iter().map(of).sum::<f64>() * layers
}

/// Windows of `side` patches a side in an image.
pub fn window_count(arch: &Arch, image_size: usize, side: usize) -> usize {
    (arch.grid(image_size) + 1).saturating_sub(side).pow(2)
}

/// Floating-point operations of one image through so many blocks of the image tower.
pub fn blocks(count: usize, arch: &Arch, image_size: usize) -> f64 {
    count as f64 * block(arch.tokens(image_size), arch.width)
}

/// One sentence through the text tower.
pub fn text_row(arch: &Arch) -> f64 {
    arch.text_layers as f64 * block(arch.context, arch.text_width)
}

/// Sentences that don't change with training, with MadCLIP's states.
pub fn fixed_text(sentences: Sentences, arch: &Arch) -> f64 {
    let sides = sentences.fixed.into_iter().filter(|fixed| *fixed).count();
    (sides * prompts::NORMAL_STATES.len() * prompts::templates().count()) as f64 * text_row(arch)
}
