//! The names of the losses that a training reports for each step (docs/method.md section 7).

use crate::Options;

/// The detection loss, under whichever `loss` is chosen.
pub const DETECTION: &str = "detection";
/// The focal loss of the maps.
pub const FOCAL: &str = "focal";
/// The dice loss of the maps.
pub const DICE: &str = "dice";

/// The losses a model is trained with, in the order they are reported; their sum is what is minimised. Without masks the maps are
/// not trained.
pub fn names(_options: &Options, has_masks: bool) -> &'static [&'static str] {
    if has_masks { &[DETECTION, FOCAL, DICE] } else { &[DETECTION] }
}
